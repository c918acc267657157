"""A cluster as a scenario of the lab holds it: act on it, wait for it, look into it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

from cluster.aio import clock, tasks
from cluster.api import conditions, errors, identity, objects, resources
from cluster.api.operations import MERGE_PATCH
from cluster.apiserver.ledger import Ledger
from cluster.apiserver.registry import Registry
from cluster.client.client import Client
from cluster.lab import assembly, invariants, kubelets, manifests, netops
from cluster.lab.config import Config
from cluster.lab.eventlog import EventLog
from cluster.lab.mirror import Mirror
from cluster.lab.parts import Part
from cluster.lab.rough.crossings import Crossings, World
from cluster.lab.rough.disk import Disk
from cluster.lab.rough.wire import RoughSocket
from cluster.pb.cluster.v1 import kubelet_pb2, netops_pb2
from cluster.runtime.linkends import Place
from cluster.storage.memory import MemoryStorage

T = TypeVar("T")

_READY_SECONDS = 60.0
_LOOK_EVERY = 1.0
"""Seconds after which a condition is looked at again though nothing was written: it may be about
time, or about something outside the API."""
_LOOK_PAUSE = 0.005
"""Seconds between looks while much is written: looking at thousands of objects has its price."""


class NotReached(AssertionError):
    """What a scenario waited for did not come about in time."""


@dataclass(slots=True)
class Executed:
    """What a command wrote, and its exit code."""

    out: str = ""
    err: str = ""
    code: int = 0


class Cluster:
    """The running cluster. `client` acts as the administrator; `log` is the event log.

    Looking (`get`, `list`) costs nothing and sees each write at once, even those that the API
    server, being down, could not tell of.
    """

    def __init__(self, config: Config, log: EventLog, clock: clock.Clock) -> None:
        self.log = log
        self.clock = clock
        self.mirror = Mirror()
        self.watchdog = invariants.Watchdog(self.mirror)
        self._config = config
        self._store = MemoryStorage()
        self.disk: Disk | None = None
        """A rough lab's: what is durable, and how often something crossed."""
        if config.rough is not None:
            draws = Random(f"{config.seed}/rough")  # noqa: S311  (repeats)
            self.disk = Disk(World(config.rough, draws, Crossings()))
        self._assembly = assembly.Assembly(config, self._store, clock, self._hook, self.disk)
        self._parts = {part.name: part for part in self._assembly.parts()}
        self.kubelets = self._assembly.kubelets = kubelets.LabConnector(self._parts)
        names = [node.node_name for node in config.nodes]
        self._links = netops.Links(names, self._assembly.netops, config.seed)
        self._changed = asyncio.Event()
        self._table = resources.built_in()
        self._group: tasks.Group | None = None
        self.client = Client(self._assembly.transport(assembly.ADMIN, "lab"), manager="lab")

    def acting_as(self, user: identity.User) -> Client:
        """A client of somebody who is no administrator. Use it inside `async with`."""
        return Client(self._assembly.transport(user, user.name), manager=user.name)

    # ---- acting ------------------------------------------------------------------------------

    async def apply(self, given: manifests.Given) -> Sequence[objects.Object]:
        """Create each object, or patch the one that is there (merge); what the API made of it."""
        made = []
        for row, obj in manifests.read(given, self._table):
            self.log.note(f"apply {row.id} {objects.key(obj)}")
            try:
                made.append(await self.client.create(row.id, obj))
            except errors.AlreadyExists:
                patched = await self.client.patch(
                    row.id, objects.name(obj), obj, objects.namespace(obj), patch_type=MERGE_PATCH
                )
                made.append(patched)
        return made

    async def stop(self, *names: str) -> None:
        """Stop components: `scheduler`, `kubelet/node-1`…; each at once, without a farewell."""
        for name in names:
            self.log.note(f"stop {name}")
            await self.part(name).stop()

    def kill(self, name: str) -> None:
        """`kill -9`: the process is gone at this very moment, in the middle of what it does. What
        was acknowledged stays. Of a rough lab; `stop` is like it elsewhere.
        """
        self.log.note(f"kill {name}")
        self.part(name).kill()

    async def start(self, *names: str, wait: bool = True) -> None:
        """Start components that were stopped, and wait until they are ready (or do not `wait`:
        what they need may be down as well).
        """
        for name in names:
            self.log.note(f"start {name}")
            self.part(name).start(self._open())
        for name in names if wait else ():
            await self._ready(self.part(name))

    async def kill_node(self, name: str) -> None:
        """The machine is gone: its kubelet, its proxy, and all that ran on it."""
        self.log.note(f"kill node {name}")
        await self.stop(*(part for part in self._of_node(name) if self.part(part).running))

    async def revive_node(self, name: str) -> None:
        """Switch a killed machine on again: nothing of what ran on it is there any more."""
        self.log.note(f"revive node {name}")
        await self.start(*self._of_node(name))

    async def impair(
        self,
        link: str,
        *,
        delay: float = 0.0,
        jitter: float = 0.0,
        loss: float = 0.0,
        duplicate: float = 0.0,
        reorder: float = 0.0,
        rate: float = 0.0,
    ) -> None:
        """Make a link of the pod network bad, both ways, by the lab's seed: `node-1:node-2`,
        `node-1` (all of its links), `pod:NAMESPACE/NAME`. Times in seconds, shares from 0 to 1,
        the rate in bits a second. ValueError; rpc.Failure while a machine is down.
        """
        how = netops_pb2.LinkImpairment(
            delay=delay, jitter=jitter, loss=loss, duplicate=duplicate, reorder=reorder, rate=rate
        )
        self.log.note(f"impair {link}")
        await self._links.impair(link, how, self._place)

    async def partition(self, *groups: Sequence[str]) -> None:
        """Cut the pod network between groups of nodes; one alone is cut off from all others."""
        self.log.note(f"partition {' | '.join(','.join(group) for group in groups)}")
        await self._links.partition(groups)

    async def heal(self, link: str = "") -> None:
        """Make a link of the pod network good again, or all of them."""
        self.log.note(f"heal {link}".rstrip())
        await self._links.heal(link, self._place)

    def _place(self, namespace: str, name: str) -> Place:
        pod = self.get("pods", name, namespace)
        address = pod["status"].get("podIP", "") if pod is not None else ""
        if pod is None or not address:
            raise ValueError(f"pod {namespace}/{name} has no address")
        return Place(objects.spec(pod)["nodeName"], address)

    @property
    def rough(self) -> Disk:
        """What makes a rough lab rough. RuntimeError of another."""
        if self.disk is None:
            raise RuntimeError("the lab is not rough")
        return self.disk

    @property
    def wire_faults(self) -> Sequence[BaseException]:
        """What went wrong with a rough lab's own wire."""
        api = self._assembly.api
        return api.faults if isinstance(api, RoughSocket) else ()

    def rough_client(self, name: str) -> Client:
        """An administrator's client on whose way things get lost, in a rough lab. Use it inside
        `async with`.
        """
        return Client(self._assembly.transport(assembly.ADMIN, name), manager=name)

    def random(self, part: str) -> Random:
        """The generator of a part of the scenario."""
        return self._assembly.random(f"scenario/{part}")

    def runtimes(self) -> Mapping[str, Any]:
        """The service object of each node's runtime that is up: what really runs there."""
        return self._assembly.runtimes()

    async def set_links(self, node: str, request: netops_pb2.SetLinksRequest) -> None:
        """Tell a node of its links, in its own words. rpc.Failure while its machine is down."""
        await self._assembly.netops(node).set_links(request)

    @property
    def registry(self) -> Registry:
        """That of the API server. errors.ServiceUnavailable while it is down."""
        return self._assembly.api.here()

    @property
    def store(self) -> MemoryStorage:
        """What the API server keeps its objects in."""
        return self._store

    @property
    def part_names(self) -> Sequence[str]:
        """All components, in the order in which they start."""
        return [*self._parts]

    def part(self, name: str) -> Part:
        """A component's place. KeyError with the names that there are."""
        if name not in self._parts:
            raise KeyError(f"no component {name}: there are {', '.join(self._parts)}")
        return self._parts[name]

    async def exec(
        self, pod: str, *command: str, namespace: str = "default", container: str = ""
    ) -> Executed:
        """Run a command in a container of a pod, by default its first, to its end.

        errors.StatusError; kubelets.protocol.Unreachable where the node's kubelet is down.
        """
        node, ref = self._container(pod, namespace, container)
        start = kubelet_pb2.StreamStart(container=ref, command=command, stdout=True, stderr=True)

        async def inputs() -> AsyncIterator[kubelet_pb2.StreamInput]:
            yield kubelet_pb2.StreamInput(start=start)

        done = Executed()
        async with self.kubelets.kubelet(node) as kubelet:
            async for output in kubelet.exec(inputs()):
                done.out += output.stdout.decode(errors="replace")
                done.err += output.stderr.decode(errors="replace")
                if output.HasField("exit"):
                    done.code = output.exit.code
                    done.err += output.exit.error
        return done

    async def logs(
        self, pod: str, *, namespace: str = "default", container: str = "", previous: bool = False
    ) -> str:
        """What a container of a pod, by default its first, has written. Errors as `exec`."""
        node, ref = self._container(pod, namespace, container)
        request = kubelet_pb2.LogsRequest(container=ref, previous=previous)
        async with self.kubelets.kubelet(node) as kubelet:
            chunks = [one.data async for one in kubelet.logs(request)]
        return b"".join(chunks).decode(errors="replace")

    def _container(
        self, pod: str, namespace: str, container: str
    ) -> tuple[objects.Object, kubelet_pb2.ContainerRef]:
        found = self.get("pods", pod, namespace)
        if found is None:
            raise errors.NotFound(f'pods "{pod}" not found')
        spec = objects.spec(found)
        node = self.get("nodes", spec.get("nodeName") or "")
        if node is None:
            raise errors.BadRequest(f"pod {pod} does not have a host assigned")
        name = container or spec["containers"][0]["name"]
        return node, kubelet_pb2.ContainerRef(
            node=objects.name(node), namespace=namespace, pod=pod, container=name
        )

    # ---- waiting -----------------------------------------------------------------------------

    async def until(self, condition: Callable[[], T], *, within: float, what: str = "") -> T:
        """Wait until `condition` gives something true, and give it.

        It is looked at within 5 ms of every write, and every second. NotReached after `within`
        seconds; invariants.Broken at once.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + within
        while True:
            self._changed.clear()
            found = condition()
            if found:
                return found
            self.check()
            left = end - loop.time()
            if left <= 0:
                raise NotReached(self._unmet(what or _name(condition), within))
            try:
                async with asyncio.timeout(min(left, _LOOK_EVERY)):
                    await self._changed.wait()
                    await asyncio.sleep(_LOOK_PAUSE)
            except TimeoutError:
                continue

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)
        self.check()

    def now(self) -> float:
        """Seconds since the lab began."""
        return asyncio.get_running_loop().time()

    # ---- looking -----------------------------------------------------------------------------

    def get(self, resource: str, name: str, namespace: str = "") -> objects.Object | None:
        """One object, or None. It is shared: read only."""
        return self.mirror.get(resource, name, namespace)

    def list(
        self, resource: str, namespace: str = "", labels: Mapping[str, str] | None = None
    ) -> Sequence[objects.Object]:
        """Objects of a resource, those with all these labels, in the order of their keys."""
        return self.mirror.list(resource, namespace, labels)

    def pods(self, *, ready: bool = False, **labels: str) -> Sequence[objects.Object]:
        """The pods of all namespaces with these labels that nobody deletes; only Ready ones."""
        found = [pod for pod in self.mirror.list("pods", "", labels) if not objects.deleting(pod)]
        return [pod for pod in found if conditions.is_true(pod, "Ready")] if ready else found

    def ready_nodes(self) -> Sequence[str]:
        """The names of the nodes that are Ready."""
        nodes = self.mirror.list("nodes")
        return [objects.name(node) for node in nodes if conditions.is_true(node, "Ready")]

    def check(self) -> None:
        """invariants.Broken, where what must never be was written."""
        if self.watchdog.broken:
            raise invariants.Broken("\n".join(self.watchdog.broken))

    # ---- the lab's own -----------------------------------------------------------------------

    async def boot(self, group: tasks.Group) -> None:
        """Start everything, and wait until the nodes are Ready."""
        self._group = group
        await self._store.open()
        if self.disk is not None:
            self.disk.subscribe(self._take)
        else:
            self._store.subscribe(0, self._take)
        await self.client.__aenter__()
        for part in self._parts.values():
            part.start(group)
            if part.name == assembly.API_SERVER:
                await self._ready(part)
        for part in self._parts.values():
            await self._ready(part)
        wanted = len(self._config.nodes)
        await self.until(
            lambda: len(self.ready_nodes()) >= wanted,
            within=_READY_SECONDS,
            what=f"{wanted} nodes Ready",
        )
        self.log.note("booted")

    async def come_to_rest(self, within: float) -> None:
        """Wait until nothing is wrong at rest. invariants.Broken with what still is."""
        self.check()
        if not all(self._parts[name].running for name in assembly.CONTROL_PLANE):
            return
        try:
            await self.until(lambda: not invariants.at_rest(self.mirror), within=within)
        except NotReached:
            raise invariants.Broken("\n".join(invariants.at_rest(self.mirror))) from None

    async def shut_down(self) -> None:
        """Stop everything, last started first."""
        for part in reversed(self._parts.values()):
            if part.running:
                await part.stop()
        await self.client.__aexit__(None, None, None)
        if isinstance(self._assembly.api, RoughSocket):
            await self._assembly.api.quiet()
        await self._store.close()

    def _of_node(self, name: str) -> Sequence[str]:
        return [f"{kind}/{name}" for kind in ("runtime", "kubelet", "kube-proxy")]

    def _open(self) -> tasks.Group:
        if self._group is None:
            raise RuntimeError("the cluster has not been booted")
        return self._group

    async def _ready(self, part: Part) -> None:
        try:
            async with asyncio.timeout(_READY_SECONDS):
                await part.ready()
        except TimeoutError:
            raise NotReached(self._unmet(f"{part.name} ready", _READY_SECONDS)) from None

    def _take(self, events: Any) -> None:
        self.log.take(events)
        self.mirror.take(events)
        self._changed.set()

    def _hook(self, ledger: Ledger) -> None:
        ledger.hook(self.log.fact)

    def _unmet(self, what: str, within: float) -> str:
        tail = "\n  ".join(self.log.tail(20))
        return f"not within {within:g} s: {what}. The last of the log:\n  {tail}"


def _name(condition: Callable[[], object]) -> str:
    code = getattr(condition, "__code__", None)
    where = f" ({code.co_filename}:{code.co_firstlineno})" if code else ""
    return f"{getattr(condition, '__qualname__', condition)}{where}"
