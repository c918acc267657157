"""Scripts in processes of their own: whatever one does, the others and the runtime go on."""

import asyncio
import time

import pytest
from webworld import Box, World

from cluster.aio import tasks
from cluster.runtime.emulated.node import IMAGES
from cluster.runtime.javascript import scripts

pytest.importorskip("quickjs")
CRASHED = (
    "FATAL ERROR: the process of the script's engine ended: the script used up the engine's "
    "memory, or computed for more than 2 seconds at once\n"
)
HOSTILE = {
    "arrays": "const a = []; while (true) a.push(new Array(1e6).fill(0))",
    "halves": "const a = []; let n = 1 << 26; while (n) { try { a.push('x'.repeat(n)) }"
    " catch (_) { n >>= 1 } } for (;;) { try { null.x } catch (e) { a.push(e) } }",
    "recursion": "const f = () => [1].map(f); for (;;) { try { f() } catch (_) {} }",
    "strings": "let s = 'x'; for (;;) s += s",
    "buffers": "const a = []; for (;;) a.push(new Uint8Array(1 << 28).fill(7))",
    "expression": "/^(a+)+$/.test('a'.repeat(40) + 'b')",
    "sort": "new Array(1e6).fill(0).map((_, i) => -i).sort(() => { for (;;) ; })",
}


async def _box() -> Box:
    return World().box(IMAGES[0], "20")


@pytest.mark.parametrize("name", HOSTILE)
def test_what_a_script_does_ends_no_other(name: str) -> None:
    async def main() -> None:
        box = await _box()
        began = time.monotonic()
        async with tasks.Group("test") as group:
            late = "setTimeout(() => console.log('here'), 50)"
            quiet = group.spawn(box.run("node", "-e", late), "quiet")
            found = await box.run("node", "-e", HOSTILE[name])
        assert time.monotonic() - began < 20
        assert found.code in (1, 134), found
        assert found.err.startswith(("FATAL ERROR: ", "InternalError: ", "RangeError: ")), found
        assert name != "expression" or CRASHED in found.err
        assert quiet.result().out == "here\n"
        assert (await box.run("node", "-p", "6 * 7")).out == "42\n"

    asyncio.run(main())
    assert scripts._host.scripts == 0


def test_a_host_that_died_is_started_again() -> None:
    async def main() -> None:
        box = await _box()
        assert (await box.run("node", "-p", "1")).out == "1\n"
        process = scripts._host._process
        assert process is not None
        process.kill()
        process.wait()
        assert (await box.run("node", "-p", "2")).out == "2\n"

    asyncio.run(main())
