"""Runs a seed: boots a small cluster, lets clients load it while parts are killed, lets it come to
rest, and judges all that clients, watchers, the store and the runtimes have seen.
"""

import asyncio
from dataclasses import dataclass, field
from random import Random
from typing import Final

from cluster.aio import tasks
from cluster.api import objects
from cluster.chaos.checking import (
    convergence,
    judging,
    looks,
    ordering,
    pods,
    story,
)
from cluster.chaos.checking.history import NEVER, History
from cluster.chaos.hammer import registers
from cluster.chaos.hammer.registers import Hammer
from cluster.chaos.hammer.watching import Watcher
from cluster.chaos.hammer.workloads import Workloads
from cluster.client.client import Client
from cluster.lab.invariants import Broken
from cluster.lab.lab import Lab
from cluster.lab.mirror import Change
from cluster.lab.rough.crossings import CALM, Roughness
from cluster.lab.seeds.killing import Killer
from cluster.lab.world import Cluster, NotReached
from cluster.pb.cri.v1 import api_pb2 as cri

NAMESPACE: Final = "load"
_NODES: Final = 2
_NAMES: Final = ("a", "b", "c", "d")
_HAMMERS: Final = 3
_OPERATIONS: Final = 25
_PAUSE: Final = 0.1
_KILLERS: Final = 2
_KILLS: Final = 4
_CHANGES: Final = 6
_LOOK_EVERY: Final = 0.25
_CONVERGE_SECONDS: Final = 900.0
"""Nodes that were away for a minute are NotReady; images that could not be pulled and containers
that ended wait for up to five minutes."""
_CATCH_UP_SECONDS: Final = 60.0


@dataclass
class Outcome:
    """How a seed went. `faults` are stories, one each; none: all is well."""

    seed: int
    faults: list[str] = field(default_factory=list)
    calls: int = 0
    unanswered: int = 0
    kills: list[str] = field(default_factory=list)
    seconds: float = 0.0
    """Virtual ones."""
    healed: float = 0.0
    """When nothing was broken any more."""
    converged: float = 0.0
    """When everything was as it should be again."""
    digest: str = ""
    log: str = ""


def run(seed: int) -> Outcome:
    """Run a seed. It raises nothing: what goes wrong is a fault of the outcome."""
    outcome = Outcome(seed)
    lab = Lab(seed=f"chaos/{seed}", nodes=_NODES, rough=Roughness())
    torment = _Torment(seed, outcome)
    try:
        lab.run(torment.scenario)
    except (Broken, NotReached) as fault:
        outcome.faults.append(str(fault))
    except Exception as fault:  # noqa: BLE001  (whatever ends a lab is this seed's fault)
        outcome.faults.append(f"the lab ended: {fault!r}{''.join(_notes(fault))}")
    outcome.seconds = lab.seconds
    if lab.log is not None:
        outcome.digest, outcome.log = lab.log.digest, lab.log.text
    return outcome


def _notes(fault: BaseException) -> list[str]:
    return [f"\n  {note}" for note in getattr(fault, "__notes__", ())]


