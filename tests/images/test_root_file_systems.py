"""Layers one upon the other: what each hides, and what hostile ones may cost."""

import io
import tarfile
import time
from collections.abc import Iterable

import pytest

from cluster.images import rootfs


def members(*names: str) -> list[tarfile.TarInfo]:
    """Members of these paths: a directory's ends in a slash."""
    found = []
    for name in names:
        member = tarfile.TarInfo(name)
        member.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
        found.append(member)
    return found


def laid(*layers: Iterable[str]) -> dict[str, int]:
    found: dict[str, tuple[str, int]] = {}
    for number, names in enumerate(layers):
        rootfs.lay(found, members(*names), number)
    return {path: number for path, (_, number) in found.items()}


@pytest.mark.parametrize(
    ("layers", "wanted"),
    [
        ([["a/", "a/x", "ab"], ["a/.wh.x"]], {"/a": 0, "/ab": 0}),
        ([["a/", "a/x/", "a/x/y", "ab"], [".wh.a"]], {"/ab": 0}),
        ([["a/x/y"], ["a/.wh.x"]], {}),
        ([["a/", "a/x"], ["a/", "a/new", "a/.wh..wh..opq"]], {"/a": 1, "/a/new": 1}),
        ([["a/", "b"], ["c", ".wh..wh..opq"]], {"/c": 1}),
        ([["a"], ["a", ".wh.a"]], {"/a": 1}),
        ([["a/", "a/x"], ["a"]], {"/a": 1}),
        ([["a"], [".wh.a"], ["a"]], {"/a": 2}),
    ],
)
def test_a_layer_hides_what_is_below_it(layers: list[list[str]], wanted: dict[str, int]) -> None:
    assert laid(*layers) == wanted


def test_many_whiteouts_upon_many_files_take_little_time() -> None:
    began = time.process_time()
    files = [f"d{number % 100}/{number}" for number in range(20_000)]
    hides = [f"d{number % 100}/.wh.{number}" for number in range(0, 40_000, 2)]
    assert len(laid(files, hides)) == 10_000
    assert time.process_time() - began < 5


def test_no_more_members_are_read_than_is_bearable(monkeypatch: pytest.MonkeyPatch) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for member in members(*map(str, range(50))):
            archive.addfile(member)
    plain = "application/vnd.oci.image.layer.v1.tar"
    monkeypatch.setattr(rootfs, "MAX_MEMBERS", 49)
    data.seek(0)
    with (
        rootfs.tar(data, plain) as archive,
        pytest.raises(tarfile.ReadError, match="more than 49 files in a layer"),
    ):
        list(archive)
    monkeypatch.setattr(rootfs, "MAX_MEMBERS", 50)
    data.seek(0)
    with rootfs.tar(data, plain) as archive:
        assert len(list(archive)) == 50
