"""A runtime that speaks CRI and nothing else, with what kubemu's own does beside it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

from cluster.aio import rpc
from cluster.kubelet.cri import Cri
from cluster.kubelet.foreign import logfiles, streams
from cluster.pb.cluster.v1 import streaming_pb2
from cluster.pb.cri.v1 import api_pb2 as pb

_CHUNK: Final = 256 << 10


class Foreign:
    """Takes the place of cluster.v1.Streaming and fills answers up; `cri` makes the calls."""

    def __init__(self, cri: Cri) -> None:
        self._cri = cri
        self._logs = logfiles.LogFiles()
        self._paths: dict[str, str] = {}

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
        asked = pb.ContainerStatusRequest(container_id=request.container_id)
        status = (await self._cri.container_status(asked)).status
        limit = min(request.limit or _CHUNK, _CHUNK)
        # The state is older than the bytes: what an ended container said is in its file.
        part = self._logs.read(status.log_path, request.offset, limit)
        return streaming_pb2.ReadLogResponse(
            data=part.data,
            offset=part.offset,
            start=part.start,
            end=part.end,
            ended=status.state == pb.CONTAINER_EXITED,
        )

    @staticmethod
    def make_folder(request: pb.CreateContainerRequest) -> None:
        """Make the folder of a container's log: runtimes expect it. rpc.Failure."""
        folder, name = request.sandbox_config.log_directory, request.config.log_path
        if folder and name:
            try:
                Path(folder, name).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            except OSError as error:
                whose = f'container "{request.config.metadata.name}"'
                text = f"create container log directory for {whose} failed: {error}"
                raise rpc.Failure("UNKNOWN", text) from error

    async def log_path(self, container: str) -> str:
        """Where a container's log is; "" where the runtime does not know it any more."""
        request = pb.ContainerStatusRequest(container_id=container)
        try:
            return str((await self._cri.container_status(request)).status.log_path)
        except rpc.Failure as failure:
            if failure.code == "NOT_FOUND":
                return ""
            raise

    def remove_log(self, path: str) -> None:
        """The container is gone: so is its log."""
        if path:
            self._logs.forget(path)
            logfiles.remove(path)

    async def containers(self, sandbox: str) -> list[pb.ContainerStatus]:
        """The statuses of a sandbox's containers, for who does not tell them with the sandbox's."""
        wanted = pb.ContainerFilter(pod_sandbox_id=sandbox)
        listed = await self._cri.list_containers(pb.ListContainersRequest(filter=wanted))
        found = []
        for one in listed.containers:
            request = pb.ContainerStatusRequest(container_id=one.id)
            try:
                found.append((await self._cri.container_status(request)).status)
            except rpc.Failure as failure:
                if failure.code != "NOT_FOUND":
                    raise
        return found
