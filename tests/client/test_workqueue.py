"""The work queue's promises, and the reconciler over it."""

import asyncio

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.aio import tasks, virtual
from cluster.api import errors
from cluster.client import cause, ratelimit, reconciler, workqueue


def _time():
    return asyncio.get_running_loop().time()


def test_keys_come_out_in_order_and_once():
    async def main():
        queue = workqueue.WorkQueue()
        for key in ("b", "a", "b", "c", "a"):
            queue.add(key)
        return [(await queue.get())[0] for _ in range(len(queue))]

    assert virtual.run(main()) == ["b", "a", "c"]


def test_a_key_carries_the_newest_revision_that_added_it():
    async def main():
        queue = workqueue.WorkQueue()
        queue.add("a", 5)
        queue.add("a", 9)
        queue.add("a", 7)
        first = await queue.get()
        queue.add("a", 12)
        queue.add("a", 11)
        queue.done("a")
        return first, await queue.get()

    assert virtual.run(main()) == (("a", 9), ("a", 12))


def test_a_key_that_is_worked_on_is_not_given_out_until_it_is_done():
    async def main():
        queue = workqueue.WorkQueue()
        queue.add("a")
        await queue.get()
        queue.add("a")
        assert len(queue) == 0
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await queue.get()
        queue.done("a")
        assert (await queue.get())[0] == "a"
        queue.done("a")
        assert not queue.busy

    virtual.run(main())


def test_waiting_workers_are_served_in_the_order_they_came():
    async def main():
        queue = workqueue.WorkQueue()
        got = []

        async def worker(number):
            got.append((number, (await queue.get())[0]))

        async with tasks.Group("g") as group:
            for number in range(3):
                group.spawn(worker(number), "worker")
            await asyncio.sleep(1)
            for key in "xyz":
                queue.add(key)
        return got

    assert virtual.run(main()) == [(0, "x"), (1, "y"), (2, "z")]


def test_a_key_is_not_lost_when_the_worker_it_woke_is_cancelled():
    async def main():
        queue = workqueue.WorkQueue()
        async with tasks.Group("g") as group:
            first = group.spawn(queue.get(), "first")
            second = group.spawn(queue.get(), "second")
            await asyncio.sleep(1)
            queue.add("a")
            first.cancel()
        return second.result()

    assert virtual.run(main()) == ("a", 0)


def test_of_several_delays_the_earliest_counts_with_the_newest_cause():
    async def main():
        queue = workqueue.WorkQueue()
        queue.add_after("a", 10, 1)
        queue.add_after("a", 3, 2)
        queue.add_after("a", 7, 9)
        queue.add_after("b", 5)
        queue.add_after("now", 0)
        found = []
        for _ in range(3):
            key, revision = await queue.get()
            found.append((key, revision, _time()))
            queue.done(key)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(100):
                await queue.get()
        return found

    assert virtual.run(main()) == [("now", 0, 0), ("a", 9, 3), ("b", 0, 5)]


def test_failures_wait_from_5_milliseconds_doubling_to_1000_seconds():
    limiter = ratelimit.ItemExponentialLimiter()
    delays = [limiter.when("a") for _ in range(20)]
    assert delays[:5] == [0.005, 0.01, 0.02, 0.04, 0.08]
    assert delays[17:] == [655.36, 1000, 1000]
    assert limiter.when("b") == 0.005
    assert limiter.failures("a") == 20
    limiter.forget("a")
    assert limiter.when("a") == 0.005
    for _ in range(5000):
        limiter.when("a")
    assert limiter.when("a") == 1000


def test_a_queue_that_is_shut_down_gives_what_it_has_then_ends():
    async def main():
        queue = workqueue.WorkQueue()
        queue.add("a")
        queue.add_after("later", 1)
        queue.shut_down()
        queue.add("b")
        queue.add_after("c", 1)
        assert (await queue.get())[0] == "a"
        await asyncio.sleep(5)
        with pytest.raises(workqueue.ShutDown):
            await queue.get()

    virtual.run(main())


def test_shutting_down_releases_every_waiting_worker():
    async def main():
        queue = workqueue.WorkQueue()

        async def nothing(key):
            raise AssertionError(key)

        async with asyncio.timeout(10), tasks.Group("g") as group:
            group.spawn(reconciler.Reconciler("x", queue, nothing, workers=5).run(), "r")
            await asyncio.sleep(1)
            queue.shut_down()
        return _time()

    assert virtual.run(main()) == 1


