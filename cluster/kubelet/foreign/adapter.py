"""A runtime that speaks CRI and nothing else, with what kubemu's own does beside it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

from cluster.aio import rpc
from cluster.kubelet.cri import Cri
from cluster.kubelet.foreign import endings, following, logfiles, streams
from cluster.pb.cluster.v1 import streaming_pb2
from cluster.pb.cri.v1 import api_pb2 as pb

_CHUNK: Final = 256 << 10
_STATE: Final = 1.0
"""Seconds between two questions whether a container runs whose log is followed. Kubernetes waits
five (stateCheckPeriod of pkg/kubelet/kuberuntime/logs).
"""
_FLOOR: Final = "memory.min"
"""Only a kubelet with MemoryQoS asks for it, and runc refuses it on cgroups of version 1."""

# pkg/securitycontext: what a container with the usual procMount does not see, and cannot write.
_MASKED: Final = (
    "/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys",
    "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
    "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap",
)  # fmt: skip
_READ_ONLY: Final = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


class Foreign:
    """Takes the place of cluster.v1.Streaming and fills answers up; `cri` makes the calls.

    `root` is the kubelet's `--root-dir`: what containers say when they end is kept there.
    """

    def __init__(self, cri: Cri, root: str = "") -> None:
        self._cri = cri
        self._root = root
        self._logs = logfiles.LogFiles()
        self._following = following.Following(self._logs)

    async def stream_exec(self, inputs: AsyncIterator[Any]) -> AsyncIterator[Any]:
        """See `cri.Cri`."""
        return await streams.run(self._cri, inputs)

    async def stream_attach(self, inputs: AsyncIterator[Any]) -> AsyncIterator[Any]:
        """See `cri.Cri`."""
        return await streams.attach(self._cri, inputs)

    async def stream_port_forward(self, inputs: AsyncIterator[Any]) -> AsyncIterator[Any]:
        """See `cri.Cri`."""
        return await streams.port_forward(self._cri, inputs)

    async def read_log(
        self, request: streaming_pb2.ReadLogRequest
    ) -> streaming_pb2.ReadLogResponse:
        """See `cri.Cri`: out of the file that the runtime writes."""
        loop = asyncio.get_running_loop()
        wait = min(max(request.wait_seconds, 0), following.MOST_SECONDS)
        until = loop.time() + wait
        if wait:
            self._following.came(request.container_id, until)
        while True:
            path, answer = await self._part(request)
            left = until - loop.time()
            if answer.data or answer.ended or left <= 0:
                return answer
            await self._following.grown(path, min(_STATE, left))

    async def _part(
        self, request: streaming_pb2.ReadLogRequest
    ) -> tuple[str, streaming_pb2.ReadLogResponse]:
        """The path of a log, and what it has of what was asked for. rpc.Failure."""
        asked = pb.ContainerStatusRequest(container_id=request.container_id)
        try:
            status = (await self._cri.container_status(asked)).status
            path, ended = status.log_path, status.state == pb.CONTAINER_EXITED
        except rpc.Failure as failure:
            path, ended = self._following.held(request.container_id), True
            if failure.code != "NOT_FOUND" or not path:
                raise
        limit = min(request.limit or _CHUNK, _CHUNK)
        # The state is older than the bytes: what an ended container said is in its file.
        part = self._logs.read(path, request.offset, limit)
        return path, streaming_pb2.ReadLogResponse(
            data=part.data, offset=part.offset, start=part.start, end=part.end, ended=ended
        )

    def removing(self, status: pb.ContainerStatus) -> None:
        """A container is about to be removed: who follows its log is to read it to its end."""
        if status.log_path:
            self._following.removing(status.id, status.log_path)

    def prepared(self, request: pb.CreateContainerRequest) -> pb.CreateContainerRequest:
        """Make the folder of a container's log, which runtimes expect, and the file of its last
        message; the request that mounts it. rpc.Failure.
        """
        self._make_folder(request)
        made = pb.CreateContainerRequest()
        made.CopyFrom(request)
        if made.config.HasField("linux"):
            made.config.linux.resources.unified.pop(_FLOOR, None)
        _hide(made.config.linux.security_context)
        try:
            endings.mount(self._root, made)
            return made
        except OSError as error:
            whose = f'container "{request.config.metadata.name}"'
            text = f"create termination-log file for {whose} failed: {error}"
            raise rpc.Failure("UNKNOWN", text) from error

    @staticmethod
    def resized(
        request: pb.UpdateContainerResourcesRequest,
    ) -> pb.UpdateContainerResourcesRequest:
        """The request without what such runtimes may refuse."""
        made = pb.UpdateContainerResourcesRequest()
        made.CopyFrom(request)
        made.linux.unified.pop(_FLOOR, None)
        return made

    @staticmethod
    def _make_folder(request: pb.CreateContainerRequest) -> None:
        folder, name = request.sandbox_config.log_directory, request.config.log_path
        if folder and name:
            try:
                Path(folder, name).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            except OSError as error:
                whose = f'container "{request.config.metadata.name}"'
                text = f"create container log directory for {whose} failed: {error}"
                raise rpc.Failure("UNKNOWN", text) from error

    async def status(self, container: str) -> pb.ContainerStatus:
        """What the runtime says of a container; nothing where it does not know it any more."""
        request = pb.ContainerStatusRequest(container_id=container)
        try:
            return (await self._cri.container_status(request)).status
        except rpc.Failure as failure:
            if failure.code == "NOT_FOUND":
                return pb.ContainerStatus()
            raise

    def remove_files(self, status: pb.ContainerStatus) -> None:
        """A container is gone: so are its log and its message. rpc.Failure where they stay."""
        if status.log_path and not self._following.held(status.id):
            self._logs.forget(status.log_path)
        message = endings.file_of(self._root, status)
        try:
            if status.log_path:
                logfiles.remove(status.log_path)
            if message:
                Path(message).unlink(missing_ok=True)
        except OSError as error:
            text = f'failed to remove the files of container "{status.id}": {error}'
            raise rpc.Failure("UNKNOWN", text) from error

    async def containers(self, sandbox: str) -> list[pb.ContainerStatus]:
        """The statuses of a sandbox's containers, for who does not tell them with the sandbox's."""
        wanted = pb.ContainerFilter(pod_sandbox_id=sandbox)
        listed = await self._cri.list_containers(pb.ListContainersRequest(filter=wanted))
        found = []
        for one in listed.containers:
            status = await self.status(one.id)
            if status.id:
                endings.tell(self._root, status)
                found.append(status)
        return found


def _hide(context: pb.LinuxContainerSecurityContext) -> None:
    """Other runtimes hide of the machine what they are told to; kubemu's own knows it."""
    if not context.privileged and not context.masked_paths and not context.readonly_paths:
        context.masked_paths.extend(_MASKED)
        context.readonly_paths.extend(_READ_ONLY)
