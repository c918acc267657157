"""What components count for /metrics: as Prometheus reads it, and nothing where nobody asks."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cluster.aio import tasks, virtual
from cluster.api import errors, operations
from cluster.client import figures, measured, processfigures, reconciler, workqueue
from cluster.client.transport import Outcome, Raw, RawEvent, RawPage


def samples(made: figures.Figures) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(made.text().decode())
        for sample in family.samples
    }


def row(metric: str, /, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return metric, frozenset(labels.items())


def test_prometheus_reads_counters_gauges_and_histograms() -> None:
    made = figures.Figures({
        "things_total": figures.Family("Things.", ("kind",)),
        "size": figures.Family("Size.", kind="gauge"),
        "took_seconds": figures.Family("Time.", ("kind",), "histogram", (0.1, 1.0)),
    })  # fmt: skip
    made.count("things_total", 'a "quoted"\nline\\')
    made.count("things_total", "b", by=2)
    made.follow("size", lambda: 1.5)
    for seconds in (0.05, 0.1, 0.5, 7):
        made.observe("took_seconds", seconds, "b")
    found = samples(made)
    assert found[row("things_total", kind='a "quoted"\nline\\')] == 1
    assert found[row("things_total", kind="b")] == 2
    assert found[row("size")] == 1.5
    buckets = [found[row("took_seconds_bucket", kind="b", le=le)] for le in ("0.1", "1", "+Inf")]
    assert buckets == [2, 3, 4]
    assert found[row("took_seconds_sum", kind="b")] == pytest.approx(7.65)
    assert found[row("took_seconds_count", kind="b")] == 4


def test_a_queue_is_counted_by_the_name_of_its_reconciler() -> None:
    made = figures.Figures()

    async def story() -> None:
        queue = workqueue.WorkQueue(random.Random(1))
        failures = iter([errors.Conflict("changed")])

        async def reconcile(key: str) -> None:
            for failure in failures:
                raise failure

        work = reconciler.Reconciler("deployment", queue, reconcile)
        async with tasks.Group("test") as group:
            running = group.spawn(work.run(), "work")
            queue.add("a")
            while queue.added < 2 or queue.busy:
                await virtual_pause()
            worked = row("workqueue_work_duration_seconds_count", name="deployment")
            assert samples(made)[worked] == 2
            queue.add("waits")
            assert samples(made)[row("workqueue_depth", name="deployment")] == 1
            running.cancel()

    with figures.counting(made):
        virtual.run(story())
    found = samples(made)
    assert found[row("workqueue_adds_total", name="deployment")] == 3
    assert found[row("workqueue_retries_total", name="deployment")] == 1
    assert figures.current.get() is None


async def virtual_pause() -> None:
    await asyncio.sleep(0.01)


class _Answers:
    """A transport that answers what it is told to."""

    def __init__(self, *outcomes: Outcome | Exception) -> None:
        self._outcomes = outcomes

    async def get(self, resource: str, namespace: str, name: str) -> Raw:
        return self._one()

    async def list(self, resource: str, namespace: str, **more: Any) -> RawPage:
        return RawPage([self._one()], 1)

    async def watch(
        self, resource: str, namespace: str, **more: Any
    ) -> AsyncIterator[Sequence[RawEvent]]:
        self._one()
        yield []
        yield []

    async def write(self, batch: Sequence[operations.Operation]) -> Sequence[Outcome]:
        self._one()
        return self._outcomes  # type: ignore[return-value]

    async def read(self, path: str) -> bytes:
        return self._one().json

    def _one(self) -> Raw:
        for outcome in self._outcomes:
            if isinstance(outcome, Exception) and len(self._outcomes) == 1:
                raise outcome
        return Raw(b"{}", 1)


def calls(made: figures.Figures) -> dict[tuple[str, str], float]:
    found = {}
    for (_, labels), value in samples(made).items():
        known = dict(labels)
        assert known["host"] == "api:6444"
        found[known["method"], known["code"]] = value
    return found


def test_calls_are_counted_by_method_and_code() -> None:
    made = figures.Figures()

    async def story() -> None:
        well = measured.MeasuredTransport(_Answers(), made, "api:6444")
        await well.get("pods", "a", "b")
        await well.list("pods", "", labels="", fields="", limit=0, token="")
        await well.read("/api")
        events = [each async for each in well.watch("pods", "", revision=0, labels="", fields="")]
        assert len(events) == 2
        ill = measured.MeasuredTransport(_Answers(errors.NotFound("no b")), made, "api:6444")
        with pytest.raises(errors.NotFound):
            await ill.get("pods", "a", "b")
        conflict = errors.Conflict("changed")
        mixed = measured.MeasuredTransport(_Answers(Raw(b"", 2), conflict), made, "api:6444")
        verbs = (operations.Verb.CREATE, operations.Verb.DELETE)
        batch = [operations.Operation(verb, "pods", "a", "b") for verb in verbs]
        assert len(await mixed.write(batch)) == 2

    virtual.run(story())
    assert calls(made) == {
        ("GET", "200"): 4, ("GET", "404"): 1, ("POST", "201"): 1, ("DELETE", "409"): 1,
    }  # fmt: skip


def test_the_process_tells_of_itself() -> None:
    made = figures.Figures(processfigures.FAMILIES)
    processfigures.follow(made)
    found = {name: value for (name, _), value in samples(made).items()}
    assert found["process_resident_memory_bytes"] > 1 << 20
    assert found["process_cpu_seconds_total"] > 0
    assert found["process_start_time_seconds"] > 1_500_000_000
