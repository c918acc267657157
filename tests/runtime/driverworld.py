"""A runtime with either driver, for tests that hold for both."""

import asyncio
import contextlib
import hashlib
import io
import os
import random
import shutil
import tarfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.aio import clock
from cluster.pb.cluster.v1 import kubelet_pb2 as kubelet
from cluster.pb.cluster.v1 import streaming_pb2 as streams
from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime.config import Config, LogFiles
from cluster.runtime.oci import facts, leaving
from cluster.runtime.oci.settings import Settings
from cluster.runtime.service import CriService

CIDR = "10.244.9.0/24"
_NAMES = """
sh sleep echo cat ls ln id hostname head dd tail env touch mkdir rm wc seq yes nc ps test kill
mount stat grep
"""
APPLETS = _NAMES.split()
DEADLINE = 20.0
PASSWD = "root:x:0:0:root:/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n"
GROUP = "root:x:0:\nstaff:x:50:app\n"


def lacking() -> str:
    """Why the oci driver cannot be tried here; "" where it can."""
    found = facts.look()
    if not found.program:
        return "neither crun nor runc is here (apt install crun runc)"
    if not found.mapped:
        return "who is not root needs newuidmap and a range in /etc/subuid (apt install uidmap)"
    if busybox() is None:
        return "there is no busybox (apt install busybox-static)"
    return found.problem()


def busybox() -> str | None:
    return shutil.which("busybox")


def layer(path: Path, files: Mapping[str, str] | None = None) -> tuple[str, str]:
    """A layer with busybox, or with these files: digest and path."""
    with tarfile.open(path, "w") as archive:
        for name, text in (files or {}).items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(text), 0o644
            archive.addfile(member, io.BytesIO(text.encode()))
        if files is None:
            _busybox(archive)
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}", str(path)


def _busybox(archive: tarfile.TarFile) -> None:
    program = Path(busybox() or "").read_bytes()
    member = tarfile.TarInfo("bin/busybox")
    member.size, member.mode = len(program), 0o755
    archive.addfile(member, io.BytesIO(program))
    for name in APPLETS:
        link = tarfile.TarInfo(f"bin/{name}")
        link.type, link.linkname = tarfile.SYMTYPE, "busybox"
        archive.addfile(link)
    for name, text in (("passwd", PASSWD), ("group", GROUP)):
        file = tarfile.TarInfo(f"etc/{name}")
        file.size, file.mode = len(text), 0o644
        archive.addfile(file, io.BytesIO(text.encode()))
    folder = tarfile.TarInfo("tmp")
    folder.type, folder.mode = tarfile.DIRTYPE, 0o1777
    archive.addfile(folder)


@contextlib.contextmanager
def null_stays() -> Iterator[None]:
    """The machine's /dev/null is whose it was, and is made so again in any case."""
    before = Path(os.devnull).stat()
    try:
        yield
        after = Path(os.devnull).stat()
        assert (after.st_uid, after.st_gid, after.st_mode) == (
            before.st_uid, before.st_gid, before.st_mode,
        )  # fmt: skip
    finally:
        if os.geteuid() == 0:
            os.chown(os.devnull, before.st_uid, before.st_gid)


@dataclass(frozen=True)
class Pulled:
    """An image of a registry."""

    layers: tuple[tuple[str, str], ...]
    config: Mapping[str, Any]
    id: str = "sha256:" + "1" * 64
    name: str = "localhost:5000/busybox:1"
    digest: str = "sha256:" + "2" * 64
    size: int = 1

    def files(self):
        return iter(())


class Registries:
    """Serves one image by any name of localhost:5000."""

    def __init__(self, image: Pulled) -> None:
        self._image = image

    def serves(self, reference) -> bool:
        return reference.host == "localhost:5000"

    def find(self, name: str):
        return self._image if name.startswith(("localhost:5000/", "sha256:1")) else None

    def all(self):
        return [self._image]

    async def pull(self, reference, username, password):
        return self._image

    async def remove(self, id: str) -> None:
        """It stays."""


