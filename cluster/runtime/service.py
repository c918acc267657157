"""CRI v1 as an object: async methods on its messages, the runtime and the image service in one.

The names are those of the RPCs, in Python's spelling. Failures are `aio.rpc.Failure`. Calls that
need not wait do not suspend. A request's configuration is kept, not copied: who calls in the same
process does not change it afterwards.
"""

import random
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from cluster.aio import broadcast, rpc
from cluster.aio import clock as clocks
from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime import handlers, lookups, messages, retelling
from cluster.runtime.config import Config, Unusable
from cluster.runtime.crifigures import Figures
from cluster.runtime.driver import Driver
from cluster.runtime.imagestore import EMULATED, ImageStore
from cluster.runtime.nodedisk import MemoryDisk
from cluster.runtime.podaddresses import Addresses
from cluster.runtime.records import Container, Event, Sandbox
from cluster.runtime.registryimages import Registries
from cluster.runtime.sim import Sim
from cluster.runtime.streaming import Streaming
from cluster.runtime.vos import spool
from cluster.runtime.vos.kernel import Api
from cluster.runtime.vos.spool import Spool

NAME = "kubemu"
VERSION = "0.1.0"
API_VERSION = "v1"
_KUBELET_API_VERSION = "0.1.0"

if TYPE_CHECKING:
    from cluster.runtime.state.keeper import Keeper

Listener = Callable[[str, int], None]


