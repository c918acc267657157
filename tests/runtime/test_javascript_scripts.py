"""Scripts in processes of their own: whatever one does, the others and the runtime go on."""

import asyncio

import pytest
from webworld import Box, World

from cluster.aio import tasks
from cluster.runtime.emulated.node import IMAGES
from cluster.runtime.javascript import engine, scripts

pytest.importorskip("quickjs")
HEAP = "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory"
CRASHED = (
    "FATAL ERROR: the process of the script's engine ended: the script used up the engine's "
    "memory, or computed for more than 2 seconds at once\n"
)
FILLED = (
    "const a = []; let n = 1 << 26;"
    " while (n) { try { a.push('x'.repeat(n)) } catch (_) { n >>= 1 } }"
)
HOSTILE = {
    "arrays": "const a = []; while (true) a.push(new Array(1e6).fill(0))",
    "halves": FILLED + " for (;;) { try { null.x } catch (e) { a.push(e) } }",
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
        async with asyncio.timeout(60), tasks.Group("test") as group:
            late = "setTimeout(() => console.log('here'), 50)"
            quiet = group.spawn(box.run("node", "-e", late), "quiet")
            found = await box.run("node", "-e", HOSTILE[name])
        assert found.code == 134, found
        assert found.err.startswith("FATAL ERROR: "), found
        assert name != "expression" or CRASHED in found.err
        assert quiet.result().out == "here\n"
        assert (await box.run("node", "-p", "6 * 7")).out == "42\n"

    asyncio.run(main())
    assert scripts._host.scripts == 0


@pytest.mark.parametrize("last", ["null.x", "({}).x.y", "a.push({})", "throw 'x'.repeat(1e8)"])
def test_a_script_whose_heap_has_no_room_for_an_error_ends_as_any_that_fills_it(last: str) -> None:
    async def main() -> None:
        box = await _box()
        found = await box.run("node", "-e", f"console.log('begun'); {FILLED} {last}")
        assert found.code == 134, found
        assert found.err.startswith((HEAP, CRASHED)), found
        found = await box.run("node", "-e", "throw null")
        assert (found.code, found.err[:13]) == (1, "Uncaught null")

    asyncio.run(main())


@pytest.mark.parametrize(
    ("peak", "command"), [(95, '["full"]'), (9, '["uncaught","Uncaught null"]')]
)
def test_null_is_the_engines_own_error_where_the_heap_was_full(peak: int, command: str) -> None:
    given = {
        "files": {}, "main": "", "code": "throw null", "argv": [], "env": {}, "cwd": "/",
        "pid": 1, "version": "v20", "now": 0, "unbuilt": [], "statuses": {}, "addresses": [],
    }  # fmt: skip
    script = engine.Engine(given, lambda: peak << 20)
    assert script.ask(0.0, "main") == f"[{command}]"


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
