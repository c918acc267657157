"""One round: a load, kills at random moments, convergence, and a judgement of all that was seen."""

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import grpc

from chaosrounds.looking import Runtimes
from chaosrounds.store import Book
from cluster.aio import clock as clocks
from cluster.aio import tasks
from cluster.api import errors, objects
from cluster.chaos.checking import (
    convergence,
    judging,
    ordering,
    pods,
    story,
)
from cluster.chaos.checking.history import NEVER, Call, History
from cluster.chaos.hammer import registers
from cluster.chaos.hammer.registers import Hammer
from cluster.chaos.hammer.watching import Watcher
from cluster.chaos.hammer.workloads import Workloads
from cluster.client.client import Client
from cluster.launcher import controlling

NAMESPACE = "load"
VICTIMS = (
    "apiserver", "scheduler", "controller-manager", "kubelet", "runtime", "kube-proxy", "etcd",
)  # fmt: skip
_PAUSE = 0.02
_LOAD_SECONDS = 1.0
"""How long the load goes on after the last kill."""
_CONVERGE_SECONDS = 150.0
_CATCH_UP_SECONDS = 30.0


@dataclass
class Report:
    """How a round went."""

    number: int
    kills: list[str] = field(default_factory=list)
    calls: int = 0
    unanswered: int = 0
    seconds: float = 0.0
    recovered: float = 0.0
    """Seconds from the last kill until everything was as it should be."""
    faults: list[str] = field(default_factory=list)
    histories: dict[str, str] = field(default_factory=dict)
    """All that is known of the objects that were found to be broken."""


@dataclass
class Bench:
    """What rounds work with: the clients, the watchers that go through all rounds, and the
    processes.
    """

    control: controlling.Remote
    victims: Mapping[str, Sequence[str]]
    """The names of processes by component: one is as likely to be killed as another."""
    clients: Sequence[Client]
    watchers: Sequence[Watcher]
    runtimes: Runtimes
    sightings: list[pods.Sighting]
    book: Book
    told: dict[str, None] = field(default_factory=dict)
    """The faults that were told of: what goes through all rounds is judged whole after each."""
    clock: clocks.Clock = field(default_factory=clocks.SystemClock)

    @property
    def steady(self) -> Client:
        """The client for looking."""
        return self.clients[0]


async def play(bench: Bench, number: int, random: Random) -> Report:
    """Play a round."""
    report = Report(number)
    began = time.monotonic()
    history = History()
    names = tuple(f"r{number}-{letter}" for letter in "abcd")
    hammers = [
        Hammer(
            client, f"client-{at}", history, namespace=NAMESPACE, names=names,
            random=Random(random.getrandbits(64)), clock=bench.clock, patience=5.0,
        )
        for at, client in enumerate(bench.clients)
    ]  # fmt: skip
    async with tasks.Group("round") as group:
        group.spawn(bench.runtimes.watch(0.15), "look")
        load = [group.spawn(each.run(1_000_000, _PAUSE), "hammer") for each in hammers]
        changer = Workloads(bench.steady, NAMESPACE, Random(random.getrandbits(64)), f"r{number}")
        load.append(group.spawn(_change(changer, Random(random.getrandbits(64))), "change"))
        report.kills = await _kill(bench, Random(random.getrandbits(64)))
        killed = time.monotonic()
        await asyncio.sleep(_LOAD_SECONDS)
        for each in load:
            each.cancel()
        report.faults += [f"it does not converge: {each}" for each in await _converge(bench)]
        report.recovered = time.monotonic() - killed
        await _last_reads(hammers[0], report)
        group.cancel()
    report.calls = len(history.calls)
    report.unanswered = sum(call.end == NEVER for call in history.calls)
    await _judge(bench, history, report)
    await _clear(bench.steady, names)
    await _replace(bench.steady)
    report.seconds = time.monotonic() - began
    return report


async def _change(workloads: Workloads, random: Random) -> None:
    while True:
        await workloads.one()
        await asyncio.sleep(random.uniform(0, 1.0))


async def _kill(bench: Bench, random: Random) -> list[str]:
    """Kill one to three processes at random moments."""
    killed = []
    for _ in range(random.randint(1, 3)):
        await asyncio.sleep(random.uniform(0.05, 1.2))
        name = random.choice(bench.victims[random.choice(sorted(bench.victims))])
        with contextlib.suppress(controlling.Failed):  # it is dead already
            await bench.control.kill(name)
            killed.append(name)
    return killed


