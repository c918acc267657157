"""What kubelets in one process share: informers, workers, writers, events; and their agents.

`Kubelet` runs a crew of one node, `HollowNodes` a crew of many: at rest neither has a task for a
pod, and only a runtime elsewhere costs one for its node.
"""

import asyncio
import contextlib
import functools
import random as randoms
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import structlog

from cluster.aio import clock as clocks
from cluster.aio import tasks
from cluster.api import mirrorpods, objects
from cluster.client.client import Client
from cluster.client.informer import Change, Informer
from cluster.client.recorder import Recorder
from cluster.kubelet.agent import NodeAgent
from cluster.kubelet.config import Config
from cluster.kubelet.cri import Cri
from cluster.kubelet.eviction.watch import Watch
from cluster.kubelet.imagekeeper import ImageKeeper
from cluster.kubelet.node.keeper import Node, NodeKeeper
from cluster.kubelet.node.speaking import NodeSpeaker
from cluster.kubelet.pods import Pod
from cluster.kubelet.provisions import Shared
from cluster.kubelet.runtimelink import RuntimeLink
from cluster.kubelet.serving import usage
from cluster.kubelet.serving.loads import Loads
from cluster.kubelet.serving.service import KubeletService
from cluster.kubelet.statuswriter import StatusWriter
from cluster.kubelet.volumes.disk import Disk
from cluster.kubelet.workers import Workers

if TYPE_CHECKING:
    from cluster.kubelet.serving.server import Serving
    from cluster.kubelet.staticpods.keeper import StaticPods

COMPONENT: Final = "kubelet"
_STATIC_PATIENCE: Final = 3.0
"""Seconds for which static pods wait to hear how the API last had them."""
_RUNTIME_PATIENCE: Final = 3.0
"""Seconds that a kubelet waits to hear what runs already, before it calls itself ready without."""


@dataclass(slots=True, eq=False)
class Member:
    """One node of a crew."""

    config: Config
    agent: NodeAgent
    link: RuntimeLink
    node: Node
    watch: Watch
    images: ImageKeeper


