"""Large files of containers: kept on disk where there is one, archived and copied as they flow."""

import io
import random
import tarfile

import pytest
from vosworld import kernel, on

from cluster.aio import virtual
from cluster.runtime.vos import files
from cluster.runtime.vos.nodes import MAX_BYTES
from cluster.runtime.vos.spool import Spool

MEGABYTE = 1 << 20
CONTENT = random.Random(7).randbytes(5 * MEGABYTE + 17)


def tree(folder, limit=64 * MEGABYTE):
    made = files.FileSystem(lambda: 5.0)
    made.space.spool = Spool(folder / "files", limit)
    return made


def written(target, path, data, piece=100_000):
    file = target.create(path)
    for start in range(0, len(data), piece):
        target.write(file, data[start : start + piece], path)
    return file


def run(script, target):
    """Run a script over these files."""

    async def main():
        machine = kernel()
        machine._files = target
        return await on(machine, "sh", "-c", script)

    return virtual.run(main())


def test_a_large_file_takes_no_memory_and_reads_as_any(tmp_path):
    target = tree(tmp_path)
    file = written(target, "/big", CONTENT)
    assert target.used < MEGABYTE
    assert file.size == len(CONTENT)
    assert target.read("/big") == CONTENT
    assert file.piece(1_000_000, 10) == CONTENT[1_000_000:1_000_010]
    assert file.piece(len(CONTENT), 10) == b""
    target.move("/big", "/other")
    target.remove("/other")
    assert not list((tmp_path / "files").iterdir())
    assert target.space.spool.used == 0


def test_many_small_files_go_to_disk_when_memory_is_full(tmp_path):
    target = tree(tmp_path)
    for number in range(40):
        written(target, f"/file-{number}", CONTENT[: MEGABYTE // 2])
    assert target.used <= MAX_BYTES
    assert {target.read(f"/file-{number}") for number in range(40)} == {CONTENT[: MEGABYTE // 2]}
    target.make_folder("/in")
    for number in range(40):
        target.move(f"/file-{number}", f"/in/{number}")
    target.remove("/in", recursive=True)
    assert not list((tmp_path / "files").iterdir())


def test_a_full_spool_is_no_space_left(tmp_path):
    target = tree(tmp_path, limit=2 * MEGABYTE)
    with pytest.raises(OSError, match="No space left"):
        written(target, "/big", CONTENT)
    target.remove("/big")
    written(target, "/big", CONTENT[:MEGABYTE])


def test_writing_anew_empties_what_was_large(tmp_path):
    target = tree(tmp_path)
    written(target, "/big", CONTENT)
    target.put("/big", b"small")
    assert target.read("/big") == b"small"
    assert not list((tmp_path / "files").iterdir())


@pytest.mark.parametrize("flags", ["", "z"])
def test_an_archive_of_large_files_flows_both_ways(tmp_path, flags):
    target = tree(tmp_path)
    written(target, "/big", CONTENT)
    target.make_folder("/there")
    done = run(
        f"tar c{flags}f - big | tar x{flags}f - -C /there; cp /there/big /c; cat /c > /d", target
    )
    assert done.code == 0, done.err
    for path in ("/there/big", "/c", "/d"):
        assert target.read(path) == CONTENT


def test_what_python_packs_is_unpacked_with_long_names(tmp_path):
    packed = io.BytesIO()
    name = "d/" + "long-name-" * 20
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(CONTENT)
        archive.addfile(info, io.BytesIO(CONTENT))
        archive.addfile(tarfile.TarInfo("after"), io.BytesIO())
    target = tree(tmp_path)
    target.put("/a.tgz", packed.getvalue())
    done = run("tar xvf /a.tgz", target)
    assert done.out.split() == [name, "after"]
    assert target.read(f"/{name}") == CONTENT
    cut = packed.getvalue()[: len(packed.getvalue()) // 2]
    target.put("/cut.tgz", cut)
    done = run("tar xf /cut.tgz", target)
    assert done.code == 2
    assert "unexpected end" in done.err
