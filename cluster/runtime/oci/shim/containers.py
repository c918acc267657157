"""Containers from start to end: who runs, with which streams, and how it ended.

A pod's sandbox is a container too: its process holds the namespaces.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cluster.aio import tasks
from cluster.runtime import following, logs
from cluster.runtime.oci import frames
from cluster.runtime.oci.shim import cgroups, console, kernel, memory, namespaces, waiting
from cluster.runtime.oci.shim.command import Failed
from cluster.runtime.oci.shim.console import Sink
from cluster.runtime.oci.shim.program import Program
from cluster.runtime.oci.shim.reaper import Reaper
from cluster.runtime.oci.shim.rootfs import RootFileSystems

DRAIN_SECONDS: Final = 2.0
"""How long the output of a container that has ended is still read."""
_TAIL: Final = 16 << 10
_END_SECONDS: Final = 10.0
_SHM: Final = "mode=1777,size=65536k"
NOT_FOUND: Final = "no such container here"

Listener = Callable[[Mapping[str, Any]], None]


@dataclass(slots=True, eq=False)
class Container:
    """A container that has been started. `code` is None while it runs."""

    id: str
    bundle: Path
    pid: int
    console: console.Console
    log: logs.Log | None = None
    place: cgroups.Place = field(default_factory=cgroups.Place)
    own_processes: bool = True
    """Whether all its processes end with the first."""
    code: int | None = None
    oom: bool = False
    finished: float = 0.0
    tail: str = ""
    """The end of its log, where it failed."""
    faulty: bool = False
    """Whether something beside it failed, and was told of."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    listeners: dict[Sink, None] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        """What the runtime is told of it."""
        return {
            "id": self.id, "pid": self.pid, "code": self.code, "oom": self.oom,
            "finished": self.finished, "tail": self.tail,
        }  # fmt: skip


class Containers:
    """The containers under `folder`."""

    def __init__(
        self,
        folder: Path,
        program: Program,
        reaper: Reaper,
        roots: RootFileSystems,
        *,
        group: tasks.Group,
        now: Callable[[], float],
        listener: Listener,
    ) -> None:
        self._folder = folder
        self._program = program
        self._reaper = reaper
        self._roots = roots
        self._group = group
        self._now = now
        self._listener = listener
        self._memory = memory.Memory()
        self._wires: dict[str, tuple[int, Mapping[str, str | int]]] = {}
        self.all: dict[str, Container] = {}
        self.following = following.Following()

    def bundle(self, id: str) -> Path:
        """The directory of a container."""
        return self._folder / id

    def get(self, id: str) -> Container:
        """A container that was started. Failed."""
        found = self.all.get(id)
        if found is None:
            raise Failed(NOT_FOUND)
        return found

    # ---- life --------------------------------------------------------------------------------

    async def sandbox(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Make a sandbox: its process and its network. Failed, OSError."""
        name = request["id"]
        bundle = self.bundle(name)
        bundle.mkdir(parents=True)
        try:
            if request["shm"]:
                (bundle / "shm").mkdir()
                flags = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
                kernel.mount("shm", str(bundle / "shm"), "tmpfs", flags, _SHM)
            found = await self._begin(name, request, None)
            if request["addresses"] is not None:
                work = namespaces.addressed(request["addresses"])
                namespaces.inside(f"/proc/{found.pid}/ns/net", work)
        except BaseException:
            await self.delete(name)
            raise
        return {"pid": found.pid}

    def plugged(self, id: str, interface: Mapping[str, str | int]) -> int:
        """The descriptor of a sandbox's interface: made once, and kept until the sandbox goes, so
        that a runtime that comes later finds it. Failed, OSError.
        """
        path = f"/proc/{self.get(id).pid}/ns/net"
        made, was = self._wires.get(id, (-1, None))
        if was is None:
            made = namespaces.plugged(path, interface)
        elif was != interface:
            namespaces.plugged_anew(path, interface)
        self._wires[id] = made, interface
        return made

    async def create(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Make a container's root; what says who its users are. Failed, OSError."""
        bundle = self.bundle(request["id"])
        bundle.mkdir(parents=True)
        try:
            root = await self._roots.make(bundle, request["layers"])
        except BaseException:
            self._roots.remove(bundle)
            raise
        return {"passwd": _read(root, "etc/passwd"), "group": _read(root, "etc/group")}

    async def start(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Start a container. Failed, OSError."""
        kept: logs.Kept = logs.InMemory()
        asked = request.get("log")
        if asked:
            path = Path(asked["path"])
            logs.make(path)
            kept = logs.InFiles(path, size=asked["size"], files=asked["files"], now=self._now)
        pod, made = request.get("sandbox", ""), request["spec"]
        self._memory.lay(pod, request.get("memory") or {})
        with self._memory.parts(pod, made["mounts"], self.bundle(request["id"])) as mounts:
            with_parts = {**request, "spec": {**made, "mounts": mounts}}
            found = await self._begin(request["id"], with_parts, logs.Log(kept, self._now))
        return {"pid": found.pid}

    async def _begin(self, id: str, request: Mapping[str, Any], log: logs.Log | None) -> Container:
        bundle = self.bundle(id)
        (bundle / "config.json").write_text(json.dumps(request["spec"]))
        streams = console.Console(
            bundle, tty=request.get("tty", False), stdin=request.get("stdin", False)
        )
        try:
            streams.prepare()
            pid = await self._run(id, bundle, streams)
            readers = await streams.begin()
        except BaseException:
            streams.close()
            await asyncio.shield(self._clear(id))
            raise
        found = Container(id, bundle, pid, streams, log)
        found.place = cgroups.of(pid, id)
        if not found.place.folders:
            found.place = cgroups.at(request["spec"]["linux"].get("cgroupsPath", ""))
        found.own_processes = request.get("own_processes", True)
        self.all[id] = found
        self._group.spawn(self._live(found, readers), f"container/{id[:12]}")
        return found

    async def _run(self, id: str, bundle: Path, streams: console.Console) -> int:
        if not streams.tty:
            return await self._program.run(id, bundle, streams.stdio)
        async with tasks.Group("terminal") as group:
            taken = group.spawn(streams.terminal(), "taken")
            try:
                pid = await self._program.run(id, bundle, streams.stdio, streams.socket)
                await taken
            finally:
                taken.cancel()
        return pid

    async def _live(
        self, found: Container, readers: list[tuple[int, asyncio.StreamReader]]
    ) -> None:
        """From its start to its end. A fault of what is beside it ends nothing: all containers of
        the node are the shim's.
        """

        async def sink(kind: int, data: bytes) -> None:
            if found.log is not None:
                with _surviving(found):
                    found.log.write("stderr" if kind == frames.ERROR else "stdout", data)
            for listener in list(found.listeners):
                with _surviving(found):
                    await listener(kind, data)

        async def carry(kind: int, reader: asyncio.StreamReader) -> None:
            with _surviving(found):
                await console.carry(kind, reader, sink)

        async with tasks.Group(found.id[:12]) as group:
            carried = [
                group.spawn(carry(kind, reader), f"output/{kind}") for kind, reader in readers
            ]
            code = await self._reaper.end_of(found.pid)
            if not found.own_processes:
                cgroups.kill(found.place)
            await waiting.settled(carried, DRAIN_SECONDS)
            group.cancel()
        self._ended(found, code)
        with _surviving(found), contextlib.suppress(Failed):
            await self._program.delete(found.id)

    def _ended(self, found: Container, code: int) -> None:
        found.code, found.finished = code, self._now()
        with _surviving(found):
            found.oom = cgroups.oom_kills(found.place) > 0
        if found.log is not None:
            with _surviving(found):
                found.log.close()
                if code:
                    last = logs.part(found.log.kept, -_TAIL, _TAIL)
                    found.tail = last.data.decode(errors="replace")
        with _surviving(found):
            found.console.close()
        found.listeners.clear()
        found.ended.set()
        self._listener(found.told())

    async def kill(self, id: str, number: int) -> None:
        """Send its first process a signal. Failed."""
        found = self.get(id)
        if found.code is not None:
            return
        if number == signal.SIGKILL and not found.own_processes:
            cgroups.kill(found.place)
        with contextlib.suppress(ProcessLookupError):
            os.kill(found.pid, number)

    async def update(self, id: str, resources: Mapping[str, Any]) -> None:
        """Change what it may use. Failed."""
        await self._program.update(id, resources, self.get(id).bundle)

    async def delete(self, id: str) -> None:
        """End it, and forget all of it; one that is not here is no error."""
        found = self.all.get(id)
        if found is not None and found.code is None:
            await self.kill(id, signal.SIGKILL)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_END_SECONDS):
                    await found.ended.wait()
        await self._clear(id)
        self.all.pop(id, None)
        wire = self._wires.pop(id, None)
        if wire is not None:
            os.close(wire[0])
        if found is not None and found.log is not None:
            self.following.removed(id, found.log)
        bundle = self.bundle(id)
        with contextlib.suppress(OSError):
            kernel.unmount(str(bundle / "shm"))
        self._memory.clear(id)
        self._roots.remove(bundle)

    async def clear(self) -> None:
        """End and forget all that is here, known or left by an earlier shim."""
        left = [path.name for path in self._folder.glob("*")] if self._folder.exists() else []
        for name in [*self.all, *left]:
            await self.delete(name)
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _clear(self, id: str) -> None:
        with contextlib.suppress(Failed):
            await self._program.delete(id)


@contextlib.contextmanager
def _surviving(found: Container) -> Iterator[None]:
    """A fault ends neither the container nor the shim; the first is told in the shim's log."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  (whatever it is)
        if not found.faulty:
            found.faulty = True
            error.add_note(f"beside container {found.id}, which goes on")
            traceback.print_exception(error)


def _read(root: Path, name: str) -> str:
    """A small file of a root. No link is followed out of it: none at all is."""
    path = root
    for part in name.split("/"):
        path = path / part
        if path.is_symlink():
            return ""
    try:
        with path.open("rb") as file:
            return file.read(1 << 20).decode(errors="replace")
    except OSError:
        return ""
