"""Builds each component of the lab's cluster: which it is, whom it speaks to, and as whom."""

import asyncio
import dataclasses
import random
from collections.abc import Callable
from functools import partial
from typing import Any

from cluster.aio import clock, tasks
from cluster.api import identity, resources
from cluster.apiserver import bootstrap, compaction, expiry
from cluster.apiserver.admission import defaults
from cluster.apiserver.admission.chain import Chain
from cluster.apiserver.admission.quota import publishing
from cluster.apiserver.authz import modes
from cluster.apiserver.extensions.controller import Extensions
from cluster.apiserver.kubelets.protocol import Connector, Nowhere
from cluster.apiserver.ledger import Ledger
from cluster.apiserver.policystatus import PolicyStatus
from cluster.apiserver.registry import Registry
from cluster.apiserver.usage import metrics
from cluster.apiserver.usage.collector import Collector
from cluster.apiserver.watchcache.cache import Limits
from cluster.client.client import Client
from cluster.controllers.component import ControllerManager
from cluster.controllers.config import Config as ControllerConfig
from cluster.kubelet import config as kubelet_config
from cluster.kubelet.component import Kubelet
from cluster.lab import keys
from cluster.lab.config import Config
from cluster.lab.parts import Component, Part
from cluster.lab.rough.disk import Disk, DiskStorage
from cluster.lab.rough.lines import Line
from cluster.lab.rough.wire import RoughSocket, RoughTransport
from cluster.lab.wire import ApiSocket, LabTransport, Machine, PodTransport, Socket
from cluster.network.underlay import MemoryUnderlay
from cluster.proxy.component import Proxy
from cluster.proxy.config import Config as ProxyConfig
from cluster.runtime.component import Runtime
from cluster.runtime.config import Config as RuntimeConfig
from cluster.runtime.vos.kernel import Token
from cluster.scheduler.component import Scheduler
from cluster.storage.interface import Storage

ADMIN = identity.User("kubernetes-admin", (identity.MASTERS, identity.AUTHENTICATED))
API_SERVER = "apiserver"
SCHEDULER = "scheduler"
CONTROLLER_MANAGER = "controller-manager"
_BOOKMARK_SECONDS = 280.0
"""Once while a revision is kept: every watch pays for each of them, and all day in a lab."""
_UNDERLAY_MTU = 65535
"""As loopback has it: what goes over the cable is a frame of the emulated wire with its headers."""
CONTROL_PLANE = (API_SERVER, CONTROLLER_MANAGER, SCHEDULER)


