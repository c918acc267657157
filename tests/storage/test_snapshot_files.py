"""Snapshots in files: whole or refused, whatever was done to them."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.storage.interface import Record
from cluster.storage.snapshot import Damaged, Header, Reader, Writer, checked

HEADER = Header(900, 1_700_000_000.5, "1.37")
RECORDS = [
    Record("/registry/configmaps/default/ü", b'{"a":1}', 7, 3),
    Record("/registry/pods/default/web", b"", 900, 900),
    Record("/registry/secrets/default/s", os.urandom(300), 12, 12),
]


def saved(path: Path, records=RECORDS) -> bytes:
    with Writer(path, HEADER) as writer:
        for record in records:
            writer.add(record)
    return path.read_bytes()


def read(path: Path) -> list[Record]:
    with path.open("rb") as file:
        return list(Reader(file, "it").records())


def test_what_was_saved_is_read_and_only_its_owner_may_read_it(tmp_path):
    path = tmp_path / "s"
    saved(path)
    assert read(path) == RECORDS
    assert checked(path) == (HEADER, 3)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["s"]


def test_a_snapshot_that_fails_leaves_the_one_before(tmp_path):
    path = tmp_path / "s"
    before = saved(path)

    def half() -> None:
        with Writer(path, HEADER) as writer:
            writer.add(RECORDS[0])
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        half()
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["s"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> bytes:
    """The bytes of a snapshot."""
    return saved(tmp_path_factory.mktemp("whole") / "s")


@settings(max_examples=150, deadline=None)
@given(at=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_a_snapshot_of_which_a_byte_was_changed_is_refused(tmp_path_factory, whole, at, flip):
    path = tmp_path_factory.getbasetemp() / "flipped"
    content = bytearray(whole)
    content[at % len(content)] ^= flip
    path.write_bytes(content)
    with pytest.raises(Damaged):
        checked(path)


def test_a_snapshot_that_was_cut_off_or_grew_is_refused(tmp_path):
    path = tmp_path / "s"
    content = saved(path)
    for size in range(0, len(content), 5):
        path.write_bytes(content[:size])
        with pytest.raises(Damaged):
            checked(path)
    path.write_bytes(content + b"x")
    with pytest.raises(Damaged, match="checksum"):
        checked(path)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is no snapshot of kubemu"),
        (b"SQLite format 3\0" * 99, "is no snapshot of kubemu"),
        (b"kubemu snapshot 2\n{}", "is a snapshot of format 2; this kubemu reads 1"),
        (b"kubemu snapshot 1\nnonsense\n", "its header cannot be read"),
        (b'kubemu snapshot 1\n{"revision":1,"taken":0,"kubernetes":""}\n', "ends too early"),
    ],
)
def test_a_foreign_file_is_told_from_a_damaged_one(tmp_path, content, sentence):
    path = tmp_path / "s"
    path.write_bytes(content)
    with pytest.raises(Damaged, match=sentence):
        checked(path)


@pytest.mark.parametrize(
    "records",
    [
        [RECORDS[1], RECORDS[0]],
        [RECORDS[0], RECORDS[0]],
        [Record("/a", b"", 901, 1)],
        [Record("/a", b"", 5, 6)],
        [Record("/a", b"", 5, 0)],
    ],
    ids=["order", "twice", "future", "before its creation", "no creation"],
)
def test_records_that_cannot_be_are_refused_though_the_checksum_is_right(tmp_path, records):
    saved(tmp_path / "s", records)
    with pytest.raises(Damaged, match="cannot be"):
        checked(tmp_path / "s")
