"""The delay queue: what becomes due when, and that nothing of what is forgotten stays."""

import asyncio
import random

from cluster.aio import virtual
from cluster.client import delayqueue


def test_forgotten_keys_never_become_due_and_take_no_room() -> None:
    async def story() -> list[str]:
        due: list[str] = []
        queue = delayqueue.DelayQueue(lambda key, _cause: due.append(key))
        queue.add("kept", 3000, 0)
        for number in range(5000):
            queue.add(f"pod-{number}", 2880, 0)
            queue.forget(f"pod-{number}")
            assert len(queue._heap) < 100
        queue.forget("nobody")
        queue.add("again", 2880, 0)
        queue.forget("again")
        queue.add("again", 4000, 0)
        assert len(queue) == 2
        await asyncio.sleep(3500)
        assert due == ["kept"]
        await asyncio.sleep(1000)
        return due

    assert virtual.run(story()) == ["kept", "again"]


def test_a_key_that_is_made_due_earlier_again_and_again_takes_no_room() -> None:
    async def story() -> list[str]:
        due: list[str] = []
        queue = delayqueue.DelayQueue(lambda key, _cause: due.append(key))
        for seconds in range(5000, 1, -1):
            queue.add("a", seconds, 0)
            assert len(queue._heap) < 100
        await asyncio.sleep(6000)
        return due

    assert virtual.run(story()) == ["a"]


def test_it_does_as_a_plain_table_of_times_would() -> None:
    async def story(seed: int) -> None:
        drawn = random.Random(seed)
        loop = asyncio.get_running_loop()
        due: list[tuple[float, str, int]] = []
        queue = delayqueue.DelayQueue(lambda key, cause: due.append((loop.time(), key, cause)))
        table: dict[str, tuple[float, int]] = {}
        expected: list[tuple[float, str, int]] = []

        def pass_to(now: float) -> None:
            for key, (when, cause) in sorted(table.items(), key=lambda item: item[1][0]):
                if when <= now:
                    expected.append((when, key, cause))
                    del table[key]

        for step in range(2000):
            key = f"k{drawn.randrange(200)}"
            if drawn.random() < 0.5:
                queue.forget(key)
                table.pop(key, None)
            else:
                seconds = drawn.random() * 50
                queue.add(key, seconds, step)
                when, cause = loop.time() + seconds, step
                if key in table:
                    when, cause = min(when, table[key][0]), max(cause, table[key][1])
                table[key] = when, cause
            await asyncio.sleep(drawn.random())
            pass_to(loop.time())
            assert due == expected
            assert len(queue) == len(table)

    for seed in range(5):
        virtual.run(story(seed))
