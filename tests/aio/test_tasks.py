"""Task groups: order, failures, cancellation, and what the owner hears."""

import asyncio
import gc

import pytest

from cluster.aio import tasks, virtual


async def _sleep_forever(log=None, name=""):
    try:
        await asyncio.sleep(1e6)
    finally:
        if log is not None:
            log.append(name)


async def _fail(after, failure):
    await asyncio.sleep(after)
    raise failure


def test_leaving_the_block_waits_for_all_children():
    done = []

    async def child(seconds):
        await asyncio.sleep(seconds)
        done.append(seconds)

    async def main():
        async with tasks.Group("g") as group:
            group.spawn(child(2), "two")
            task = group.spawn(child(1), "one")
            assert task.get_name() == "g/one"
            assert len(group) == 2
        assert len(group) == 0

    virtual.run(main())
    assert done == [1, 2]


def test_children_are_cancelled_in_creation_order():
    log = []

    async def main():
        async with tasks.Group("g") as group:
            for number in range(20):
                group.spawn(_sleep_forever(log, number), str(number))
            await asyncio.sleep(1)
            group.cancel()

    virtual.run(main())
    assert log == list(range(20))


def test_the_first_failure_cancels_siblings_and_body_and_is_raised():
    log = []

    async def main():
        async with tasks.Group("g") as group:
            group.spawn(_sleep_forever(log, "sibling"), "a")
            group.spawn(_fail(1, ValueError("first")), "b")
            group.spawn(_fail(2, KeyError("second")), "c")
            await _sleep_forever(log, "body")

    with pytest.raises(ValueError, match="first"):
        virtual.run(main())
    assert log == ["body", "sibling"]


def test_a_failure_while_the_block_drains_ends_it_too():
    log = []

    async def main():
        async with tasks.Group("g") as group:
            group.spawn(_sleep_forever(log, "sibling"), "a")
            group.spawn(_fail(1, ValueError("late")), "b")

    with pytest.raises(ValueError, match="late"):
        virtual.run(main())
    assert log == ["sibling"]


def test_the_owner_is_not_left_cancelled_after_a_failure():
    async def main():
        with pytest.raises(ValueError, match="x"):  # noqa: PT012
            async with tasks.Group("g") as group:
                group.spawn(_fail(1, ValueError("x")), "a")
                await asyncio.sleep(100)
        assert asyncio.current_task().cancelling() == 0
        await asyncio.sleep(5)
        return asyncio.get_running_loop().time()

    assert virtual.run(main()) == 6


def test_an_error_of_the_body_is_raised_after_the_children_ended():
    log = []

    async def main():
        async with tasks.Group("g") as group:
            group.spawn(_sleep_forever(log, "child"), "a")
            await asyncio.sleep(1)
            raise LookupError("body")

    with pytest.raises(LookupError, match="body"):
        virtual.run(main())
    assert log == ["child"]


def test_further_failures_are_noted_on_the_one_that_is_raised():
    async def stubborn():
        try:
            await asyncio.sleep(100)
        finally:
            raise KeyError("while ending")

    async def main():
        async with tasks.Group("g") as group:
            group.spawn(stubborn(), "stubborn")
            group.spawn(_fail(1, ValueError("first")), "b")

    with pytest.raises(ValueError, match="first") as caught:
        virtual.run(main())
    assert caught.value.__notes__ == ["in group g, as well: KeyError('while ending')"]


def test_a_childs_failure_is_noted_on_the_bodys_own_error():
    async def stubborn():
        try:
            await asyncio.sleep(100)
        finally:
            raise KeyError("while ending")

    async def main():
        async with tasks.Group("g") as group:
            group.spawn(stubborn(), "stubborn")
            await asyncio.sleep(1)
            raise LookupError("body")

    with pytest.raises(LookupError) as caught:
        virtual.run(main())
    assert caught.value.__notes__ == ["in group g, as well: KeyError('while ending')"]