def _reconcile(scenario, reconcile, workers=1):
    """Run a reconciler while `scenario(queue)` runs."""

    async def main():
        queue = workqueue.WorkQueue()
        async with tasks.Group("g") as group:
            group.spawn(reconciler.Reconciler("test", queue, reconcile, workers=workers).run(), "r")
            await scenario(queue)
            queue.shut_down()

    with structlog.testing.capture_logs() as logs:
        virtual.run(main())
    return logs


def test_a_failing_key_is_logged_and_tried_again_later_and_later():
    times = []

    async def fails(key):
        times.append(_time())
        if len(times) < 4:
            raise ZeroDivisionError("a fault")

    async def scenario(queue):
        queue.add("a", 3)
        await asyncio.sleep(1)
        assert queue.failures("a") == 0

    logs = _reconcile(scenario, fails)
    assert times == pytest.approx([0, 0.005, 0.015, 0.035])
    assert [entry["log_level"] for entry in logs] == ["error"] * 3
    assert logs[0]["key"] == "a"
    assert logs[0]["exc_info"]


@pytest.mark.parametrize(
    ("failure", "level"),
    [
        (errors.conflict("pods", "a", errors.MODIFIED), "debug"),
        (errors.not_found("pods", "a"), "debug"),
        (reconciler.NotYet("no right"), "debug"),
        (errors.ServiceUnavailable("away"), "warning"),
    ],
)
def test_losing_a_race_and_having_to_wait_are_quiet_and_other_refusals_are_warnings(failure, level):
    tries = []

    async def refused(key):
        tries.append(key)
        if len(tries) == 1:
            raise failure

    async def scenario(queue):
        queue.add("a")
        await asyncio.sleep(1)

    logs = _reconcile(scenario, refused)
    assert [entry["log_level"] for entry in logs] == [level]
    assert tries == ["a", "a"]


def test_a_reconciliation_runs_inside_its_cause_and_a_retry_keeps_it():
    causes = []

    async def reconcile(key):
        causes.append((key, cause.current()))
        await asyncio.sleep(1)
        causes.append((key, cause.current()))
        if len(causes) == 2:
            raise ValueError

    async def scenario(queue):
        queue.add("a", 7)
        await asyncio.sleep(1.002)
        queue.add("b", 9)
        await asyncio.sleep(10)

    _reconcile(scenario, reconcile, workers=2)
    assert sorted(causes) == [("a", 7)] * 4 + [("b", 9)] * 2


def test_workers_are_as_many_as_were_asked_for_and_keys_stay_apart():
    under_way, most = {}, []

    async def reconcile(key):
        assert key not in under_way
        under_way[key] = True
        most.append(len(under_way))
        await asyncio.sleep(1)
        del under_way[key]

    async def scenario(queue):
        for _ in range(5):
            for key in "abcdefgh":
                queue.add(key)
            await asyncio.sleep(0.7)
        await asyncio.sleep(30)

    logs = _reconcile(scenario, reconcile, workers=3)
    assert logs == []
    assert max(most) == 3


def test_a_reconciler_without_workers_is_refused():
    with pytest.raises(ValueError, match="at least one worker"):
        reconciler.Reconciler("x", workqueue.WorkQueue(), None, workers=0)


_STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "get", "done", "after"]), st.sampled_from("abc")),
    max_size=60,
)


@settings(max_examples=100, deadline=None)
@given(steps=_STEPS)
def test_any_sequence_keeps_every_promise(steps):
    """Against a model: what is added is given out, once, never while it is worked on."""

    async def main():
        queue = workqueue.WorkQueue()
        dirty, processing = {}, {}
        for revision, (step, key) in enumerate(steps, 1):
            if step == "add":
                queue.add(key, revision)
                dirty[key] = revision
            elif step == "after":
                queue.add_after(key, 1, revision)
                await asyncio.sleep(1)
                dirty[key] = revision
            elif step == "done" and key in processing:
                queue.done(key)
                del processing[key]
            elif step == "get" and any(name not in processing for name in dirty):
                got, newest = await queue.get()
                assert got not in processing
                assert dirty.pop(got) == newest
                processing[got] = True
            ready = [name for name in dirty if name not in processing]
            assert len(queue) == len(ready)

    virtual.run(main())
