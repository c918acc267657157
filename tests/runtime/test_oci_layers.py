"""Layers become root file systems: whiteouts, owners, and layers that mean ill."""

import asyncio
import contextlib
import io
import os
import tarfile
from pathlib import Path

import driverworld
import pytest

from cluster.runtime.oci.shim.command import Commands, Failed
from cluster.runtime.oci.shim.reaper import Reaper
from cluster.runtime.oci.shim.rootfs import RootFileSystems

pytestmark = pytest.mark.skipif(
    os.getuid() != 0 or bool(driverworld.lacking()), reason="layers are unpacked as root"
)


def member(name, content=None, **fields):
    found = tarfile.TarInfo(name)
    found.mode = 0o644
    if content is not None:
        found.size = len(content)
    for key, value in fields.items():
        setattr(found, key, value)
    return found, io.BytesIO(content) if content is not None else None


def layers(folder, *contents):
    found = []
    for number, members in enumerate(contents):
        path = folder / f"{number}.tar"
        with tarfile.open(path, "w") as archive:
            for info, data in members:
                archive.addfile(info, data)
        found.append({"digest": f"sha256:{number:020x}", "path": str(path)})
    return found


@pytest.fixture(params=["overlay", "copy"])
def root(request, tmp_path):
    """Makes a root of layers, hands it to a look, and takes it away."""

    def made(contents, look):
        async def main():
            reaper = Reaper()
            reaper.start()
            roots = RootFileSystems(tmp_path / "oci", Commands(reaper), user_namespace=False)
            await roots.choose()
            if request.param == "copy":
                roots.kind = "copy"
            elif roots.kind != "overlay":
                pytest.skip(f"no overlayfs here, but {roots.kind}")
            bundle = tmp_path / "bundle"
            try:
                return look(await roots.make(bundle, layers(tmp_path, *contents)))
            finally:
                roots.remove(bundle)
                assert not bundle.exists()

        return asyncio.run(main())

    return made


def names(path: Path) -> list[str]:
    return sorted(str(one.relative_to(path)) for one in path.rglob("*"))


def test_a_file_of_an_upper_layer_hides_the_one_below(root):
    below = [member("a", b"old"), member("b", b"kept")]
    above = [member("a", b"new")]
    assert root([below, above], lambda path: [(path / one).read_text() for one in "ab"]) == [
        "new", "kept",
    ]  # fmt: skip


def test_what_is_whited_out_is_gone(root):
    below = [member("d/x", b"1"), member("d/y", b"2"), member("e", b"3")]
    above = [member("d/.wh.x", b""), member(".wh.e", b"")]
    assert root([below, above], names) == ["d", "d/y"]


def test_an_opaque_directory_shows_nothing_from_below(root):
    below = [member("d/x", b"1"), member("d/in/y", b"2")]
    above = [member("d/.wh..wh..opq", b""), member("d/z", b"3")]
    assert root([below, above], names) == ["d", "d/z"]


def test_owners_modes_and_links_are_kept(root):
    content = [
        member("f", b"x", uid=1000, gid=50, mode=0o4755),
        member("s", type=tarfile.SYMTYPE, linkname="f"),
        member("h", type=tarfile.LNKTYPE, linkname="f"),
        member("d", type=tarfile.DIRTYPE, mode=0o1777),
    ]

    def look(path):
        seen = (path / "f").stat()
        return (
            seen.st_uid, seen.st_gid, seen.st_mode & 0o7777, seen.st_nlink,
            str((path / "s").readlink()), (path / "d").stat().st_mode & 0o7777,
        )  # fmt: skip

    assert root([content], look) == (1000, 50, 0o4755, 2, "f", 0o1777)


def test_directories_that_no_layer_has_are_not_everybodys(root):
    assert root([[member("a/b", b"x")]], lambda path: (path / "a").stat().st_mode & 0o777) == 0o755


@pytest.mark.parametrize("name", ["../escaped", "/../../escaped", "link/escaped"])
def test_no_path_and_no_link_leads_out(root, tmp_path, name):
    outside = tmp_path / "outside"
    outside.mkdir()
    link = member("link", type=tarfile.SYMTYPE, linkname=str(outside))
    with contextlib.suppress(Failed):  # refused is as good
        root([[link, member(name, b"x")]], names)
    assert list(outside.iterdir()) == []
    assert not (tmp_path / "escaped").exists()


def test_what_cannot_be_unpacked_is_told_of(tmp_path):
    async def main():
        reaper = Reaper()
        reaper.start()
        roots = RootFileSystems(tmp_path / "r", Commands(reaper), user_namespace=False)
        await roots.choose()
        blob = tmp_path / "blob"
        blob.write_bytes(b"\x28\xb5\x2f\xfdrest")
        with pytest.raises(Failed) as failed:
            await roots.make(tmp_path / "b", [{"digest": "sha256:77", "path": str(blob)}])
        return str(failed.value)

    assert "zstd" in asyncio.run(main())
