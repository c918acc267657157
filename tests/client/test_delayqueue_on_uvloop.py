"""The delay queue on the loop that processes run on."""

import asyncio

import uvloop

from cluster.client import delayqueue


def test_keys_that_are_due_at_once_do_not_disturb_the_timer() -> None:
    async def story() -> list[str]:
        due: list[str] = []
        done = asyncio.Event()

        def take(key: str, _cause: int) -> None:
            due.append(key)
            if len(due) == 3:
                done.set()

        queue = delayqueue.DelayQueue(take)
        queue.add("late", 0.02, 0)
        queue.add("now", 0.0, 0)
        queue.add("soon", 0.0001, 0)
        async with asyncio.timeout(5):
            await done.wait()
        return due

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(story()) == ["now", "soon", "late"]
