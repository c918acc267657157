"""What a process does about its memory as long as it runs."""

import asyncio
import subprocess
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


@pytest.mark.skipif(memory._trim() is None, reason="the call is glibc's")
def test_the_c_library_of_this_machine_is_asked() -> None:
    trim = memory._trim()
    assert trim is not None
    assert trim(0) in (0, 1)


_LARGE_BUFFERS = """
import ctypes
from cluster.cli import memory

class Mallinfo(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks",
        "fordblks", "keepcost",
    )]

library = ctypes.CDLL(None)
library.mallinfo.restype = Mallinfo
settled = {settled}
if settled:
    memory.settle()
bytes(16 << 20)  # glibc takes its end as a sign that buffers of this size come and go
before = library.mallinfo().hblks
kept = bytes(1 << 20)
print(library.mallinfo().hblks - before)
"""


@pytest.mark.skipif(memory._of_the_c_library("mallopt") is None, reason="the setting is glibc's")
@pytest.mark.parametrize(("settled", "mapped"), [(True, 1), (False, 0)])
def test_large_buffers_stay_out_of_the_heap(*, settled: bool, mapped: int) -> None:
    program = _LARGE_BUFFERS.format(settled=settled)
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert said.stdout == f"{mapped}\n".encode()
