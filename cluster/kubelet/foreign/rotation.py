"""Turning logs over: a full one is renamed after the time, older ones are packed, the oldest go.

Source: pkg/kubelet/logs/container_log_manager.go. The newest that was turned over stays unpacked: a
reader may be in it still.
"""

import asyncio
import contextlib
import datetime
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from cluster.aio import clock as clocks
from cluster.aio import rpc
from cluster.kubelet.cri import Cri
from cluster.pb.cri.v1 import api_pb2 as pb

PERIOD: Final = 10.0
_PACKED: Final = ".gz"
_UNFINISHED: Final = ".tmp"
_PIECE: Final = 1 << 18
_GZIP: Final = 31


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to become of the files that were turned over."""

    remove: tuple[str, ...]
    pack: tuple[str, ...]


def plan(names: Sequence[str], files: int) -> Plan:
    """What becomes of these, where a container has `files` at most: the current one, the one that
    it will be in a moment, and the rest. Pure.
    """
    known = set(names)
    unused = [
        name for name in sorted(known) if name.endswith(_UNFINISHED) or name + _PACKED in known
    ]
    used = sorted(known.difference(unused))
    excess = used[: max(len(used) - max(files - 2, 0), 0)]
    kept = used[len(excess) :]
    return Plan(
        (*unused, *excess), tuple(name for name in kept if not name.endswith(_PACKED))
    )  # fmt: skip


class Rotation:
    """Turns over the logs of a runtime's containers past `size` bytes, `files` of each."""

    def __init__(self, cri: Cri, clock: clocks.Clock, *, size: int, files: int) -> None:
        self._cri = cri
        self._clock = clock
        self._size = size
        self._files = files
        self._log = structlog.get_logger().bind(component="kubelet")

    async def run(self) -> None:
        """Look every ten seconds, until cancelled. rpc.Failure where the runtime is gone."""
        while True:
            await asyncio.sleep(PERIOD)
            await self.look()

    async def look(self) -> None:
        """Turn over what is full. rpc.Failure."""
        wanted = pb.ContainerFilter(state=pb.ContainerStateValue(state=pb.CONTAINER_RUNNING))
        listed = await self._cri.list_containers(pb.ListContainersRequest(filter=wanted))
        for one in listed.containers:
            request = pb.ContainerStatusRequest(container_id=one.id)
            try:
                path = (await self._cri.container_status(request)).status.log_path
                if path and _size(path) >= self._size:
                    await self._turn_over(one.id, Path(path))
            except FileNotFoundError:
                await self._reopen(one.id)  # an earlier turn was cut off
            except OSError as error:
                self._log.warning("a log cannot be turned over", container=one.id, error=str(error))
            except rpc.Failure as failure:
                if failure.code != "NOT_FOUND":
                    raise

    async def _turn_over(self, container: str, path: Path) -> None:
        names = [each.name for each in path.parent.glob(f"{path.name}.*")]
        todo = plan(names, self._files)
        for name in todo.remove:
            _remove(path.parent / name)
        for name in todo.pack:
            await _pack(path.parent / name)
        moment = datetime.datetime.fromtimestamp(self._clock.now(), datetime.UTC)
        target = path.with_name(f"{path.name}.{moment:%Y%m%d-%H%M%S}")
        _rename(path, target)
        try:
            await self._reopen(container)
        except rpc.Failure:
            with contextlib.suppress(OSError):
                _rename(target, path)  # it writes there still
            raise

    async def _reopen(self, container: str) -> None:
        request = pb.ReopenContainerLogRequest(container_id=container)
        await self._cri.reopen_container_log(request)


async def _pack(path: Path) -> None:
    """Pack a file by gzip, a piece at a time."""
    unfinished = path.with_name(path.name + _PACKED + _UNFINISHED)
    packer = zlib.compressobj(6, zlib.DEFLATED, _GZIP)
    with path.open("rb") as source, unfinished.open("wb") as target:
        while piece := source.read(_PIECE):
            target.write(packer.compress(piece))
            await asyncio.sleep(0)
        target.write(packer.flush())
    _rename(unfinished, path.with_name(path.name + _PACKED))
    _remove(path)


def _size(path: str) -> int:
    return Path(path).stat().st_size


def _rename(path: Path, target: Path) -> None:
    path.replace(target)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
