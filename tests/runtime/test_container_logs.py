"""Container logs: the CRI format, files that turn over, and memory with a bound."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.runtime import logs
from cluster.runtime.logs import LINE_BYTES, InFiles, InMemory, Log

AT = 1_767_225_600.25
PREFIX = b"2026-01-01T00:00:00.250000000Z"


def memory(limit: int = 1 << 20) -> Log:
    return Log(InMemory(limit), lambda: AT)


def all_of(log: Log) -> bytes:
    return log.kept.read(log.kept.start, 1 << 30)


def test_a_line_is_kept_when_it_has_ended() -> None:
    log = memory()
    log.write("stdout", b"hel")
    assert all_of(log) == b""
    log.write("stderr", b"oops\n")
    log.write("stdout", b"lo\nnext")
    log.close()
    assert all_of(log) == (
        PREFIX + b" stderr F oops\n" + PREFIX + b" stdout F hello\n" + PREFIX + b" stdout F next\n"
    )


def test_a_long_line_is_kept_in_pieces() -> None:
    log = memory()
    log.write("stdout", b"x" * (LINE_BYTES + 5) + b"\n")
    first, second = all_of(log).splitlines()
    assert first == PREFIX + b" stdout P " + b"x" * LINE_BYTES
    assert second == PREFIX + b" stdout F xxxxx"


def test_a_line_without_end_does_not_gather() -> None:
    log = memory()
    for _ in range(100):
        log.write("stdout", b"x" * 1000)
    assert log.kept.end > 90_000


def test_memory_keeps_the_newest_lines() -> None:
    log = memory(1000)
    for number in range(100):
        log.write("stdout", b"%d\n" % number)
    kept = all_of(log).splitlines()
    assert len(b"".join(kept)) <= 1000
    assert kept[-1].endswith(b" 99")
    assert log.kept.end - log.kept.start == len(all_of(log))
    assert log.kept.read(log.kept.end - 3, 100) == b"99\n"


def files(folder: Path, size: int = 200, count: int = 3) -> InFiles:
    return InFiles(folder / "pod" / "c" / "0.log", size=size, files=count, now=lambda: AT)


def test_files_turn_over_by_size_and_the_oldest_goes(tmp_path: Path) -> None:
    kept = files(tmp_path)
    log = Log(kept, lambda: AT)
    for number in range(40):
        log.write("stdout", b"line %d\n" % number)
    names = sorted(path.name for path in (tmp_path / "pod" / "c").iterdir())
    assert len(names) == 3
    assert names[0] == "0.log"
    assert names[1].startswith("0.log.20260101-000000")
    assert all(path.stat().st_size <= 200 for path in (tmp_path / "pod" / "c").iterdir())
    found = b""
    place = kept.start
    while part := kept.read(place, 1 << 20):
        found, place = found + part, place + len(part)
    assert place == kept.end
    assert found.splitlines()[-1].endswith(b"line 39")
    kept.remove()
    assert not (tmp_path / "pod").exists()


def test_a_pods_folder_is_cleared_of_logs_and_of_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "pod"
    for name in ("c/0.log", "c/0.log.20260101-000000", "d/1.log"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    (folder / "d" / "mine.txt").write_text("x")
    logs.clear(folder)
    assert [path.name for path in folder.rglob("*")] == ["d", "mine.txt"]
    (folder / "d" / "mine.txt").unlink()
    logs.clear(folder)
    assert not folder.exists()
    logs.clear(folder)


def test_a_renamed_file_is_begun_anew(tmp_path: Path) -> None:
    kept = files(tmp_path)
    kept.add(b"one\n")
    path = tmp_path / "pod" / "c" / "0.log"
    path.rename(path.with_name("old"))
    kept.reopen()
    kept.add(b"two\n")
    assert path.read_bytes() == b"two\n"


def test_what_cannot_be_written_is_lost_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "pod").write_text("in the way")
    kept = files(tmp_path)
    kept.add(b"one\n")
    assert (kept.start, kept.end) == (0, 0)


@given(st.lists(st.binary(max_size=40), max_size=30), st.integers(1, 400))
def test_every_place_that_is_kept_can_be_read(pieces: list[bytes], limit: int) -> None:
    kept = InMemory(limit)
    whole = b""
    for piece in pieces:
        kept.add(piece)
        whole += piece
    assert kept.end == len(whole)
    for place in range(kept.start, kept.end + 1):
        assert kept.read(place, 7) == whole[place : place + 7]


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_streams_have_their_names(stream: str) -> None:
    log = memory()
    log.write(stream, b"a\n")
    assert all_of(log) == PREFIX + f" {stream} F a\n".encode()


def test_a_silent_container_has_an_empty_log(tmp_path: Path) -> None:
    path = tmp_path / "pod" / "main" / "0.log"
    logs.make(path)
    assert path.read_bytes() == b""
    log = Log(InFiles(path, size=200, files=3, now=lambda: AT), lambda: AT)
    log.write("stdout", b"word\n")
    logs.make(path)
    assert path.read_bytes() == PREFIX + b" stdout F word\n"
    logs.unmake(path)
    assert list(tmp_path.iterdir()) == []
    logs.unmake(path)