class _ApiServer:
    """The API server of the lab: the registry without REST and gRPC, which need sockets."""

    def __init__(
        self,
        registry: Registry,
        chain: Chain,
        *,
        collector: Collector,
        extensions: Extensions,
        policies: PolicyStatus,
        store: Storage,
        socket: ApiSocket,
        every: float,
    ) -> None:
        self._collector = collector
        self._extensions = extensions
        self._policies = policies
        self._registry = registry
        self._chain = chain
        self._store = store
        self._socket = socket
        self._compact_every = every
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Serve until cancelled."""
        await self._registry.open()
        self._extensions.open()
        self._policies.open()
        try:
            self._socket.up(self._registry)
            self.ready.set()
            async with tasks.Group("apiserver") as group:
                for publisher in publishing.publishers(self._registry, self._chain):
                    group.spawn(publisher.run(), "quotas")
                group.spawn(self._collector.run(), "usage")
                group.spawn(self._extensions.run(), "extensions")
                group.spawn(self._policies.run(), "policy status")
                events = expiry.Expiry(self._registry)
                group.spawn(events.run(), "expiry")
                history = compaction.Compaction(self._store, self._compact_every)
                group.spawn(history.run(), "compaction")
        finally:
            self._socket.down()
            await self._registry.close()


class Assembly:
    """Makes the parts. Each draws from a generator of its own, which outlives its restarts."""

    def __init__(
        self,
        config: Config,
        store: Storage,
        clock: clock.Clock,
        on_ledger: Callable[[Ledger], None],
        rough: Disk | None = None,
    ) -> None:
        self._config = config
        self._store = store
        self._clock = clock
        self._on_ledger = on_ledger
        self._randoms: dict[str, random.Random] = {}
        self._machines: dict[str, Machine] = {}
        self._issuer = keys.issuer(config.seed)
        self.underlay = MemoryUnderlay(self.random("underlay"), mtu=_UNDERLAY_MTU)
        """The wire between the nodes."""
        self.rough = rough
        self.api = RoughSocket(rough.world) if rough is not None else ApiSocket()
        self.kubelets: Connector = Nowhere()
        """How the API server reaches kubelets; whoever has the parts says it."""

    def netops(self, node: str) -> Any:
        """How a node's network is seen and broken."""
        return self._machines[node].netops

    def runtimes(self) -> dict[str, Any]:
        """The service object of each runtime that is up."""
        services = {name: machine.cri.service for name, machine in self._machines.items()}
        return {name: service for name, service in services.items() if service is not None}

    def parts(self) -> list[Part]:
        """Every part, in the order in which they start."""
        node_parts = [part for node in self._config.nodes for part in self.node(node)]
        return [
            Part(API_SERVER, self._api_server),
            Part(CONTROLLER_MANAGER, self._controller_manager),
            Part(SCHEDULER, self._scheduler),
            *node_parts,
        ]

    def node(self, node: kubelet_config.Config) -> list[Part]:
        """The parts of one node: its runtime, kubelet and proxy."""
        name = node.node_name
        self._machines[name] = Machine(name, self._clock)

        async def runtime(part: Part) -> None:
            await self._runtime(part, node)

        async def kubelet(part: Part) -> None:
            await self._kubelet(part, node)

        async def proxy(part: Part) -> None:
            await self._proxy(part, name)

        return [
            Part(f"runtime/{name}", runtime),
            Part(f"kubelet/{name}", kubelet),
            Part(f"kube-proxy/{name}", proxy),
        ]

    def transport(self, user: identity.User, part: str) -> LabTransport:
        """The way of a part to the API server, with delays of its own."""
        generator = self.random(f"{part}/wire")
        shortest, longest = self._config.latency

        def delay() -> float:
            return generator.uniform(shortest, longest)

        if isinstance(self.api, RoughSocket):
            return RoughTransport(self.api, user, delay, part, smooth=part == "lab")
        return self.api.transport(user, delay)

    def _pod_transport(self, part: str, token: Token) -> LabTransport:
        """The way of a pod to the API server, as its service account."""
        generator = self.random(f"{part}/pods")
        shortest, longest = self._config.latency
        settings = self._issuer.settings
        return PodTransport(
            self.api, token, settings, self._clock, lambda: generator.uniform(shortest, longest)
        )

    def random(self, part: str) -> random.Random:
        """The generator of a part."""
        found = self._randoms.get(part)
        if found is None:
            seed = f"{self._config.seed}/{part}"
            found = self._randoms[part] = random.Random(seed)  # noqa: S311  (repeats)
        return found

    async def _api_server(self, part: Part) -> None:
        store = self._store
        if self.rough is not None:
            store = disk = DiskStorage(self.rough)
            part.severed_by(disk.cut)
            part.severed_by(self.api.down)
        ledger = Ledger()
        self._on_ledger(ledger)
        chain = defaults.chain(selection=defaults.Selection(enable=("NodeRestriction",)))
        registry = Registry(
            resources.built_in(),
            store,
            clock=self._clock,
            random=self.random(part.name),
            admission=chain,
            ledger=ledger,
            version=self._config.kubernetes_version,
            authorization=(modes.NODE, modes.RBAC),
            limits=Limits(bookmark_seconds=_BOOKMARK_SECONDS),
            issuer=self._issuer,
            initial=bootstrap.Initial(addons=self._config.addons),
        )
        collector = Collector(registry.cache, self.kubelets)
        registry.computed |= metrics.sources(registry.cache, collector, self._clock)
        extensions = Extensions(registry, self.random(f"{part.name}/extensions"))
        server = _ApiServer(
            registry,
            chain,
            collector=collector,
            extensions=extensions,
            policies=PolicyStatus(registry, self.random(f"{part.name}/policies")),
            store=store,
            socket=self.api,
            every=self._config.compaction_seconds,
        )
        await _run(part, server)

    async def _controller_manager(self, part: Part) -> None:
        user = identity.User("system:kube-controller-manager", (identity.AUTHENTICATED,))
        await self._with_client(
            part,
            user,
            lambda client: ControllerManager(
                _with_authority(self._config.controllers),
                client=client,
                clock=self._clock,
                random=self.random(part.name),
            ),
        )

    async def _scheduler(self, part: Part) -> None:
        user = identity.User("system:kube-scheduler", (identity.AUTHENTICATED,))
        await self._with_client(
            part,
            user,
            lambda client: Scheduler(
                self._config.scheduler,
                client=client,
                clock=self._clock,
                random=self.random(part.name),
            ),
        )

    async def _runtime(self, part: Part, node: kubelet_config.Config) -> None:
        machine = self._machines[node.node_name]
        connected = bool(self._config.network_backend)
        address = next((one for one in node.addresses if connected and ":" not in one), "")
        built = Runtime(
            RuntimeConfig(node_name=node.node_name, node_ip=address),
            clock=self._clock,
            random=self.random(part.name),
            disk=machine.disk,
            underlay=self.underlay,
        )
        built.cri.reach_api(partial(self._pod_transport, part.name))
        machine.up(built.cri, built.dataplane, built.overlay, built.netops)
        part.severed_by(machine.down)
        try:
            await _run(part, built)
        finally:
            machine.down()

    async def _kubelet(self, part: Part, node: kubelet_config.Config) -> None:
        name = f"system:node:{node.node_name}"
        user = identity.User(name, ("system:nodes", identity.AUTHENTICATED))
        machine: Any = self._line(part, self._machines[node.node_name].cri)
        disk = self._machines[node.node_name].disk
        await self._with_client(
            part,
            user,
            lambda client: Kubelet(
                node,
                client=client,
                cri=machine,
                clock=self._clock,
                random=self.random(part.name),
                disk=disk,
            ),
        )

    async def _proxy(self, part: Part, node: str) -> None:
        user = identity.User("system:kube-proxy", (identity.AUTHENTICATED,))
        machine = self._machines[node]
        dataplane: Any = self._line(part, machine.dataplane)
        overlay: Any = self._line(part, machine.overlay)
        backend = self._config.network_backend
        config = ProxyConfig(
            node_name=node,
            network_backend=backend or "vxlan",
            cluster_cidr=self._config.controllers.cluster_cidr,
        )
        await self._with_client(
            part,
            user,
            lambda client: Proxy(
                config,
                client=client,
                dataplane=dataplane,
                clock=self._clock,
                random=self.random(part.name),
                overlay=overlay if backend else None,
            ),
        )

    def _line(self, part: Part, socket: Socket) -> Socket | Line:
        """A part's way to its runtime, for one life of it."""
        if self.rough is None:
            return socket
        line = Line(socket, part.name, self.rough.world.crossings)
        part.severed_by(line.cut)
        return line

    async def _with_client(
        self, part: Part, user: identity.User, build: Callable[[Client], Component]
    ) -> None:
        manager = part.name.partition("/")[0]
        transport = self.transport(user, part.name)
        if isinstance(transport, RoughTransport):
            part.severed_by(transport.cut)
        async with Client(transport, manager=manager) as client:
            await _run(part, build(client))


def _with_authority(settings: ControllerConfig) -> ControllerConfig:
    return settings if settings.root_ca else dataclasses.replace(settings, root_ca=keys.ROOT_CA)


async def _run(part: Part, component: Component) -> None:
    part.built(component)
    await component.run()
