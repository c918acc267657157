"""Commands of image builds in real processes: what they see, and which layer they leave."""

import asyncio
import json
import os
import random
import stat
import tarfile

import driverworld
import pytest

from cluster.aio import clock
from cluster.runtime.oci import commands, leaving
from cluster.runtime.oci.shim import pack

pytestmark = pytest.mark.skipif(bool(driverworld.lacking()), reason=driverworld.lacking())


@pytest.fixture
def images(tmp_path):
    """Runs orders upon busybox and a layer with files: code, output, and members of the layer."""
    files = {"old/a": "a", "old/b": "b", "keep": "k"}
    layers = [driverworld.layer(tmp_path / "busybox.tar"),
              driverworld.layer(tmp_path / "files.tar", files)]  # fmt: skip

    def run(script, **order):
        async def main():
            said = bytearray()
            async with commands.opened(
                tmp_path / "running", random.Random(1), clock.SystemClock().now()
            ) as runner:
                made = commands.Order(layers, ["sh", "-c", script], {"PATH": "/bin"}, **order)
                code = await runner.run(made, tmp_path / "layer", 7, said.extend)
                (folder,) = (tmp_path / "running").iterdir()
            assert not leaving.running(folder)
            assert list((tmp_path / "running").iterdir()) == []
            return code, said.decode()

        code, said = asyncio.run(main())
        members = {}
        if code == 0:
            with tarfile.open(tmp_path / "layer") as archive:
                for one in archive:
                    content = archive.extractfile(one) if one.isreg() else None
                    members[one.name] = one, content.read() if content else b""
        return code, said, members

    return run


def test_a_command_is_who_and_where_it_was_told(images):
    with driverworld.null_stays():
        code, said, _ = images("id -u; id -g; pwd; hostname; echo $$", user="app", directory="/tmp")
    assert (code, said.split()) == (0, ["1000", "1000", "/tmp", "buildkitsandbox", "1"])


def test_a_layer_has_what_was_changed_and_nothing_that_was_mounted(images):
    code, _, members = images(
        "mkdir new; echo 1 > new/x; ln -s x new/y; ln new/x new/z; rm keep; echo b >> old/b;"
        "rm -r old/a; touch /dev/shm/x; mkdir /proc/x; kill -0 1"
    )
    assert code == 0
    assert members["new/x"][1] == b"1\n"
    assert members["new/y"][0].linkname == "x"
    assert (members["new/z"][0].islnk(), members["new/z"][0].linkname) == (True, "new/x")
    assert members["old/b"][1] == b"bb\n"
    assert {".wh.keep", "old/.wh.a"} <= members.keys()
    assert {one.mtime for one, _ in members.values()} == {7}
    assert not [name for name in members if name.startswith(("dev", "proc", "sys", "bin"))]
    assert {name for name in members if name.startswith("etc/")} == set()


def test_a_directory_that_was_made_anew_hides_what_was_in_it(images):
    _, _, members = images("rm -r old; mkdir old; echo n > old/n")
    names = [name for name in members if name.startswith("old")]
    assert names == ["old", "old/.wh..wh..opq", "old/n"]


def test_a_command_that_fails_gives_its_code_and_one_that_is_not_there_says_so(images, tmp_path):
    assert images("echo no >&2; exit 9")[:2] == (9, "no\n")
    with pytest.raises(commands.Failed, match="unable to find user ghost"):
        images("true", user="ghost")


def test_what_a_killed_build_left_is_removed_when_it_is_old(images, tmp_path):
    left = tmp_path / "running" / "run-left"
    left.mkdir(parents=True)
    os.utime(left, (0, 0))
    images("true")  # which finds no folder but its own
    assert not left.exists()


def test_where_there_is_no_overlay_what_changed_is_found_by_comparing(tmp_path):
    root = tmp_path / "root"
    for name in ("a/x", "a/y", "gone/deep/z", "b"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    before = tmp_path / "before"
    assert pack.main("look", str(root), str(before)) == 0
    (root / "a/x").write_text("other")
    (root / "b").chmod(0o600)
    (root / "gone/deep/z").unlink()
    (root / "gone/deep").rmdir()
    (root / "gone").rmdir()
    (root / "a/y").unlink()
    (root / "n").mkdir()
    (root / "mounted").write_text("")
    target = tmp_path / "layer"
    without = json.dumps(["/mounted"])
    assert pack.main("pack", str(root), str(target), without, "0", str(before)) == 0
    with tarfile.open(target) as archive:
        found = {one.name: stat.S_IMODE(one.mode) for one in archive}
    assert found.keys() == {"a/x", "b", "n", "a/.wh.y", ".wh.gone"}
    assert found["b"] == 0o600
