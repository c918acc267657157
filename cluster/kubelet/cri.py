"""The container runtime, as the kubelet sees it: CRI v1, and what its messages say of a pod.

`Cri` is a runtime's service object in the same process, or `grpc_cri.GrpcCri` across the wire.
Failures are `aio.rpc.Failure`; UNAVAILABLE means that the runtime could not be reached.
"""
# ruff: noqa: D102  (cri/v1/api.proto says what each call does)

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Final, Protocol, runtime_checkable

from cluster.aio import rpc
from cluster.kubelet.lifecycle.model import Container, Sandbox, Seen, State
from cluster.pb.cluster.v1 import kubelet_pb2 as streams
from cluster.pb.cluster.v1 import streaming_pb2
from cluster.pb.cri.v1 import api_pb2 as pb

OURS: Final = "kubemu"
"""The name of a runtime that streams by cluster.v1.Streaming, and turns its logs over itself."""
UNREACHABLE: Final = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED")
"""Codes that say nothing about what was asked for: the runtime could not be reached."""
READY_AFTER: Final = "kubemu.dev/ready-after"
"""By which a runtime says how long after its start a container is ready."""
VARIES: Final = "kubemu.dev/varies"
"""By which it says that the memory or the storage that a container uses changes by itself."""
EMULATED: Final = "kubemu.dev/emulated"
"""By which it says, to who asks verbosely for an image, that it needs no registry for it."""
POD_NAME: Final = "io.kubernetes.pod.name"
POD_NAMESPACE: Final = "io.kubernetes.pod.namespace"
POD_UID: Final = "io.kubernetes.pod.uid"
CONTAINER_NAME: Final = "io.kubernetes.container.name"
SPEC_IMAGE: Final = "io.kubernetes.container.hash"
"""What a running container is compared by with its spec: the image, as the pod names it."""


class Cri(Protocol):
    """The calls of RuntimeService and ImageService that a kubelet makes."""

    async def version(self, request: pb.VersionRequest, /) -> pb.VersionResponse: ...
    async def status(self, request: pb.StatusRequest, /) -> pb.StatusResponse: ...
    async def update_runtime_config(
        self, request: pb.UpdateRuntimeConfigRequest, /
    ) -> pb.UpdateRuntimeConfigResponse: ...
    async def run_pod_sandbox(
        self, request: pb.RunPodSandboxRequest, /
    ) -> pb.RunPodSandboxResponse: ...
    async def stop_pod_sandbox(
        self, request: pb.StopPodSandboxRequest, /
    ) -> pb.StopPodSandboxResponse: ...
    async def remove_pod_sandbox(
        self, request: pb.RemovePodSandboxRequest, /
    ) -> pb.RemovePodSandboxResponse: ...
    async def pod_sandbox_status(
        self, request: pb.PodSandboxStatusRequest, /
    ) -> pb.PodSandboxStatusResponse: ...
    async def list_pod_sandbox(
        self, request: pb.ListPodSandboxRequest, /
    ) -> pb.ListPodSandboxResponse: ...
    async def create_container(
        self, request: pb.CreateContainerRequest, /
    ) -> pb.CreateContainerResponse: ...
    async def start_container(
        self, request: pb.StartContainerRequest, /
    ) -> pb.StartContainerResponse: ...
    async def stop_container(
        self, request: pb.StopContainerRequest, /
    ) -> pb.StopContainerResponse: ...
    async def update_container_resources(
        self, request: pb.UpdateContainerResourcesRequest, /
    ) -> pb.UpdateContainerResourcesResponse: ...
    async def remove_container(
        self, request: pb.RemoveContainerRequest, /
    ) -> pb.RemoveContainerResponse: ...
    async def list_containers(
        self, request: pb.ListContainersRequest, /
    ) -> pb.ListContainersResponse: ...
    async def list_container_stats(
        self, request: pb.ListContainerStatsRequest, /
    ) -> pb.ListContainerStatsResponse: ...
    async def list_pod_sandbox_stats(
        self, request: pb.ListPodSandboxStatsRequest, /
    ) -> pb.ListPodSandboxStatsResponse: ...
    async def get_container_events(
        self, request: pb.GetEventsRequest, /
    ) -> AsyncIterator[pb.ContainerEventResponse]:
        """Everything that happens from the moment this returns."""
        ...

    async def container_status(
        self, request: pb.ContainerStatusRequest, /
    ) -> pb.ContainerStatusResponse: ...
    async def reopen_container_log(
        self, request: pb.ReopenContainerLogRequest, /
    ) -> pb.ReopenContainerLogResponse: ...
    async def exec(self, request: pb.ExecRequest, /) -> pb.ExecResponse: ...
    async def attach(self, request: pb.AttachRequest, /) -> pb.AttachResponse: ...
    async def port_forward(self, request: pb.PortForwardRequest, /) -> pb.PortForwardResponse: ...
    async def exec_sync(self, request: pb.ExecSyncRequest, /) -> pb.ExecSyncResponse: ...

    async def stream_exec(
        self, inputs: AsyncIterator[streams.StreamInput], /
    ) -> AsyncIterator[streams.StreamOutput]: ...
    async def stream_attach(
        self, inputs: AsyncIterator[streams.StreamInput], /
    ) -> AsyncIterator[streams.StreamOutput]: ...
    async def stream_port_forward(
        self, inputs: AsyncIterator[streams.PortForwardInput], /
    ) -> AsyncIterator[streams.PortForwardOutput]: ...
    async def read_log(
        self, request: streaming_pb2.ReadLogRequest, /
    ) -> streaming_pb2.ReadLogResponse:
        """These four are cluster.v1.Streaming; another runtime answers UNIMPLEMENTED."""
        ...

    async def image_status(self, request: pb.ImageStatusRequest, /) -> pb.ImageStatusResponse: ...
    async def pull_image(self, request: pb.PullImageRequest, /) -> pb.PullImageResponse: ...
    async def list_images(self, request: pb.ListImagesRequest, /) -> pb.ListImagesResponse: ...
    async def remove_image(self, request: pb.RemoveImageRequest, /) -> pb.RemoveImageResponse: ...
    async def image_fs_info(self, request: pb.ImageFsInfoRequest, /) -> pb.ImageFsInfoResponse: ...


