"""A fault is told of once: in the round of kill -9 that found it, not in all that follow."""

import asyncio
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

sys.path.append(str(Path(__file__).parents[2] / "scripts"))

from chaosrounds import rounds
from cluster.chaos.checking import ordering, pods, watches
from cluster.chaos.checking.history import History
from cluster.chaos.checking.watches import Kind, Told

KEY = "configmaps/load/r0-a"


class Cluster:
    """As much of one as a judgement asks."""

    async def create(self, _resource: str, _object: object) -> dict[str, Any]:
        return {"metadata": {"name": "mark-1", "resourceVersion": "9"}}

    async def delete(self, *_names: str) -> None:
        pass


class Book:
    """What the store holds."""

    def __init__(self) -> None:
        self.facts: dict[int, ordering.Fact] = {}

    async def read(self) -> dict[int, ordering.Fact]:
        return self.facts


def bench() -> rounds.Bench:
    watch = watches.Watch("grpc", "configmaps/load/", [Told(Kind.LISTED, 1)])
    watcher = SimpleNamespace(watch=watch, caught_up=lambda _revision: True)
    return rounds.Bench(
        control=cast(Any, None), victims={}, clients=[cast(Any, Cluster())],
        watchers=[cast(Any, watcher)], runtimes=cast(Any, SimpleNamespace(twice={})),
        sightings=[], book=cast(Any, Book()),
    )  # fmt: skip


def judged(table: rounds.Bench, number: int) -> list[str]:
    report = rounds.Report(number)
    asyncio.run(rounds._judge(table, History(), report))
    return report.faults


def test_each_fault_is_told_in_the_round_that_found_it() -> None:
    table = bench()
    assert judged(table, 0) == []

    table.sightings += [pods.Sighting(2, "u", "load/p", "a"), pods.Sighting(3, "u", "load/p", "b")]
    table.watchers[0].watch.told.append(Told(Kind.BOOKMARK, 5))
    cast(Any, table.book).facts[4] = ordering.Fact(KEY, "1")
    table.runtimes.twice["in the round: pod load/p (u) runs on a and on b"] = None
    said = judged(table, 1)
    assert len(said) == 3
    assert [any(word in each for each in said) for word in ("gap", "was bound", "runs on")] == [
        True, True, True,
    ]  # fmt: skip

    assert judged(table, 2) == []
    assert not table.runtimes.twice

    table.watchers[0].watch.told.append(Told(Kind.BOOKMARK, 3))
    assert judged(table, 3) == ["watch grpc: a bookmark at revision 3 after 5"]
