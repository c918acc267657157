"""A run: so many requests from a seed, each answer looked at, and a reckoning at the end."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import fuzz_checks
import fuzz_contract
import fuzz_requests
import fuzz_world
from fuzz_server import Server
from fuzz_wire import Answer, Connection, Request, Watchdog
from hypothesis import given, seed, settings

_ROUND = 100
_MEGABYTES = 700.0
_TWICE = 3
"""How often a fault of one kind is told in full."""


@dataclass(slots=True)
class Outcome:
    """What came of a run. `faults` is what must be empty."""

    faults: list[str] = field(default_factory=list)
    counts: Counter[tuple[str, int]] = field(default_factory=Counter)
    families: Counter[str] = field(default_factory=Counter)
    worst: float = 0.0
    worst_of_others: float = 0.0
    memory: float = 0.0
    objects: int = 0
    _told: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def add(self, request: Request, answer: Answer) -> None:
        self.counts[request.method, answer.status] += 1
        self.families[request.about] += 1
        self.worst = max(self.worst, answer.seconds)
        why = fuzz_checks.wrong(request, answer)
        if why:
            said = answer.body[:400]
            key = f"{why} {said[:160]!r}"
            self._told[key] += 1
            if self._told[key] <= _TWICE:
                self.faults.append(f"{why}: {request.about}: {request.curl()}\n    -> {said!r}")

    def table(self) -> str:
        """Counts by verb and status."""
        statuses = sorted({status for _, status in self.counts})
        methods = sorted({method for method, _ in self.counts})
        rows = ["".join(f"{text:>9}" for text in ("", *statuses))]
        for method in methods:
            numbers = [self.counts[method, status] or "" for status in statuses]
            rows.append("".join(f"{text:>9}" for text in (method, *numbers)))
        families = ", ".join(f"{name} {count}" for name, count in sorted(self.families.items()))
        return "\n".join([
            *rows, f"{self.total} requests: {families}",
            f"slowest answer {self.worst:.2f} s, slowest of others {self.worst_of_others:.2f} s, "
            f"{self.memory:.0f} MB, {self.objects} objects stored at the end",
        ])  # fmt: skip


def run(server: Server, start: int, own: int, by_contract: int) -> Outcome:
    """`own` requests of this fuzzer and `by_contract` of schemathesis, from the seed `start`."""
    outcome = Outcome()
    admin = server.connect()
    born = fuzz_checks.stored(admin)
    outcome.faults += fuzz_world.furnish(admin)
    fuzz_world.populate(admin)
    watchdog = Watchdog(server.connect(), "/api/v1/namespaces/default", server.busy)
    sender = server.connect("")
    with watchdog:
        _storm(outcome, sender, watchdog, fuzz_contract.requests(admin, by_contract, start), admin)
        for number in range(0, own, _ROUND):
            made = _drawn(fuzz_world.known(admin), min(_ROUND, own - number), start * 1000 + number)
            _storm(outcome, sender, watchdog, made, admin)
    sender.close()
    outcome.worst_of_others = watchdog.worst
    outcome.faults += [f"another waited {slow:.1f} s: {what}" for slow, what in watchdog.slow]
    outcome.memory = server.memory()
    if outcome.memory > _MEGABYTES:
        outcome.faults.append(f"the server takes {outcome.memory:.0f} MB")
    _reckoning(outcome, server, admin, born)
    return outcome


def _drawn(world: fuzz_world.World, count: int, number: int) -> list[Request]:
    made: list[Request] = []

    @seed(number)
    @settings(fuzz_contract.CALM, max_examples=count)
    @given(fuzz_requests.requests(world))
    def collect(request: Request) -> None:
        made.append(request)

    collect()
    return made


def _storm(
    outcome: Outcome, sender: Connection, watchdog: Watchdog, made: Iterable[Request],
    admin: Connection,
) -> None:  # fmt: skip
    for number, request in enumerate(made, 1):
        watchdog.current = request.curl()[:1000]
        outcome.add(request, sender.send(request))
        if number % _ROUND == 0:
            _restore(outcome, admin)
    _restore(outcome, admin)


def _restore(outcome: Outcome, admin: Connection) -> None:
    """Make the world good again, as far as it was broken by what was allowed."""
    fuzz_world.tidy(admin)
    fuzz_world.populate(admin)
    outcome.faults += [f"no longer to be had: {what}" for what in fuzz_world.furnish(admin)]


def _reckoning(outcome: Outcome, server: Server, admin: Connection, born: dict[str, Any]) -> None:
    objects = fuzz_checks.stored(admin)
    outcome.objects = len(objects)
    outcome.faults += fuzz_checks.unacceptable(admin, objects)
    outcome.faults += fuzz_checks.unmakeable(admin, objects)
    outcome.faults += fuzz_checks.survives(server, admin, objects, born)
    outcome.faults += [f"the log: {line}" for line in server.complaints()]
    admin.close()
