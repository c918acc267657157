"""What a process does about its memory as long as it runs."""

import asyncio
import sys

import pytest

from cluster.aio import virtual
from cluster.cli import memory


def test_free_pages_are_given_back_each_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[float] = []

    async def story() -> None:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(memory, "_trim", lambda: lambda _: given.append(loop.time()) or 1)
        begun = loop.time()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(200):
                await memory.give_back()
        assert [at - begun for at in given] == [60, 120, 180]

    virtual.run(story())


def test_where_the_c_library_cannot_it_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_trim", lambda: None)
    asyncio.run(memory.give_back())


@pytest.mark.skipif(sys.platform != "linux", reason="the call is glibc's")
def test_the_c_library_of_this_machine_is_asked() -> None:
    trim = memory._trim()
    if trim is None:
        pytest.skip("this C library has no malloc_trim")
    assert trim(0) in (0, 1)