def test_cancelling_the_owner_cancels_the_children_and_stays_a_cancellation():
    log = []

    async def owner():
        async with tasks.Group("inner") as group:
            group.spawn(_sleep_forever(log, "child"), "a")

    async def main():
        async with tasks.Group("outer") as group:
            task = group.spawn(owner(), "owner")
            await asyncio.sleep(1)
            task.cancel()
        return task.cancelled()

    assert virtual.run(main()) is True
    assert log == ["child"]


def test_a_timeout_around_a_group_is_a_timeout():
    log = []

    async def main():
        async with asyncio.timeout(3), tasks.Group("g") as group:
            group.spawn(_sleep_forever(log, "child"), "a")

    with pytest.raises(TimeoutError):
        virtual.run(main())
    assert log == ["child"]


def test_a_failure_that_meets_an_outer_cancellation_gives_way_to_it():
    async def owner():
        async with tasks.Group("inner") as group:
            group.spawn(_fail(1, ValueError("lost")), "a")
            await asyncio.sleep(100)

    async def main():
        loop = asyncio.get_running_loop()
        async with tasks.Group("outer") as group:
            task = group.spawn(owner(), "owner")
            loop.call_later(1, task.cancel)
        return task.cancelled()

    assert virtual.run(main()) is True


def test_a_child_that_is_cancelled_alone_disturbs_nobody():
    async def main():
        async with tasks.Group("g") as group:
            child = group.spawn(_sleep_forever(), "a")
            await asyncio.sleep(1)
            child.cancel()
            await asyncio.sleep(1)
            return len(group)

    assert virtual.run(main()) == 0


def test_children_may_spawn_children_while_the_block_drains():
    done = []

    async def grandchild():
        await asyncio.sleep(1)
        done.append("grandchild")

    async def main():
        async with tasks.Group("g") as group:

            async def child():
                await asyncio.sleep(1)
                group.spawn(grandchild(), "grandchild")

            group.spawn(child(), "child")

    virtual.run(main())
    assert done == ["grandchild"]


def test_a_closed_group_takes_nobody():
    async def main():
        group = tasks.Group("g")
        with pytest.raises(RuntimeError, match="group g is not open; cannot start early"):
            group.spawn(_sleep_forever(), "early")
        async with group:
            pass
        with pytest.raises(RuntimeError, match="cannot start late"):
            group.spawn(_sleep_forever(), "late")

    virtual.run(main())


def test_the_owner_is_cancelled_once_however_many_children_fail():
    async def main():
        with pytest.raises(ValueError, match="0"):  # noqa: PT012
            async with tasks.Group("g") as group:
                for number in range(5):
                    group.spawn(_fail(1, ValueError(str(number))), str(number))
                await asyncio.sleep(100)
        return asyncio.current_task().cancelling()

    assert virtual.run(main()) == 0


async def _a_child_fails():
    async with tasks.Group("g") as group:
        group.spawn(_fail(1, ValueError("one")), "one")
        group.spawn(_fail(1, ValueError("two")), "two")


async def _its_owner_is_cancelled_at_the_end():
    async with asyncio.timeout(1), tasks.Group("g") as group:
        group.spawn(_sleep_forever(), "forever")


async def _its_owner_is_cancelled_in_the_block():
    async with asyncio.timeout(1), tasks.Group("g") as group:
        group.spawn(_sleep_forever(), "forever")
        await _sleep_forever()


@pytest.mark.parametrize(
    "story",
    [_a_child_fails, _its_owner_is_cancelled_at_the_end, _its_owner_is_cancelled_in_the_block],
)
def test_what_a_group_held_is_free_as_soon_as_it_has_ended(story):
    # Streams end by it: until the collector came, each of them kept its buffers and its connection.
    async def main():
        gc.collect()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            with pytest.raises((ValueError, TimeoutError)):
                await story()
            await asyncio.sleep(1)
            gc.collect()
            return [type(one).__qualname__ for one in gc.garbage]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()

    assert virtual.run(main()) == []
