"""What pods hold of a real disk: looked at in steps, between which others have their turn."""

import asyncio
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cluster.aio import rpc, tasks, virtual
from cluster.kubelet.diskuse import DiskUse
from cluster.kubelet.eviction import measuring
from cluster.kubelet.volumes import realdisk
from cluster.kubelet.volumes.realdisk import RealDisk
from cluster.pb.cri.v1 import api_pb2 as pb

FILES = 3000
OBJECT = {
    "metadata": {"name": "p", "namespace": "d", "uid": "u"},
    "spec": {"volumes": [{"name": "v", "emptyDir": {}}]},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(FILES):
        inside = tmp_path / f"f{number % 7}"
        inside.mkdir(exist_ok=True)
        (inside / str(number)).write_bytes(b"x" * 100)
    (tmp_path / "f0" / "out").symlink_to("/usr")
    return tmp_path


def of(folder: Path) -> tuple[DiskUse, SimpleNamespace]:
    record = SimpleNamespace(made=True, done=True, volumes={"v": SimpleNamespace(setup=None)})
    keeper = SimpleNamespace(
        records={"u": record}, disk=RealDisk(), volume_path=lambda _pod, _volume: str(folder)
    )
    pod = SimpleNamespace(uid="u", object=OBJECT, seen=SimpleNamespace(containers=()))
    return DiskUse(keeper, "/none"), pod  # type: ignore[arg-type]


def test_others_have_their_turn_while_a_large_volume_is_looked_at(folder: Path) -> None:
    async def main() -> tuple[dict[str, int], int]:
        use, pod = of(folder)
        assert use.volumes(pod) == {"v": 0}
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        async with tasks.Group("test") as group:
            beside = group.spawn(others(), "others")
            await use.look([pod])
            beside.cancel()
        assert use.every(pod) == use.volumes(pod)
        return use.volumes(pod), turns

    found, turns = virtual.run(main())
    blocks = (folder / "f0" / "0").lstat().st_blocks * 512
    assert found == {"v": FILES * blocks + (folder / "f0" / "out").lstat().st_blocks * 512}
    assert turns > FILES // 300


@pytest.mark.parametrize(
    ("code", "found"),
    [("UNAVAILABLE", (7, 3)), ("DEADLINE_EXCEEDED", (7, 3)), ("UNIMPLEMENTED", (0, 0))],
)
def test_a_runtime_that_is_away_still_has_its_images(code: str, found: tuple[int, int]) -> None:
    held = pb.FilesystemUsage(
        used_bytes=pb.UInt64Value(value=7), inodes_used=pb.UInt64Value(value=3)
    )
    answers = [pb.ImageFsInfoResponse(image_filesystems=[held]), rpc.Failure(code, "no")]

    async def told(_request: object) -> pb.ImageFsInfoResponse:
        answer = answers.pop(0)
        if isinstance(answer, rpc.Failure):
            raise answer
        return answer

    async def main() -> None:
        use, _ = of(Path("/none"))
        agent: Any = SimpleNamespace(disk_use=use, cri=SimpleNamespace(image_fs_info=told))
        assert await measuring.images(agent) == (7, 3)
        assert await measuring.images(agent) == found

    virtual.run(main())


def test_no_more_is_looked_at_or_shared_than_is_bearable(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(realdisk, "_MAX_WALKED", 100)
    assert len(list(RealDisk().sizes(str(folder)))) == 100
    RealDisk().share(str(folder), os.getgid(), readonly=False)
    shared = [
        one for one in folder.rglob("*") if not one.is_symlink() and one.stat().st_mode & 0o020
    ]
    assert len(shared) <= 100
