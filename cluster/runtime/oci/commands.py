"""Runs single commands in images, for who builds images: RUN of a Dockerfile.

A command has its image's files and a layer of its own upon them, the machine's network, and
otherwise namespaces and rights as a pod's container has them. It ends with who wanted it.
"""

import asyncio
import contextlib
import random as randoms
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cluster.aio import rpc
from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime.config import Unusable
from cluster.runtime.oci import facts, faults, frames, leaving, link, spec, users
from cluster.runtime.oci.settings import Settings

HOST_NAME: Final = "buildkitsandbox"
"""What BuildKit calls the machine of a RUN."""
_ELSEWHERE: Final = "or build the image elsewhere and kubemu image load it"
_PREPARE_SECONDS: Final = 600.0
_END_SECONDS: Final = 15.0
_OLD_SECONDS: Final = 3600.0
_HOSTS: Final = b"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
_NOT_THE_IMAGES: Final = ("/dev", "/proc", "/sys", "/etc/hosts", "/etc/resolv.conf")
"""Where a command finds what is no part of its image."""


class Failed(Exception):
    """It cannot be run, or has failed; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class Order:
    """A command. `layers` are digests and paths, the lowest first; `user` is as USER has it."""

    layers: Sequence[tuple[str, str]]
    argv: Sequence[str]
    environment: Mapping[str, str]
    directory: str = "/"
    user: str = ""


Say = Callable[[bytes], None]


class Commands:
    """Runs commands, one after another, in a folder of its own."""

    def __init__(self, folder: Path, machine: facts.Facts, random: randoms.Random) -> None:
        self._folder = folder
        self._facts = machine
        self._random = random
        self._link = link.Link(Settings(folder, machine), lambda _told: None, lambda: None)

    async def open(self) -> None:
        """Be ready. Failed."""
        try:
            await self._link.open()
        except Unusable as error:
            raise Failed(str(error)) from error
        for name, content in (("hosts", _HOSTS), ("resolv.conf", _resolvers())):
            (self._folder / name).write_bytes(content)
            (self._folder / name).chmod(0o644)

    async def close(self) -> None:
        """End what runs, and remove everything."""
        with contextlib.suppress(rpc.Failure, link.Refused):
            await self._link.ask("forget", kept=[])  # what is in layers may be other users'
        self._link.close(end=True)
        await leaving.end([self._folder], _END_SECONDS)

    async def run(self, order: Order, target: Path, epoch: int, say: Say) -> int:
        """Run a command; its exit code. Where it is 0, what it changed is a tar at `target`, with
        `epoch` as the time of all. Failed.
        """
        name = f"{self._random.getrandbits(256):064x}"
        try:
            made = await self._link.ask(
                "create", _PREPARE_SECONDS, id=name,
                layers=[{"digest": digest, "path": path} for digest, path in order.layers],
            )  # fmt: skip
            try:
                code = await self._ran(name, self._spec(name, order, made), say)
                if code == 0:
                    await self._link.ask(
                        "pack", _PREPARE_SECONDS, id=name, path=str(target), epoch=epoch,
                        without=list(_NOT_THE_IMAGES),
                    )  # fmt: skip
            finally:
                await self._link.ask("delete", id=name)
        except (link.Refused, users.Unknown) as error:
            raise Failed(faults.starting(str(error), order.argv[0])) from error
        except (rpc.Failure, frames.Broken) as error:
            raise Failed(f"it cannot be run: {error}") from error
        return code

    async def _ran(self, id: str, made: Mapping[str, Any], say: Say) -> int:
        async with self._link.stream("run", id=id, spec=made) as (_, reader, _writer):
            while (frame := await frames.read(reader)) is not None:
                kind, data = frame
                if kind == frames.JSON:
                    return int(frames.loads(data)["code"])
                say(data)
        raise Failed("the shim of the oci driver went")

    def _spec(self, id: str, order: Order, made: Mapping[str, str]) -> dict[str, Any]:
        config = pb.ContainerConfig(
            command=order.argv, working_dir=order.directory,
            envs=[pb.KeyValue(key=key, value=value) for key, value in order.environment.items()],
        )  # fmt: skip
        box = pb.PodSandboxConfig(hostname=HOST_NAME)
        options = box.linux.security_context.namespace_options
        options.network = options.ipc = pb.NODE
        bundle = self._folder / "containers" / id
        around = spec.Surroundings(
            root=str(bundle / "rootfs"), sandbox_pid=0, cgroup=self._cgroup(id),
            identity=users.identity(
                pb.LinuxContainerSecurityContext(), order.user, made["passwd"], made["group"]
            ),
            own_files=[(f"/etc/{name}", str(self._folder / name))
                       for name in ("hosts", "resolv.conf")],
        )  # fmt: skip
        found = spec.container(config, box, self._facts, around)
        # It joins no pod: what it does not have of the machine is its own.
        found["hostname"] = HOST_NAME
        found["linux"]["namespaces"] += [{"type": "ipc"}, {"type": "uts"}]
        shared = ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]
        found["mounts"].append(
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": shared}
        )
        return found

    def _cgroup(self, id: str) -> str:
        return f"{self._link.cgroup}/{id}" if self._link.cgroup else ""


@contextlib.asynccontextmanager
async def opened(parent: Path, random: randoms.Random, now: float) -> AsyncIterator[Commands]:
    """What runs commands, in a folder below `parent` that goes at the end. `now`: seconds since
    1970. Failed.
    """
    machine = facts.look()
    problem = machine.problem(_ELSEWHERE)
    if problem:
        raise Failed(problem)
    folder = _folder(parent, now)
    found = Commands(folder, machine, random)
    try:
        await found.open()
        yield found
    finally:
        await asyncio.shield(found.close())
        shutil.rmtree(folder, ignore_errors=True)


def _folder(parent: Path, now: float) -> Path:
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.glob("run-*"):  # of a build that was killed
        with contextlib.suppress(OSError):
            if now - left.stat().st_mtime > _OLD_SECONDS and not leaving.running(left):
                shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix="run-", dir=parent))


def _resolvers() -> bytes:
    try:
        return Path("/etc/resolv.conf").read_bytes()
    except OSError:
        return b""