class World:
    """A runtime, and one sandbox in it."""

    def __init__(self, kind: str, folder: Path, **settings: Any) -> None:
        self.kind = kind
        self.folder = folder
        registries, self.oci = None, None
        self.image = "busybox"
        if kind == "oci":
            self.image = "localhost:5000/busybox:1"
            blob = folder / "layer.tar"
            config = {"config": {"Env": ["PATH=/bin", "FROM=image"], "StopSignal": "SIGTERM"}}
            registries = Registries(Pulled((layer(blob),), config))
            self.oci = folder / "oci"
            keep = settings.get("on_restart") == "resume"
            settings["oci"] = Settings(self.oci, facts.look(), keep=keep)
        settings.setdefault("pod_cidr", CIDR)
        config = Config(log_files=LogFiles(), volumes_on_disk=True, **settings)
        self.cri = CriService(
            config, clock=clock.SystemClock(), random=random.Random(os.urandom(8)),
            registries=registries,
        )  # fmt: skip
        self.sandbox = ""

    async def open(self, **config: Any) -> None:
        await self.cri.recover()
        if not self.sandbox:
            self.sandbox = await self.box("p", **config)

    async def box(self, name: str, **config: Any) -> str:
        made = pb.PodSandboxConfig(
            metadata=pb.PodSandboxMetadata(name=name, namespace="d", uid=f"u-{name}"),
            hostname=name,
            log_directory=str(self.folder / f"logs-{name}"),
            dns_config=pb.DNSConfig(servers=["10.96.0.10"], searches=["svc.cluster.local"]),
            **config,
        )
        if "linux" not in config:
            made.linux.security_context.namespace_options.pid = pb.CONTAINER
        request = pb.RunPodSandboxRequest(config=made)
        return str((await self.cri.run_pod_sandbox(request)).pod_sandbox_id)

    async def end(self) -> None:
        self.cri.close()
        await asyncio.sleep(0)
        if self.oci is not None:
            assert await leaving.end([self.oci], DEADLINE) == []

    async def make(self, name: str, *command: str, attempt: int = 0, **config: Any) -> str:
        await self.cri.pull_image(pb.PullImageRequest(image=pb.ImageSpec(image=self.image)))
        made = pb.ContainerConfig(
            metadata=pb.ContainerMetadata(name=name, attempt=attempt),
            image=pb.ImageSpec(image=self.image),
            command=command,
            log_path=f"{name}/{attempt}.log",
            **config,
        )
        if "linux" not in config:
            made.linux.security_context.namespace_options.pid = pb.CONTAINER
        request = pb.CreateContainerRequest(pod_sandbox_id=self.sandbox, config=made)
        return str((await self.cri.create_container(request)).container_id)

    async def begin(self, name: str, *command: str, **config: Any) -> str:
        made = await self.make(name, *command, **config)
        await self.cri.start_container(pb.StartContainerRequest(container_id=made))
        return made

    async def status(self, made: str) -> pb.ContainerStatus:
        request = pb.ContainerStatusRequest(container_id=made)
        return (await self.cri.container_status(request)).status

    async def ended(self, made: str) -> pb.ContainerStatus:
        async with asyncio.timeout(DEADLINE):
            while (found := await self.status(made)).state != pb.CONTAINER_EXITED:
                await asyncio.sleep(0.01)
        return found

    async def run(self, name: str, *command: str, **config: Any) -> tuple[int, list[str]]:
        """Exit code, and what is in the log: stream and text of each line."""
        made = await self.begin(name, *command, **config)
        code = (await self.ended(made)).exit_code
        return code, await self.log(made)

    async def log(self, made: str) -> list[str]:
        answer = await self.cri.read_log(streams.ReadLogRequest(container_id=made))
        found = []
        for line in answer.data.decode().splitlines():
            _, stream, _, text = line.split(" ", 3)
            found.append(f"{stream} {text}")
        return found

    async def said(self, made: str, wanted: str) -> None:
        """Wait until a line is in the log."""
        async with asyncio.timeout(DEADLINE):
            while wanted not in await self.log(made):
                await asyncio.sleep(0.01)

    async def exec(self, made: str, *command: str, timeout: int = 10) -> pb.ExecSyncResponse:
        request = pb.ExecSyncRequest(container_id=made, cmd=command, timeout=timeout)
        return await self.cri.exec_sync(request)

    async def stop(self, made: str, timeout: int) -> pb.ContainerStatus:
        await self.cri.stop_container(pb.StopContainerRequest(container_id=made, timeout=timeout))
        return await self.status(made)

    async def session(
        self, made: str, command: Sequence[str], typed: Sequence[bytes], **start: Any
    ) -> tuple[bytes, bytes, int, str]:
        """An exec with streams: stdout, stderr, exit code, error."""

        async def inputs() -> AsyncIterator[kubelet.StreamInput]:
            begun = kubelet.StreamStart(
                container=kubelet.ContainerRef(container=made), command=command, stdout=True,
                stdin=bool(typed), **start,
            )  # fmt: skip
            yield kubelet.StreamInput(start=begun)
            for one in typed:
                yield kubelet.StreamInput(stdin=one)
            yield kubelet.StreamInput(stdin_closed=True)

        out, err = b"", b""
        async for one in await self.cri.stream_exec(inputs()):
            out, err = out + one.stdout, err + one.stderr
            if one.WhichOneof("output") == "exit":
                return out, err, one.exit.code, one.exit.error
        raise AssertionError("it did not end")

    async def attached(self, made: str, typed: bytes) -> list[int]:
        """An attach whose client types this and no more: the exit codes that it is told."""

        async def inputs() -> AsyncIterator[kubelet.StreamInput]:
            container = kubelet.ContainerRef(container=made)
            start = kubelet.StreamStart(container=container, stdin=True, stdout=True)
            yield kubelet.StreamInput(start=start)
            yield kubelet.StreamInput(stdin=typed)
            yield kubelet.StreamInput(stdin_closed=True)

        async with asyncio.timeout(DEADLINE):
            outputs = await self.cri.stream_attach(inputs())
            return [one.exit.code async for one in outputs if one.WhichOneof("output") == "exit"]
