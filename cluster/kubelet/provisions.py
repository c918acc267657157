"""What a pod's sandbox and containers are given: volumes, environment, names, resolvers.

`Shared` is for a process, `Provisions` for a node. Both only join the pure parts in `volumes/` and
`environment/` with the API and a disk.
"""

import random as randoms
from collections.abc import Callable, Mapping
from typing import Any, Final

from cluster.aio import clock as clocks
from cluster.aio import tasks
from cluster.api import objects, quantity
from cluster.api.dockerconfig import Credentials
from cluster.api.objects import Object
from cluster.client.client import Client
from cluster.client.informer import Change, Informer
from cluster.kubelet import criconfig, downward, events, pullsecrets, security
from cluster.kubelet.config import Config
from cluster.kubelet.cri import Cri, EventSource
from cluster.kubelet.environment import hostnames, resolvers, services, variables
from cluster.kubelet.imagescripts import ImageScripts
from cluster.kubelet.lifecycle import hints, podspec
from cluster.kubelet.lifecycle.actions import Start
from cluster.kubelet.pods import Pod
from cluster.kubelet.volumes import mounting, references
from cluster.kubelet.volumes.contents import Unready
from cluster.kubelet.volumes.disk import Disk
from cluster.kubelet.volumes.keeper import Keeper
from cluster.kubelet.volumes.layout import PLUGINS, Layout
from cluster.kubelet.volumes.realdisk import RealDisk
from cluster.kubelet.volumes.sources import Objects
from cluster.kubelet.workers import Workers
from cluster.pb.cri.v1 import api_pb2 as pb

_CFS_PERIOD: Final = 0.1
_LEAST_QUOTA: Final = 1000
DEFAULT_ROOT: Final = "/var/lib/kubelet"
"""Where a kubelet's root directory is on a node's disk in memory."""


class Shared:
    """What the nodes of a process share. Build it in the group that carries its tasks."""

    def __init__(
        self, client: Client, clock: clocks.Clock, random: randoms.Random, group: tasks.Group
    ) -> None:
        self.client = client
        self.clock = clock
        self.random = random
        self._group = group
        self._refreshing = Workers(group, self._refresh)
        self.objects = Objects(client, random, group.spawn, self._refreshing.wake)
        self.refresh_after = self._refreshing.wake_after
        self.refresh_no_more = self._refreshing.forget
        self._nodes: list[Provisions] = []
        self.scripts = ImageScripts(client, random)
        self.services = Informer(client, "services", generator=random)
        self._spaces: dict[str, dict[str, Object]] = {}
        self._links: dict[str, dict[str, str]] = {}
        self._master: dict[str, str] = {}
        self.services.on_change(self._on_service)

    def start(self) -> None:
        """Follow the Services, and what images do."""
        self._group.spawn(self.services.run(), "informer/services")
        self._group.spawn(self.scripts.informer.run(), "informer/imagescripts")

    def close(self) -> None:
        """Begin nothing more."""
        self._refreshing.close()

    def add(self, node: "Provisions") -> None:
        """Have the volumes of a node refreshed too."""
        self._nodes.append(node)

    async def links(self, pod: Object) -> Mapping[str, str]:
        """The variables of Services that a pod's containers have. They are shared: read only."""
        await self.services.synced()
        if objects.spec(pod).get("enableServiceLinks") is False:
            return self._master
        namespace = objects.namespace(pod)
        known = self._links.get(namespace)
        if known is None:
            own = services.variables(self._spaces.get(namespace, {}).values())
            known = self._links[namespace] = {**self._master, **own}
        return known

    def _on_service(self, change: Change) -> None:
        namespace, name = objects.namespace(change.object), objects.name(change.object)
        space = self._spaces.setdefault(namespace, {})
        if change.new is None:
            space.pop(name, None)
            if not space:
                del self._spaces[namespace]
        else:
            space[name] = change.new
        if services.is_master(change.object):
            self._master = services.variables([change.new] if change.new else [])
            self._links.clear()
        self._links.pop(namespace, None)

    async def _refresh(self, uid: str) -> None:
        for node in self._nodes:
            if uid in node.keeper.records:
                await node.keeper.refresh(uid)
            elif node.keeper.local is not None and node.keeper.local.holds(uid):
                await node.keeper.local.review(uid)