class Crew:
    """The kubelets of one process. `run` serves until cancelled; `ready` says that it works.

    `pod_fields` and `node_fields` are the field selectors of the shared informers.
    """

    def __init__(
        self,
        members: Mapping[str, tuple[Config, Cri]],
        *,
        client: Client,
        clock: clocks.Clock,
        random: randoms.Random,
        host: str,
        pod_fields: str,
        node_fields: str = "",
        serving: "Serving | None" = None,
        disk: Disk | None = None,
    ) -> None:
        self._serving = serving
        self._disk = disk
        self._agents: dict[str, NodeAgent] = {}
        self._loads = Loads(client, clock)
        self.service = KubeletService(self._agents, clock, self._loads)
        """What the API server asks: logs, exec and so on."""
        self.ready = asyncio.Event()
        self._client = client
        self._clock = clock
        self._random = random
        self._recorder = Recorder(client, clock, random, COMPONENT, host)
        self._writer = StatusWriter(client, random)
        self._writer.on_gone = self._on_gone
        self._keeper = NodeKeeper(client, clock, random)
        self._pods = Informer(client, "pods", fields=pod_fields, generator=random)
        self._nodes = Informer(client, "nodes", fields=node_fields, generator=random)
        self._declared = members
        self.members: dict[str, Member] = {}
        self._of_pod: dict[str, NodeAgent] = {}

    async def run(self) -> None:
        """Serve until cancelled."""
        async with tasks.Group(COMPONENT) as group:
            workers = Workers(group, self._work)
            shared = Shared(self._client, self._clock, self._random, group)
            try:
                port = self._listen(group)
                for name, (declared, cri) in self._declared.items():
                    config = replace(declared, kubelet_port=port) if port else declared
                    self.members[name] = self._member(config, cri, workers, group, shared)
                    self._agents[name] = self.members[name].agent
                shared.start()
                await self._serve(group)
                await asyncio.get_running_loop().create_future()
            finally:
                workers.close()
                shared.close()
                for member in self.members.values():
                    member.agent.close()
                for member in self.members.values():
                    member.watch.close()
                    member.images.close()

    async def _serve(self, group: tasks.Group) -> None:
        for member in self.members.values():
            self._keeper.add(member.node)
            if member.link.streams:
                group.spawn(member.link.run(), f"runtime/{member.config.node_name}")
            else:
                await member.link.attach()
        group.spawn(self._recorder.run(), "events")
        group.spawn(self._writer.run(), "statuses")
        group.spawn(self._keeper.run(), "nodes")
        self._nodes.on_change(self._keeper.on_node)
        self._pods.on_change(self._on_pod)
        group.spawn(self._nodes.run(), "informer/nodes")
        group.spawn(self._pods.run(), "informer/pods")
        await self._begin_static(group)
        await self._keeper.shown.wait()
        await self._pods.synced()
        for member in self.members.values():
            member.link.set_synced()
            member.images.stir()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_RUNTIME_PATIENCE):
                for member in self.members.values():
                    await member.link.known.wait()
        self.ready.set()

    async def _begin_static(self, group: tasks.Group) -> None:
        """Take up static pods, where there are any: with what the API knows of them if it answers
        soon, and without it if it does not.
        """
        made = [one for one in map(self._static_of, self.members.values()) if one is not None]
        if not made:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STATIC_PATIENCE):
                await self._pods.synced()
        for one in made:
            await one.load()
            group.spawn(one.run(), "static-pods")

    def _static_of(self, member: Member) -> "StaticPods | None":
        config = member.config
        if not config.pod_manifest_path and not config.manifest_url:
            return None
        # Imported here: few kubelets have static pods.
        from cluster.kubelet.staticpods import fetching, keeper, sources

        made: list[sources.Source] = []
        if config.pod_manifest_path:
            made.append(sources.Folder(config.pod_manifest_path, config.file_check_frequency))
        if config.manifest_url:
            fetch = fetching.fetcher(config.manifest_url, config.manifest_url_header)
            period = config.http_check_frequency
            made.append(sources.Address(config.manifest_url, period, fetch))
        return keeper.StaticPods(
            member.agent, made, client=self._client, clock=self._clock,
            node=lambda: member.node.object if member.node.registered else None,
        )  # fmt: skip

    def _listen(self, group: tasks.Group) -> int:
        """Serve from now on; the port, 0 where nothing is served. grpcserver.AddressInUse."""
        if self._serving is None:
            return 0
        # Imported here: a kubelet that serves nothing needs no gRPC.
        from cluster.kubelet.serving.server import Server

        server = Server(self._serving, self.service)
        port = server.listen()
        group.spawn(server.run(), "server")
        return port

    def _member(
        self, config: Config, cri: Cri, workers: Workers, group: tasks.Group, shared: Shared
    ) -> Member:
        name = config.node_name
        spawn = functools.partial(_spawn, group)
        agent = NodeAgent(
            config,
            cri,
            clock=self._clock,
            workers=workers,
            writer=self._writer,
            recorder=self._recorder,
            spawn=spawn,
            shared=shared,
            disk=self._disk,
        )
        link = RuntimeLink(
            agent, self._random, lambda found: self._keeper.set_health(name, found), self._clock
        )
        node = Node(config, _configurer(link, group, name), pod_cidr=config.pod_cidr)
        speaker = NodeSpeaker(self._recorder, config)
        images = ImageKeeper(
            agent, clock=self._clock, used=self._used, speaker=speaker, spawn=spawn,
            publish=lambda found: self._keeper.set_images(name, found),
        )  # fmt: skip
        agent.images.on_pulled = images.stir
        watch = Watch(
            agent, clock=self._clock, used=self._used, speaker=speaker, spawn=spawn,
            report=lambda found: self._keeper.set_pressures(name, found), reclaim=images.reclaim,
            measured=link.streams,
        )  # fmt: skip
        agent.on_stir = watch.stir
        return Member(config, agent, link, node, watch, images)

    async def _used(self, agent: NodeAgent) -> usage.Usage:
        """What a node's containers use, shared loads included. errors.InternalError."""
        return await self._loads.added(agent, await usage.of(agent))

    def _on_pod(self, change: Change) -> None:
        node = objects.spec(change.object).get("nodeName")
        member = self.members.get(node) if node else None
        if member is None:
            return
        if change.new is not None and not mirrorpods.is_mirror(change.new):
            self._of_pod[objects.uid(change.new)] = member.agent
        member.agent.on_pod(change)

    async def _work(self, uid: str) -> None:
        agent = self._of_pod.get(uid) or self._holder(uid)
        if agent is None:
            return
        await agent.work(uid)
        if uid not in agent.pods:
            self._of_pod.pop(uid, None)

    def _holder(self, uid: str) -> NodeAgent | None:
        """The agent of a pod that the API never told of: a leftover in a runtime."""
        for member in self.members.values():
            if uid in member.agent.pods:
                self._of_pod[uid] = member.agent
                return member.agent
        return None

    def _on_gone(self, pod: Pod) -> None:
        agent = self._of_pod.get(pod.uid)
        if agent is not None:
            agent.on_gone(pod)


def _spawn(group: tasks.Group, coro: Coroutine[Any, Any, Any], name: str) -> object:
    """Begin what a node does beside its pods: a fault in it does not end all nodes of a process."""
    try:
        return group.spawn(_guarded(coro, name), name)
    except RuntimeError:  # the kubelet ends
        coro.close()
        raise


async def _guarded(coro: Coroutine[Any, Any, Any], name: str) -> None:
    try:
        await coro
    except Exception:  # each of these is begun again
        log = structlog.get_logger().bind(component=COMPONENT)
        log.exception("a task of a node failed", task=name)


def _configurer(link: RuntimeLink, group: tasks.Group, name: str) -> Callable[[str], None]:
    def configure(cidr: str) -> None:
        group.spawn(link.set_pod_cidr(cidr), f"configure/{name}")

    return configure