class _Torment:
    """The scenario of a seed, and what is seen in it."""

    def __init__(self, seed: int, outcome: Outcome) -> None:
        self._seed = seed
        self._outcome = outcome
        self._history = History()
        self._facts: dict[int, ordering.Fact] = {}
        self._sightings: list[pods.Sighting] = []
        self._twice: dict[str, None] = {}
        self._cluster: Cluster
        self._last = 0

    async def scenario(self, cluster: Cluster) -> None:
        """Load, kill, heal, judge."""
        self._cluster = cluster
        cluster.mirror.observe(registers.RESOURCE, self._written)
        cluster.mirror.observe("pods", self._seen)
        await cluster.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": _named(NAMESPACE)}
        )
        await Workloads(cluster.client, NAMESPACE, self._random("begin")).begin()
        async with tasks.Group("torment") as group:
            watchers = [self._watcher(number, group) for number in range(2)]
            looking = group.spawn(self._look(), "look")
            await self._trouble(group)
            await self._rest(watchers)
            looking.cancel()
            group.cancel()
        self._judge(watchers)

    async def _trouble(self, group: tasks.Group) -> None:
        """Load and kills, until both are over; then nothing gets lost any more."""
        cluster, busy = self._cluster, dict[str, None]()
        killers = [
            Killer(cluster, self._random(f"killer-{number}"), busy) for number in range(_KILLERS)
        ]
        under_way = [group.spawn(each.run(_KILLS), "killer") for each in killers]
        under_way += [group.spawn(self._hammer(number), "hammer") for number in range(_HAMMERS)]
        under_way.append(group.spawn(self._change(), "change"))
        for each in under_way:
            await each
        cluster.rough.world.roughness = CALM
        self._outcome.healed = cluster.now()
        self._outcome.kills = [name for each in killers for name in each.kills]

    async def _hammer(self, number: int) -> None:
        name = f"client-{number}"
        async with self._client(name) as client:
            hammer = Hammer(
                client, name, self._history, namespace=NAMESPACE, names=_NAMES,
                random=self._random(name), clock=self._cluster.clock,
            )  # fmt: skip
            await hammer.run(_OPERATIONS, _PAUSE)

    async def _change(self) -> None:
        async with self._client("changer") as client:
            workloads = Workloads(client, NAMESPACE, self._random("changer"))
            for _ in range(_CHANGES):
                await workloads.one()
                await asyncio.sleep(self._random("changer/pause").uniform(0, 2))

    def _watcher(self, number: int, group: tasks.Group) -> Watcher:
        name = f"watcher-{number}"
        client = self._client(name)
        watcher = Watcher(client, name, NAMESPACE, self._random(name))

        async def watch() -> None:
            async with client:
                await watcher.run()

        group.spawn(watch(), name)
        return watcher

    async def _look(self) -> None:
        """Look what really runs, again and again."""
        while True:
            for wrong in pods.twice(await self._running(), "in the run"):
                self._twice.setdefault(wrong)
            await asyncio.sleep(_LOOK_EVERY)

    async def _running(self) -> dict[str, list[pods.Running]]:
        found = {}
        for node, service in self._cluster.runtimes().items():
            sandboxes = await service.list_pod_sandbox(cri.ListPodSandboxRequest())
            containers = await service.list_containers(cri.ListContainersRequest())
            found[node] = looks.running(sandboxes.items, containers.containers)
        return found

    async def _rest(self, watchers: list[Watcher]) -> None:
        """Wait until everything is as it should be, and read everything once more."""
        cluster = self._cluster
        await self._converge()
        last = Hammer(
            cluster.client, "last", self._history, namespace=NAMESPACE, names=_NAMES,
            random=self._random("last"), clock=cluster.clock,
        )  # fmt: skip
        if not await last.look():
            self._outcome.faults.append("the last reads were not answered")
        try:
            await cluster.until(
                lambda: all(each.caught_up(self._last) for each in watchers),
                within=_CATCH_UP_SECONDS,
            )
        except NotReached:
            behind = [each.watch.name for each in watchers if not each.caught_up(self._last)]
            self._outcome.faults.append(
                f"{', '.join(behind)} did not come to revision {self._last}"
            )

    async def _converge(self) -> None:
        """Wait until objects are as they should be, and the runtimes have what they say."""
        end = self._cluster.now() + _CONVERGE_SECONDS
        wrong: list[str] = ["it was not looked at"]
        while wrong and self._cluster.now() < end:
            try:
                await self._cluster.until(
                    lambda: not self._complaints(), within=end - self._cluster.now()
                )
            except NotReached:
                break
            await self._cluster.sleep(1)
            wrong = [*self._complaints(), *await self._strays()]
        self._outcome.converged = self._cluster.now()
        self._outcome.faults += [f"it does not converge: {one}" for one in wrong]

    async def _strays(self) -> list[str]:
        bound = {
            objects.uid(pod): objects.spec(pod)["nodeName"]
            for pod in self._cluster.list("pods")
            if objects.status(pod).get("phase") == "Running"
        }
        return list(pods.strays(await self._running(), bound))

    def _complaints(self) -> list[str]:
        return convergence.complaints(
            {kind: self._cluster.list(kind) for kind in convergence.KINDS}
        )

    def _judge(self, watchers: list[Watcher]) -> None:
        calls, faults = self._history.calls, self._outcome.faults
        for call in calls:
            self._cluster.log.note(story.line(call))
        self._outcome.calls = len(calls)
        self._outcome.unanswered = sum(call.end == NEVER for call in calls)
        watched = [each.watch for each in watchers]
        faults += judging.judge(calls, self._facts, watched, self._sightings).faults
        faults += self._twice
        faults += [f"the lab's wire: {fault!r}" for fault in self._cluster.wire_faults]

    def _written(self, change: Change) -> None:
        shown = change.new or change.old or {}
        value = registers.value_of(shown)
        if value is not None and objects.namespace(shown) == NAMESPACE:
            key = registers.prefix(NAMESPACE) + objects.name(shown)
            self._facts[change.revision] = ordering.Fact(key, value if change.new else None)
            self._last = change.revision

    def _seen(self, change: Change) -> None:
        if change.new is not None:
            node = objects.spec(change.new).get("nodeName", "")
            self._sightings.append(
                pods.Sighting(change.revision, objects.uid(change.new), change.key, node)
            )

    def _client(self, name: str) -> Client:
        return self._cluster.rough_client(name)

    def _random(self, part: str) -> Random:
        return self._cluster.random(part)


def _named(name: str) -> dict[str, str]:
    return {"name": name}