async def _converge(bench: Bench) -> list[str]:
    """Wait until everything is as it should be; what is not."""
    end = time.monotonic() + _CONVERGE_SECONDS
    while True:
        try:
            async with asyncio.timeout(20):
                wrong = await _complaints(bench)
        except (errors.StatusError, controlling.Failed, TimeoutError, grpc.RpcError) as fault:
            wrong = [f"it cannot be looked at: {fault!r}"]
        if not wrong or time.monotonic() > end:
            return wrong
        await asyncio.sleep(0.2)


async def _complaints(bench: Bench) -> list[str]:
    wrong = [
        f"process {each.name} is {each.Phase.Name(each.phase)}"
        for each in await bench.control.processes()
        if each.phase != each.RUNNING
    ]
    if wrong:
        return wrong
    world = {kind: (await bench.steady.list(kind)).items for kind in convergence.KINDS}
    wrong = convergence.complaints(world)
    if wrong:
        return wrong
    bound = {
        objects.uid(pod): objects.spec(pod)["nodeName"]
        for pod in world["pods"]
        if objects.status(pod).get("phase") == "Running"
    }
    look = await bench.runtimes.look()
    wrong = [f"the runtime of {name} does not answer" for name in bench.runtimes.silent(look)]
    return wrong + list(pods.strays(look, bound))


async def _last_reads(hammer: Hammer, report: Report) -> None:
    for _ in range(5):
        if await hammer.look():
            return
    report.faults.append("the last reads were not answered")


async def _judge(bench: Bench, history: History, report: Report) -> None:
    """Judge the round's calls, and what the watchers were told since they began."""
    calls, faults = history.calls, report.faults
    await _catch_up(bench, faults)
    facts = await bench.book.read()
    watched = [each.watch for each in bench.watchers]
    found = judging.judge(calls, facts, watched, bench.sightings)
    for key in found.broken:
        report.histories[key] = _all(bench, calls, key, facts)
    new = dict.fromkeys(
        each for each in (*found.faults, *bench.runtimes.twice) if each not in bench.told
    )
    faults += new
    bench.told |= new
    bench.runtimes.twice.clear()


def _all(bench: Bench, calls: Sequence[Call], key: str, facts: Mapping[int, ordering.Fact]) -> str:
    lines = [*story.told([call for call in calls if call.key == key]), "the store:"]
    lines += [f"{at}: {fact.value!r}" for at, fact in sorted(facts.items()) if fact.key == key]
    for each in bench.watchers:
        lines.append(f"watch {each.watch.name}:")
        lines += [str(told) for told in each.watch.told if told.key == key or not told.key]
    return "\n".join(lines)


async def _catch_up(bench: Bench, faults: list[str]) -> None:
    """Wait until the watchers have heard of a write of now, and so of all that was before."""
    mark = {"metadata": {"generateName": "mark-", "namespace": NAMESPACE}}
    made = await bench.steady.create(registers.RESOURCE, mark)
    await bench.steady.delete(registers.RESOURCE, objects.name(made), NAMESPACE)
    newest = registers.revision_of(made)
    end = time.monotonic() + _CATCH_UP_SECONDS
    while True:
        behind = [each.watch.name for each in bench.watchers if not each.caught_up(newest)]
        if not behind:
            return
        if time.monotonic() > end:
            faults.append(f"{', '.join(behind)} did not come to revision {newest}")
            return
        await asyncio.sleep(0.02)


async def _clear(client: Client, names: Sequence[str]) -> None:
    for name in names:
        with contextlib.suppress(errors.StatusError):
            await client.delete(registers.RESOURCE, name, NAMESPACE)


async def _replace(client: Client) -> None:
    """Have pods made anew whose containers were restarted: each time that a runtime dies under them
    they would wait twice as long, up to five minutes, as in Kubernetes.
    """
    for pod in (await client.list("pods")).items:
        statuses = objects.status(pod).get("containerStatuses") or ()
        if any(each.get("restartCount") for each in statuses):
            with contextlib.suppress(errors.StatusError):
                await client.delete("pods", objects.name(pod), objects.namespace(pod))


async def sight(client: Client, sightings: list[pods.Sighting]) -> None:
    """Follow all pods, until cancelled."""
    while True:
        try:
            revision = (await client.list("pods")).revision
            while True:
                async for batch in client.watch("pods", revision=revision):
                    for event in batch:
                        revision = event.revision
                        if event.type in ("ADDED", "MODIFIED"):
                            sightings.append(_sighting(event.object, event.revision))
                await asyncio.sleep(0.1)
        except errors.StatusError:
            await asyncio.sleep(0.2)


def _sighting(pod: Any, revision: int) -> pods.Sighting:
    node = objects.spec(pod).get("nodeName", "")
    return pods.Sighting(revision, objects.uid(pod), objects.key(pod), node)