class Provisions:
    """What pods of one node are given."""

    def __init__(
        self,
        config: Config,
        cri: Cri,
        shared: Shared,
        speaker: events.Speaker,
        *,
        find: Callable[[str], Pod | None],
        disk: Disk | None = None,
    ) -> None:
        self._config = config
        self._cri = cri
        self._shared = shared
        self._speaker = speaker
        self._node_resolver = resolvers.parse(config.resolv_conf)
        room = config.allocatable
        self._allocatable = tuple(
            (name, room[name]) for name in ("cpu", "memory", "ephemeral-storage")
        )
        found = disk or _disk_of(config, cri)
        self._told = found is None or not found.lazy
        root = config.root_dir if isinstance(found, RealDisk) else DEFAULT_ROOT
        host = config.host_root or f"{root}/host" if isinstance(found, RealDisk) else "/"
        self.keeper = Keeper(
            Layout(root.rstrip("/"), host.rstrip("/") or "/"),
            found,
            node=downward.Node(allocatable=self._allocatable),
            client=shared.client,
            objects_=shared.objects,
            clock=shared.clock,
            random=shared.random,
            speaker=speaker,
            find=find,
            wake_after=shared.refresh_after,
            wake_no_more=shared.refresh_no_more,
            hosts=self._hosts,
        )
        shared.add(self)

    async def adopt(self, pod: Pod) -> None:
        """See `Keeper.adopt`."""
        if pod.uid not in self.keeper.records and pod.seen.sandbox is not None:
            await self.keeper.adopt(pod)

    async def ready(self, pod: Pod) -> bool:
        """See `Keeper.ready`."""
        return await self.keeper.ready(pod)

    def sandbox(self, pod: Pod, attempt: int, logs: str) -> pb.PodSandboxConfig:
        """The configuration of a pod's sandbox. ValueError."""
        obj = pod.object
        said = resolvers.of(
            obj, self._config.cluster_dns, self._config.cluster_domain, self._node_resolver,
            podspec.title(obj),
        )  # fmt: skip
        for reason, message in said.warnings:
            self._speaker.resolver_formed(obj, reason, message)
        config = criconfig.sandbox(obj, attempt, logs)
        if self._told:
            security.sandbox(config.linux, obj)
        if not podspec.host_network(obj):
            config.hostname = hostnames.shown(obj, self._config.cluster_domain)
        found = said.resolver
        config.dns_config.servers.extend(found.servers)
        config.dns_config.searches.extend(found.searches)
        config.dns_config.options.extend(found.options)
        return config

    async def handler(self, pod: Pod) -> str:
        """What the pod's RuntimeClass calls for; "" where it has none. ValueError."""
        name = objects.spec(pod.object).get("runtimeClassName")
        if not name:
            return ""
        wanted = references.Reference(references.RUNTIME_CLASSES, "", name)
        try:
            found = (await self._shared.objects.read([wanted], recent=True))[wanted]
        except Unready as error:
            raise ValueError(f"failed to lookup RuntimeClass {name}: {error}") from error
        if found is None:
            raise ValueError(f'runtimeclass.node.k8s.io "{name}" not found')
        return str(found.get("handler") or "")

    async def container(self, pod: Pod, action: Start) -> pb.ContainerConfig:
        """The configuration of a container. variables.Wrong where it cannot be."""
        obj, spec = pod.object, action.spec
        if security.not_root(obj, spec):
            request = pb.ImageStatusRequest(image=pb.ImageSpec(image=spec.get("image") or ""))
            why = security.breach(obj, spec, (await self._cri.image_status(request)).image)
            if why:
                raise variables.Wrong(why)
        wanted = references.of_environment(objects.namespace(obj), spec)
        try:
            known = await self._shared.objects.read(wanted) if wanted else {}
        except Unready as error:
            raise variables.Wrong(str(error)) from error
        sources = variables.Sources(
            known,
            await self._shared.links(obj),
            downward.Node(self.addresses(pod), self._config.addresses, self._allocatable),
            lambda volume, path: self._read(pod, volume, path),
            strict_names=self._config.version.strict_variable_names,
        )
        environment, skipped = variables.make(obj, spec, sources)
        for one in skipped:
            self._speaker.misnamed_variables(obj, one.message)
        try:
            mounts = mounting.mounts(self.keeper, pod, spec, environment)
        except OSError as error:
            raise variables.Wrong(f"failed to prepare mounts: {error}") from error
        config = criconfig.container(
            obj, spec, action.attempt, init=action.init, environment=environment, mounts=mounts
        )
        await self._shared.scripts.apply(config)
        self._secure(pod, spec, config)
        if config.HasField("linux"):
            self.quota(config.linux.resources)
        return config

    def _secure(self, pod: Pod, spec: Object, config: pb.ContainerConfig) -> None:
        """Say who runs it with which rights. Runtimes in this process only emulate, and are told
        of users alone: thousands of pods would remember it.
        """
        name = spec.get("targetContainerName")
        seen = pod.seen.newest(name) if name else None
        target = seen.id if seen is not None else ""
        if not self._told:
            security.emulated(config, pod.object, spec, target)
            return
        profiles = f"{self._config.root_dir or DEFAULT_ROOT}/seccomp"
        found = security.container(pod.object, spec, profiles, target)
        config.linux.security_context.CopyFrom(found)
        memory = int(quantity.value(self._config.memory))
        config.linux.resources.oom_score_adj = security.oom_score(pod.object, spec, memory)
        volumes = mounting.in_memory(self.keeper, pod, spec)
        if volumes:
            config.annotations[hints.MEMORY_VOLUMES] = hints.encoded(volumes)

    def quota(self, found: pb.LinuxContainerResources) -> None:
        """Have limits of CPU enforced as the node's configuration says."""
        if found.cpu_quota <= 0:
            return
        if not self._config.cpu_cfs_quota:
            found.cpu_quota = found.cpu_period = 0
        elif self._config.cpu_cfs_quota_period != _CFS_PERIOD:
            period = int(self._config.cpu_cfs_quota_period * 1e6)
            found.cpu_quota = max(found.cpu_quota * period // found.cpu_period, _LEAST_QUOTA)
            found.cpu_period = period

    async def pull_credentials(self, pod: Pod, image: str) -> list[Credentials]:
        """What a pod's imagePullSecrets give for an image."""
        wanted = pullsecrets.references(pod.object)
        if not wanted:
            return []
        try:
            known = await self._shared.objects.read(wanted)
        except Unready:
            known = dict.fromkeys(wanted)
        gone = pullsecrets.missing(known)
        if gone:
            self._speaker.pull_secrets_missing(pod.object, gone)
        return pullsecrets.credentials(known.values(), image)

    def addresses(self, pod: Pod) -> tuple[str, ...]:
        """The addresses that a pod has now: the node's own on its network."""
        if podspec.host_network(pod.object):
            return self._config.addresses
        sandbox = pod.seen.sandbox
        return pod.addresses or (sandbox.addresses if sandbox is not None else ())

    def _hosts(self, pod: Pod) -> bytes:
        config = self._config
        return hostnames.hosts_file(
            pod.object, self.addresses(pod), config.cluster_domain, config.node_name
        )

    def _read(self, pod: Pod, name: str, path: str) -> bytes | None:
        """A file of an emptyDir, for a variable; None where it is not there."""
        disk = self.keeper.disk
        volume = next((one for one in references.used(pod.object) if one["name"] == name), None)
        kinds: list[Any] = [kind for kind in PLUGINS if volume and kind in volume]
        if disk is None or volume is None or not kinds or ".." in path.split("/"):
            return None
        base = self.keeper.volume_path(pod, volume)
        try:
            true = disk.true_path(f"{base}/{path}")
            return disk.read(true) if true.startswith(disk.true_path(base) + "/") else None
        except OSError:
            return None


def _disk_of(config: Config, cri: Cri) -> Disk | None:
    """The disk in memory of a runtime in this process, or the real one where it may be used."""
    if isinstance(cri, EventSource):
        found: Disk | None = getattr(cri, "disk", None)
        if found is not None:
            return found
    return RealDisk() if config.root_dir else None