@runtime_checkable
class EventSource(Protocol):
    """A runtime in the same process: it calls, where another one streams."""

    def on_event(self, listener: Callable[[str, int], None]) -> None:
        """Call `listener(pod uid, time in nanoseconds)` for each event, from now on."""
        ...


Listing = tuple[dict[str, list[pb.PodSandbox]], dict[str, frozenset[tuple[str, int]]]]
"""What a runtime has, by uid of pod: sandboxes, and `Seen.states` of them."""


class Lister:
    """Lists a runtime, and knows an answer again: one in the same process gives it twice."""

    def __init__(self, cri: Cri) -> None:
        self._cri = cri
        self._listed: pb.ListPodSandboxResponse | None = None
        self._inside: pb.ListContainersResponse | None = None
        self._found: Listing = {}, {}

    async def listing(self) -> Listing:
        """What the runtime has: read-only. rpc.Failure."""
        listed = await self._cri.list_pod_sandbox(pb.ListPodSandboxRequest())
        inside = await self._cri.list_containers(pb.ListContainersRequest())
        if listed is not self._listed or inside is not self._inside:
            self._found = _by_pod(listed, inside)
            self._listed, self._inside = listed, inside
        return self._found


def _by_pod(listed: pb.ListPodSandboxResponse, inside: pb.ListContainersResponse) -> Listing:
    containers: dict[str, list[tuple[str, int]]] = {}
    for one in inside.containers:
        containers.setdefault(one.pod_sandbox_id, []).append((one.id, int(one.state)))
    sandboxes: dict[str, list[pb.PodSandbox]] = {}
    states: dict[str, list[tuple[str, int]]] = {}
    for sandbox in listed.items:
        uid = sandbox.labels.get(POD_UID) or sandbox.metadata.uid
        sandboxes.setdefault(uid, []).append(sandbox)
        ready = int(sandbox.state == pb.SANDBOX_READY)
        states.setdefault(uid, []).append((sandbox.id, ready))
        states[uid] += containers.get(sandbox.id, ())
    return sandboxes, {uid: frozenset(found) for uid, found in states.items()}


async def look(cri: Cri, sandboxes: Iterable[str]) -> Seen:
    """What the runtime has of one pod, asked by the ids of its sandboxes. rpc.Failure.

    A sandbox that is gone is no failure: it may go while the runtime is being asked.
    """
    answers: list[pb.PodSandboxStatusResponse] = []
    for id in sandboxes:  # noqa: A001
        try:
            request = pb.PodSandboxStatusRequest(pod_sandbox_id=id)
            answers.append(await cri.pod_sandbox_status(request))
        except rpc.Failure as failure:
            if failure.code != "NOT_FOUND":
                raise
    return seen_of(answers)


async def sandboxes_of(cri: Cri, uid: str) -> list[str]:
    """The ids of the sandboxes that the runtime has of a pod. rpc.Failure."""
    selector = pb.PodSandboxFilter(label_selector={POD_UID: uid})
    listed = await cri.list_pod_sandbox(pb.ListPodSandboxRequest(filter=selector))
    return [one.id for one in listed.items]


def seen_of(answers: Iterable[pb.PodSandboxStatusResponse]) -> Seen:
    """What the runtime has of one pod: the statuses of all its sandboxes."""
    sandboxes: list[Sandbox] = []
    containers: list[Container] = []
    at = 0
    for answer in answers:
        sandboxes.append(_sandbox(answer.status))
        containers += [_container(one, answer.status.id) for one in answer.containers_statuses]
        at = max(at, answer.timestamp)
    if len(sandboxes) > 1:
        sandboxes.sort(key=lambda one: -one.attempt)
    if len(containers) > 1:
        containers.sort(key=lambda one: -one.attempt)
    return Seen(tuple(sandboxes), tuple(containers), at)


def _sandbox(status: pb.PodSandboxStatus) -> Sandbox:
    network = status.network
    addresses = (network.ip, *(one.ip for one in network.additional_ips)) if network.ip else ()
    ready = status.state == pb.SANDBOX_READY
    return Sandbox(status.id, status.metadata.attempt, ready, addresses)


def _container(status: pb.ContainerStatus, sandbox: str) -> Container:
    return Container(
        id=status.id,
        sandbox=sandbox,
        name=status.metadata.name,
        attempt=status.metadata.attempt,
        state=State(status.state),
        started=status.started_at / 1e9,
        finished=status.finished_at / 1e9,
        exit_code=status.exit_code,
        reason=status.reason,
        message=status.message,
        image=status.image.image,
        image_ref=status.image_ref,
        spec_image=status.annotations.get(SPEC_IMAGE, ""),
        ready_after=status.annotations.get(READY_AFTER, ""),
        varies=VARIES in status.annotations,
        user=_user(status.user.linux) if status.HasField("user") else None,
    )


def _user(found: pb.LinuxContainerUser) -> tuple[int, int, tuple[int, ...]]:
    return found.uid, found.gid, tuple(found.supplemental_groups)
