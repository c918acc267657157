"""Volumes in a container's files: of the real disk, and of memory; bounded, and never left."""

import os

import pytest

from cluster.runtime.vos import disknodes, files
from cluster.runtime.vos.nodes import Folder, Space


def tree(**mounts: object) -> files.FileSystem:
    made = files.FileSystem(lambda: 5.0)
    for name, node in mounts.items():
        made.mount(f"/{name}", node)  # type: ignore[arg-type]
    return made


def test_what_is_written_in_a_mount_is_on_the_disk(tmp_path):
    (tmp_path / "sub").mkdir()
    target = tree(data=disknodes.at(str(tmp_path)))
    target.put("/data/sub/a", b"one", 0o640)
    file = target.create("/data/sub/a", append=True)
    target.write(file, b"two")
    target.make_folders("/data/x/y")
    target.link("../sub/a", "/data/x/l")
    assert (tmp_path / "sub" / "a").read_bytes() == b"onetwo" == target.read("/data/x/l")
    assert (tmp_path / "sub" / "a").stat().st_mode & 0o777 == 0o640
    assert target.names("/data") == ["sub", "x"]
    target.move("/data/sub/a", "/data/b")
    target.change_mode("/data/b", 0o600)
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o600
    target.remove("/data/x", recursive=True)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["b", "sub"]


def test_a_file_of_the_disk_has_several_names_on_its_own_file_system_alone(tmp_path):
    room = Space(2000)
    (tmp_path / "sub").mkdir()
    target = tree(data=disknodes.at(str(tmp_path), room))
    target.put("/data/a", b"x" * 1000)
    target.share("/data/a", "/data/sub/b")
    assert (tmp_path / "a").samefile(tmp_path / "sub" / "b")
    assert target.find("/data/a").links == 2
    target.remove("/data/a")
    assert room.used >= 1000
    target.remove("/data/sub/b")
    assert room.used == 0
    target.put("/data/a", b"")
    for source, path in (("/data/a", "/b"), ("/data", "/c")):
        with pytest.raises(OSError, match=r"Invalid cross-device link|Operation not permitted"):
            target.share(source, path)


def test_a_link_of_the_disk_is_dated_itself_and_nodes_have_the_disks_numbers(tmp_path):
    (tmp_path / "f").touch()
    os.utime(tmp_path / "f", (7, 7))
    target = tree(data=disknodes.at(str(tmp_path)))
    target.link("f", "/data/l")
    target.change_time("/data/l", 1e9, follow=False)
    assert (tmp_path / "l").lstat().st_mtime == 1e9
    assert (tmp_path / "f").stat().st_mtime == 7
    for name in ("", "f", "l"):
        found = target.find(f"/data/{name}".rstrip("/"), follow=False)
        assert target.inode(found) == (tmp_path / name).lstat().st_ino


def test_a_file_moves_between_file_systems(tmp_path):
    target = tree(data=disknodes.at(str(tmp_path)))
    target.put("/own", b"x" * 10)
    before = target.used
    target.move("/own", "/data/moved")
    assert (tmp_path / "moved").read_bytes() == b"x" * 10
    assert target.used < before
    target.move("/data/moved", "/own")
    assert target.read("/own") == b"x" * 10
    assert target.used == before
    assert list(tmp_path.iterdir()) == []


def test_links_lead_nowhere_outside(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("of the host")
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / "absolute").symlink_to(secret)
    (volume / "up").symlink_to("../secret")
    (volume / "folder").symlink_to(tmp_path)
    target = tree(data=disknodes.at(str(volume)))
    for path in ("/data/absolute", "/data/up", "/data/folder/secret", "/data/../secret"):
        with pytest.raises(FileNotFoundError):
            target.read(files.absolute(path, "/"))
    target.put("/secret", b"of the container")
    assert target.read("/data/up") == b"of the container"
    target.put("/data/up", b"written")
    assert (target.read("/secret"), secret.read_text()) == (b"written", "of the host")


def test_a_directory_that_becomes_a_link_is_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    volume = tmp_path / "volume"
    (volume / "a").mkdir(parents=True)
    target = tree(data=disknodes.at(str(volume)))
    held = target.find("/data/a")
    assert isinstance(held, files.Folder)
    (volume / "a").rmdir()
    (volume / "a").symlink_to(outside)
    with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
        held.make_file("x", 0.0)
    assert list(outside.iterdir()) == []