class CriService(Streaming, Figures):
    """The container runtime of one node."""

    def __init__(
        self,
        config: Config,
        *,
        clock: clocks.Clock,
        random: random.Random,
        disk: MemoryDisk | None = None,
        registries: Registries | None = None,
    ) -> None:
        self.disk = None if config.volumes_on_disk else disk or MemoryDisk(clock)
        """The node's disk, for a kubelet in the same process; None where it is the real one."""
        self._events: broadcast.Broadcast[pb.ContainerEventResponse] = broadcast.Broadcast(
            config.event_buffer
        )
        self._listeners: list[Listener] = []
        addresses = Addresses(config.pod_cidr)
        sim = Sim(
            clock=clock, random=random, listener=self._happened, addresses=addresses,
            files=config.log_files, disk=self.disk, spool=_spool(config),
            scripts=config.image_scripts,
        )  # fmt: skip
        self.spaces = sim.spaces
        """The networks of emulated pods and of the node itself."""
        self._sim = sim
        self.driver: Driver = sim
        if config.oci is not None:
            # Imported here: most nodes have emulated containers alone.
            from cluster.runtime.oci import either
            from cluster.runtime.oci.driver import Oci

            real = Oci(
                config.oci, clock=clock, random=random, listener=self._happened,
                addresses=addresses, files=config.log_files,
            )  # fmt: skip
            self.driver = either.Either(real, sim, fall_back=config.oci.fall_back)
            self.spaces.bridge.wired = real.wires.plug
        self.images = ImageStore(config.image_pull_seconds, registries)
        self._config = config
        self._clock = clock
        self._state: Keeper | None = None
        self._sandboxes: lookups.Listed[pb.PodSandbox, pb.ListPodSandboxResponse] = lookups.Listed(
            lambda items: pb.ListPodSandboxResponse(items=items)
        )
        self._containers: lookups.Listed[pb.Container, pb.ListContainersResponse] = lookups.Listed(
            lambda containers: pb.ListContainersResponse(containers=containers)
        )

    def reach_api(self, api: Api) -> None:
        """Let programs of containers reach the cluster's API by this and not by their sockets."""
        self._sim.api = api

    async def recover(self) -> None:
        """Put back what ran before a restart, where that is kept. config.Unusable."""
        folder = self._config.state_dir
        if folder is not None:
            # Imported here: the lab and hollow nodes keep nothing.
            from cluster.runtime.state import keeper

            config = self._config
            if not isinstance(self.driver, keeper.Driver):
                raise Unusable("--state-dir: what this driver runs cannot be kept")
            self._state = keeper.Keeper(
                folder, config.node_name, self.driver, self.images, self._clock
            )
            self.images.on_change = self._state.images_changed
            await self._state.recover(config.on_restart)
        await self.driver.open()

    def close(self) -> None:
        """The machine goes: end all that runs, and every stream of events."""
        if self._state is not None:
            self._state.close()
        self.driver.close()
        self._events.close()

    # ---- runtime -----------------------------------------------------------------------------

    async def version(self, _request: pb.VersionRequest) -> pb.VersionResponse:
        """Who this is."""
        return pb.VersionResponse(
            version=_KUBELET_API_VERSION,
            runtime_name=NAME,
            runtime_version=VERSION,
            runtime_api_version=API_VERSION,
        )

    async def status(self, request: pb.StatusRequest) -> pb.StatusResponse:
        """RuntimeReady, and NetworkReady once there is a pod CIDR."""
        network = pb.RuntimeCondition(type="NetworkReady", status=True)
        if not self.driver.pod_cidr:
            network = pb.RuntimeCondition(
                type="NetworkReady",
                status=False,
                reason="NetworkPluginNotReady",
                message="Network plugin returns error: cni plugin not initialized",
            )
        ready = pb.RuntimeCondition(type="RuntimeReady", status=True)
        return pb.StatusResponse(
            status=pb.RuntimeStatus(conditions=[ready, network]),
            runtime_handlers=[pb.RuntimeHandler(name=name) for name in handlers.BY_NAME],
            info=self._told() if request.verbose else None,
        )

    def _told(self) -> dict[str, str]:
        from cluster.runtime import verbose

        config = self._config
        return verbose.runtime(
            {
                "nodeName": config.node_name,
                "podCIDR": self.driver.pod_cidr,
                "stateDir": str(config.state_dir or ""),
                "onRestart": config.on_restart,
            }
        )

    async def runtime_config(self, _request: pb.RuntimeConfigRequest) -> pb.RuntimeConfigResponse:
        """The cgroup driver: cgroupfs, for no systemd makes our cgroups."""
        linux = pb.LinuxRuntimeConfiguration(cgroup_driver=pb.CGROUPFS)
        return pb.RuntimeConfigResponse(linux=linux)

    async def update_runtime_config(
        self, request: pb.UpdateRuntimeConfigRequest
    ) -> pb.UpdateRuntimeConfigResponse:
        """Take the pod CIDRs that the kubelet was given."""
        cidrs = request.runtime_config.network_config.pod_cidr
        if cidrs:
            try:
                self.driver.set_pod_cidr(cidrs)
                if self._state is not None:
                    self._state.network_changed()
            except ValueError as error:
                raise rpc.Failure("INVALID_ARGUMENT", str(error)) from error
        return pb.UpdateRuntimeConfigResponse()

    # ---- sandboxes ---------------------------------------------------------------------------

    async def run_pod_sandbox(self, request: pb.RunPodSandboxRequest) -> pb.RunPodSandboxResponse:
        """Make and start a sandbox."""
        sandbox = await self.driver.run_sandbox(request.config, request.runtime_handler)
        return pb.RunPodSandboxResponse(pod_sandbox_id=sandbox.id)

    async def stop_pod_sandbox(
        self, request: pb.StopPodSandboxRequest
    ) -> pb.StopPodSandboxResponse:
        """Kill all in it. One that is gone is no error."""
        sandbox = lookups.find(self.driver.sandboxes, request.pod_sandbox_id)
        if sandbox is not None:
            await self.driver.stop_sandbox(sandbox)
        return pb.StopPodSandboxResponse()

    async def remove_pod_sandbox(
        self, request: pb.RemovePodSandboxRequest
    ) -> pb.RemovePodSandboxResponse:
        """Forget it and its containers. One that is gone is no error."""
        sandbox = lookups.find(self.driver.sandboxes, request.pod_sandbox_id)
        if sandbox is not None:
            await self.driver.remove_sandbox(sandbox)
        return pb.RemovePodSandboxResponse()

    async def pod_sandbox_status(
        self, request: pb.PodSandboxStatusRequest
    ) -> pb.PodSandboxStatusResponse:
        """A sandbox and all its containers, as they are now."""
        sandbox = self._sandbox(request.pod_sandbox_id)
        return pb.PodSandboxStatusResponse(
            status=messages.sandbox_status(sandbox),
            containers_statuses=[
                messages.container_status(one) for one in sandbox.containers.values()
            ],
            timestamp=self.driver.time(),
            info=_verbose("sandbox", sandbox) if request.verbose else None,
        )

    async def update_pod_sandbox_resources(
        self, request: pb.UpdatePodSandboxResourcesRequest
    ) -> pb.UpdatePodSandboxResourcesResponse:
        """Nothing is to be done: containers have their own, and sandboxes none. rpc.Failure."""
        self._sandbox(request.pod_sandbox_id)
        return pb.UpdatePodSandboxResourcesResponse()

    async def list_pod_sandbox(
        self, request: pb.ListPodSandboxRequest
    ) -> pb.ListPodSandboxResponse:
        """Sandboxes that the filter lets through."""
        if not request.HasField("filter"):
            every = self.driver.sandboxes.values()
            return self._sandboxes.of([messages.sandbox_summary(one) for one in every])
        wanted = request.filter
        labels = dict(wanted.label_selector)
        named = lookups.whole(self.driver.sandboxes, wanted.id)
        found = [
            messages.sandbox_summary(one)
            for one in self.driver.sandboxes.values()
            if named in ("", one.id)
            and (not wanted.HasField("state") or wanted.state.state == messages.sandbox_state(one))
            and messages.selected(one.config.labels, labels)
        ]
        return pb.ListPodSandboxResponse(items=found)

    # ---- containers --------------------------------------------------------------------------

    async def create_container(
        self, request: pb.CreateContainerRequest
    ) -> pb.CreateContainerResponse:
        """Make a container in a sandbox; its image must be here."""
        sandbox = self._sandbox(request.pod_sandbox_id)
        image = request.config.image.image
        if self.images.find(image) is None:
            raise rpc.Failure("NOT_FOUND", f'failed to get image "{image}": not found')
        config = retelling.completed(sandbox.config, request)
        container = await self.driver.create(sandbox, config, self.images.real(image))
        return pb.CreateContainerResponse(container_id=container.id)

    async def start_container(self, request: pb.StartContainerRequest) -> pb.StartContainerResponse:
        """Start it; answers when it runs."""
        await self.driver.start(self._container(request.container_id))
        return pb.StartContainerResponse()

    async def stop_container(self, request: pb.StopContainerRequest) -> pb.StopContainerResponse:
        """End it, with a grace of `timeout` seconds; answers when it has ended."""
        container = lookups.find(self.driver.containers, request.container_id)
        if container is not None:
            await self.driver.stop(container, request.timeout)
        return pb.StopContainerResponse()

    async def update_container_resources(
        self, request: pb.UpdateContainerResourcesRequest
    ) -> pb.UpdateContainerResourcesResponse:
        """Change what a running container may use."""
        container = self._container(request.container_id)
        await self.driver.update(container, request.linux)
        if self._state is not None:
            self._state.changed(container)
        return pb.UpdateContainerResourcesResponse()

    async def remove_container(
        self, request: pb.RemoveContainerRequest
    ) -> pb.RemoveContainerResponse:
        """Forget it. One that is gone is no error."""
        container = lookups.find(self.driver.containers, request.container_id)
        if container is not None:
            await self.driver.remove(container)
        return pb.RemoveContainerResponse()

    async def list_containers(self, request: pb.ListContainersRequest) -> pb.ListContainersResponse:
        """Containers that the filter lets through."""
        if not request.HasField("filter"):
            every = self.driver.containers.values()
            return self._containers.of([messages.container_summary(one) for one in every])
        wanted = request.filter
        labels = dict(wanted.label_selector)
        named = lookups.whole(self.driver.containers, wanted.id)
        pod = lookups.whole(self.driver.sandboxes, wanted.pod_sandbox_id)
        found = [
            messages.container_summary(one)
            for one in self.driver.containers.values()
            if named in ("", one.id)
            and pod in ("", one.sandbox.id)
            and (not wanted.HasField("state") or wanted.state.state == int(one.state))
            and messages.selected(one.config.labels, labels)
        ]
        return pb.ListContainersResponse(containers=found)

    async def container_status(
        self, request: pb.ContainerStatusRequest
    ) -> pb.ContainerStatusResponse:
        """One container, as it is now."""
        container = self._container(request.container_id)
        return pb.ContainerStatusResponse(
            status=messages.container_status(container),
            info=_verbose("container", container) if request.verbose else None,
        )

    async def checkpoint_container(
        self, request: pb.CheckpointContainerRequest
    ) -> pb.CheckpointContainerResponse:
        """rpc.Failure UNIMPLEMENTED: what coroutines hold cannot be written down."""
        self._container(request.container_id)
        raise rpc.Failure("UNIMPLEMENTED", "this runtime cannot checkpoint containers")

    async def get_container_events(
        self, _request: pb.GetEventsRequest
    ) -> AsyncIterator[pb.ContainerEventResponse]:
        """Everything that happens from the moment this returns.

        rpc.Failure RESOURCE_EXHAUSTED from the iterator where its reader is too slow.
        """
        return _read(self._events.subscribe())

    def on_event(self, listener: Listener) -> None:
        """Tell `listener(pod uid, time in nanoseconds)` of each event: for the same process."""
        self._listeners.append(listener)

    # ---- images ------------------------------------------------------------------------------

    async def list_images(self, request: pb.ListImagesRequest) -> pb.ListImagesResponse:
        """The images that are here, or the one that the filter names."""
        wanted = request.filter.image.image
        found = self.images.find(wanted) if wanted else None
        chosen = self.images.all() if not wanted else [found] if found else []
        return pb.ListImagesResponse(images=chosen)

    async def image_status(self, request: pb.ImageStatusRequest) -> pb.ImageStatusResponse:
        """One image, or an answer without one."""
        name = request.image.image
        found = self.images.find(name)
        if not request.verbose:
            return pb.ImageStatusResponse(image=found)
        told = _verbose("image", found) if found is not None else {}
        if self.images.emulates(name):
            told[EMULATED] = "true"
        return pb.ImageStatusResponse(image=found, info=told)

    async def pull_image(self, request: pb.PullImageRequest) -> pb.PullImageResponse:
        """Get an image."""
        auth = request.auth
        found = await self.images.pull(request.image.image, auth.username, auth.password)
        return pb.PullImageResponse(image_ref=found.id)

    async def remove_image(self, request: pb.RemoveImageRequest) -> pb.RemoveImageResponse:
        """Forget an image."""
        await self.images.remove(request.image.image)
        return pb.RemoveImageResponse()

    async def image_fs_info(self, _request: pb.ImageFsInfoRequest) -> pb.ImageFsInfoResponse:
        """How much the images take."""
        used = sum(one.size for one in self.images.all())
        usage = pb.FilesystemUsage(
            timestamp=self.driver.time(),
            fs_id=pb.FilesystemIdentifier(mountpoint="/var/lib/kubemu/images"),
            used_bytes=pb.UInt64Value(value=used),
            inodes_used=pb.UInt64Value(value=len(self.images.all())),
        )
        return pb.ImageFsInfoResponse(image_filesystems=[usage])

    # ------------------------------------------------------------------------------------------

    def _sandbox(self, id: str) -> Sandbox:
        return lookups.need(self.driver.sandboxes, id, "sandbox")

    def _container(self, id: str) -> Container:
        return lookups.need(self.driver.containers, id, "container")

    def _happened(self, event: Event) -> None:
        if self._state is not None:
            self._state.happened(event)
        for listener in self._listeners:
            listener(event.pod_uid, event.at)
        if len(self._events):
            self._events.send(messages.event(event))


def _spool(config: Config) -> Spool | None:
    """Where a machine with a disk keeps its containers' large files; swept out at each start."""
    if config.state_dir is None:
        return None
    return Spool(config.state_dir / spool.NAME)


def _verbose(what: str, found: Any) -> dict[str, str]:
    # Imported here: few ask for it.
    from cluster.runtime import verbose

    told: dict[str, str] = getattr(verbose, what)(found)
    return told


async def _read(
    reader: broadcast.Reader[pb.ContainerEventResponse],
) -> AsyncIterator[pb.ContainerEventResponse]:
    try:
        async for event in reader:
            yield event
    except broadcast.Lagged as lag:
        raise rpc.Failure("RESOURCE_EXHAUSTED", str(lag)) from lag
    finally:
        reader.close()
