"""How a process ends, and what must not change that."""

import asyncio
import signal
from collections.abc import Awaitable, Callable

import pytest
import structlog

from cluster.cli import memory, process


async def _ended() -> None:
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def _terminated() -> None:
    await asyncio.sleep(0)
    signal.raise_signal(signal.SIGTERM)
    await asyncio.Event().wait()


async def _broken() -> None:
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    raise OSError("no room")


@pytest.mark.parametrize(("story", "code"), [(_ended, 0), (_terminated, 0), (_broken, 1)])
def test_memory_that_is_not_given_back_is_logged_and_does_not_change_the_exit_code(
    story: Callable[[], Awaitable[None]], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails() -> None:
        raise ValueError("malloc_trim is odd")

    monkeypatch.setattr(memory, "give_back", fails)
    with structlog.testing.capture_logs() as logs:
        assert asyncio.run(process._main(story())) == code
    said = [each for each in logs if each["log_level"] == "error"]
    assert [each["event"] for each in said] == ["memory is not given back"]
    assert isinstance(said[0]["exc_info"], ValueError)


def test_giving_memory_back_ends_with_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []

    async def gives() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("given back")

    monkeypatch.setattr(memory, "give_back", gives)
    assert asyncio.run(process._main(_ended())) == 0
    assert ended == ["given back"]