def test_what_is_no_file_is_neither_read_nor_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    target = tree(data=disknodes.at(str(tmp_path)))
    with pytest.raises(OSError, match=r"Invalid argument|No such device"):
        target.read("/data/pipe")
    with pytest.raises(OSError, match=r"Invalid argument|No such device"):
        target.put("/data/pipe", b"x")


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.put("/data/new", b""),
        lambda t: t.put("/data/old", b""),
        lambda t: t.create("/data/old", append=True),
        lambda t: t.remove("/data/old"),
        lambda t: t.make_folder("/data/d"),
        lambda t: t.link("x", "/data/l"),
        lambda t: t.move("/data/old", "/x"),
        lambda t: t.move("/etc", "/data/etc"),
        lambda t: t.change_mode("/data/old", 0o777),
    ],
)
def test_a_mount_that_is_only_for_reading_is_not_changed(change, tmp_path):
    (tmp_path / "old").write_text("kept")
    target = files.FileSystem(lambda: 0.0)
    target.make_folder("/etc")
    target.mount("/data", disknodes.at(str(tmp_path)), readonly=True)
    with pytest.raises(OSError, match="Read-only file system"):
        change(target)
    assert [one.name for one in tmp_path.iterdir()] == ["old"]
    assert target.read("/data/old") == b"kept"
    assert not target.writable("/data/old")
    target.put("/elsewhere", b"fine")


def test_two_containers_share_a_volume_in_memory():
    volume = Folder(Space(4096))
    one, two = tree(a=volume), tree(b=volume)
    one.put("/a/x", b"hello")
    assert two.read("/b/x") == b"hello"
    with pytest.raises(OSError, match="No space left"):
        two.put("/b/y", bytes(5000))
    one.remove("/a/x")
    two.remove("/b/y")
    assert volume.space.used == 0


def test_a_volume_in_memory_has_its_limit_on_the_disk_too(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "old").write_bytes(b"x" * 10)
    rooms, limits = disknodes.Rooms(), {str(tmp_path): 100}
    one = tree(data=rooms.at(str(tmp_path), limits), other=rooms.at("/tmp", limits))
    two = tree(data=rooms.at(str(tmp_path / "sub"), limits))
    one.put("/data/a", b"x" * 50)
    with pytest.raises(OSError, match="No space left on device"):
        two.put("/data/b", b"x" * 41)
    two.put("/data/b", b"x" * 40)
    with pytest.raises(OSError, match="No space left on device"):
        one.put("/data/c", b"x")
    one.remove("/data/sub", recursive=True)
    one.put("/data/a", b"x" * 60)
    one.move("/data/a", "/data/d")
    one.put("/data/c", b"x" * 40)
    with pytest.raises(OSError, match="No space left on device"):
        one.put("/data/e", b"x")
    del one, two
    again = tree(data=rooms.at(str(tmp_path), limits))
    again.remove("/data/c")
    again.put("/data/e", b"x" * 40)
    with pytest.raises(OSError, match="No space left on device"):
        again.put("/data/f", b"x")


def test_mounts_nest_and_are_not_removed(tmp_path):
    outer, inner = tmp_path / "o", tmp_path / "i"
    outer.mkdir()
    inner.mkdir()
    (inner / "f").write_text("inner")
    target = tree(data=disknodes.at(str(outer)))
    target.mount("/data/deep/inner", disknodes.at(str(inner)))
    assert target.read("/data/deep/inner/f") == b"inner"
    assert target.names("/data/deep") == ["inner"]
    for path in ("/data", "/data/deep", "/data/deep/inner"):
        with pytest.raises(OSError, match="busy"):
            target.remove(path, recursive=True)
    single = tree()
    single.put("/etc-file", b"old")
    single.mount("/etc-file", disknodes.at(str(inner / "f")), readonly=True)
    assert single.read("/etc-file") == b"inner"


def test_a_mount_in_one_that_is_read_only_is_shown(tmp_path):
    target = files.FileSystem(lambda: 0.0)
    target.mount("/a", disknodes.at(str(tmp_path)), readonly=True)
    target.mount("/a/b/c", Folder(Space(4096)))
    assert target.names("/a/b") == ["c"]
    target.put("/a/b/c/x", b"1")
    assert target.read("/a/b/c/x") == b"1"
    assert list(tmp_path.iterdir()) == []
