"""Node: scripts that run for real, what they may ask for, and what ends one that goes too far."""

import asyncio
import sys
from pathlib import Path

import pytest
from vosworld import Result
from webworld import Box, World

from cluster.aio import virtual
from cluster.runtime.emulated.node import IMAGES
from cluster.runtime.emulated.node.program import version

pytest.importorskip("quickjs")
IMAGE = IMAGES[0]
HEAP = (
    "FATAL ERROR: Reached heap limit Allocation failed - "
    "JavaScript heap out of memory (the emulated node has 48 MiB)\n"
)
EXAMPLE = Path(__file__).parents[2] / "examples" / "image" / "app.js"


def run(code: str, *args: str, files: dict[str, str] | None = None, **env: str) -> Result:
    async def main() -> Result:
        box = World().box(IMAGE, "20", files=files, **env)
        return await box.run("node", "-e", code, *args)

    return virtual.run(main())


def test_the_example_answers_its_host_name() -> None:
    async def main() -> Box:
        world = World()
        box = world.box(IMAGE, files={"/app.js": EXAMPLE.read_text()}, hostname="app-7")
        process = await box.begin("node", "app.js")
        for _ in range(2):
            got = await world.get(box, port=8080)
            assert (got.status, got.text) == (200, "You've hit app-7\n")
        await asyncio.sleep(100)
        assert process.code is None
        process.signal(9)
        assert await process.wait() == 137
        return box

    box = virtual.run(main())
    assert box.log == "server starting...\n" + "received a request from ::ffff:10.244.0.2\n" * 2


@pytest.mark.parametrize(
    ("words", "stdin", "found"),
    [
        ((), b"console.log(1 + 1, process.argv.length)", ("2 1\n", 0)),
        (("-", "a"), b"console.log(process.argv.slice(1))\nprocess.exit(3)", ("[ '-', 'a' ]\n", 3)),
        ((), b"", ("", 0)),
        ((), b" " * (1 << 21), ("", 1)),
    ],
)
def test_a_script_comes_from_stdin(words, stdin: bytes, found) -> None:
    async def main() -> Result:
        return await World().box(IMAGE, "20").run("node", *words, stdin=stdin)

    result = virtual.run(main())
    assert (result.out, result.code) == found


@pytest.mark.parametrize(
    ("code", "out"),
    [
        ("console.log('a', 1, {b: [1, 'x'], c: null}, [], undefined)",
         "a 1 { b: [ 1, 'x' ], c: null } [] undefined\n"),
        ("console.log('%s is %d %j', 'x', 7, {a: 1}, 'more')", 'x is 7 {"a":1} more\n'),
        ("console.log(process.env.NAME, process.argv.slice(1), process.version)",
         "ann [ 'one', 'two' ] v20.19.5\n"),
        ("console.log(require('os').hostname(), require('os').networkInterfaces().eth0[0].address)",
         "web-0 10.244.0.3\n"),
        ("console.log(new Date().toISOString(), Date.now())",
         "2026-01-01T00:00:00.000Z 1767225600000\n"),
        ("setTimeout(() => console.log('late'), 20); console.log('soon')", "soon\nlate\n"),
        ("let n = 0; const t = setInterval(() => { console.log(++n);"
         "if (n > 2) clearInterval(t); }, 5)",
         "1\n2\n3\n"),
        ("process.nextTick(() => console.log(2)); console.log(1)", "1\n2\n"),
        ("console.log(Buffer.from('añ€').toString('base64'), Buffer.from('aGk=', 'base64') + '')",
         "YcOx4oKs hi\n"),
        ("const u = new URL('http://h:8/p?a=1&b=2#x');"
         "console.log(u.port, u.searchParams.get('b'))",
         "8 2\n"),
        ("const p = require('path'); console.log(p.join('/a', '../b', 'c.txt'), p.extname('x.js'))",
         "/b/c.txt .js\n"),
        ("const fs = require('fs');"
         "fs.writeFileSync('/tmp/f', 'x'); fs.appendFileSync('/tmp/f', 'y');"
         "console.log(fs.readFileSync('/tmp/f', 'utf8'), fs.existsSync('/none'))", "xy false\n"),
        ("require('fs').readFile('/none', (e) => console.log(e.code))", "ENOENT\n"),
        ("const E = require('events'); const e = new E(); e.once('x', (v) => console.log(v));"
         "e.emit('x', 1); e.emit('x', 2)", "1\n"),
        ("console.log(require('/srv/m'), require('/srv/d.json').a)", "{ x: 1 } 2\n"),
        ("process.on('exit', (c) => console.log('bye', c))", "bye 0\n"),
        ("fetch('http://127.0.0.1:9/').catch((e) => console.log(e.message, e.cause.code))",
         "fetch failed ECONNREFUSED\n"),
        ("setTimeout(() => console.log('never'), 50).unref()", ""),
    ],
)  # fmt: skip
def test_a_script_prints(code: str, out: str) -> None:
    files = {"/srv/m/index.js": "exports.x = 1", "/srv/d.json": '{"a": 2}'}
    found = run(code, "one", "two", files=files, NAME="ann")
    assert (found.out, found.err, found.code) == (out, "", 0)


@pytest.mark.parametrize(
    ("code", "err", "status"),
    [
        ("process.exit(3)", "", 3),
        ("setTimeout(async () => { process.exit(4) }, 1)", "", 4),
        ("x.y", "ReferenceError: x is not defined\n    at <anonymous> ([eval]:1)\n\nNode", 1),
        ("setTimeout(async () => { throw new Error('q') }, 1)", "Error: q\n", 1),
        ("require('express')", "Error: Cannot find module 'express'\nRequire stack:\n", 1),
        ("require('crypto')", "Error: Cannot find module 'crypto' (not built in the emulated", 1),
        ("for (;;) {}", "FATAL ERROR: it computed for more than 0.25 seconds at once\n", 134),
        ("const a = []; for (;;) a.push('x'.repeat(1 << 20))", HEAP, 134),
        ("globalThis.a = []; for (let i = 0; i < 60; i++) a.push('x'.repeat(1 << 20))",
         HEAP, 134),
        ("setTimeout(async () => { const a = []; for (;;) a.push('x'.repeat(1 << 20)) }, 1)",
         HEAP, 134),
        ("console.log(1); throw null", "Uncaught null\n\nNode", 1),
        ("(function f() { f() })()", "InternalError: stack overflow", 1),
        ("if (", "SyntaxError: ", 1),
        ("require('http').get('https://x')", 'TypeError: Protocol "https:" not supported', 1),
    ],
)  # fmt: skip
def test_a_script_that_fails_says_why(code: str, err: str, status: int) -> None:
    found = run(code)
    assert (found.err[: len(err)], found.code) == (err, status)


def test_a_script_whose_heap_grows_for_ever_does_not_take_the_runtime_with_it() -> None:
    found = run(
        "const kept = new Map(); let n = 0;"
        "setInterval(() => { for (let i = 0; i < 500; i++)"
        " kept.set(n, ['x'.repeat(2000) + n++]) }, 1)"
    )
    assert (found.err, found.code) == (HEAP, 134)


def test_a_script_that_asks_too_much_at_once_says_so() -> None:
    found = run(
        "const http = require('http');"
        "setInterval(() => { for (let i = 0; i < 3000; i++)"
        " http.get('http://10.1.1.1:9/').on('error', () => {}) }, 1)"
    )
    assert found.err.startswith("Error: more than 1000 requests at once\n")
    assert found.code == 1


def test_a_script_that_listens_without_end_is_ended() -> None:
    found = run("const h = require('http'); for (let i = 0; i < 3000; i++) h.createServer()"
                ".on('error', () => {}).listen(80)")  # fmt: skip
    assert found.err == "FATAL ERROR: more than 2000 events wait for the script\n"
    assert found.code == 134


def test_requests_are_routed_read_and_streamed() -> None:
    script = """
        const http = require('http');
        const server = http.createServer(async (req, res) => {
          if (req.url === '/late') {
            res.write('a');
            setTimeout(() => res.end('b'), 30);
          } else if (req.method === 'POST') {
            let text = '';
            for await (const piece of req) text += piece;
            res.setHeader('X-Kind', req.headers['content-type']);
            res.statusCode = 201;
            res.end(JSON.stringify({ text, size: Buffer.byteLength(text) }));
          } else if (req.url === '/throw') throw new Error('no');
          else http.get('http://127.0.0.1:3000/late', (other) => {
            let got = '';
            other.setEncoding('utf8');
            other.on('data', (data) => { got += data; });
            other.on('end', () => res.end(`${other.statusCode} ${got}`));
          });
        });
        server.listen(process.env.PORT || 3000, () => console.log('up', server.address().port));
        process.on('SIGTERM', () => {
          console.log('closing');
          server.close(() => process.exit(0));
        });
    """

    async def main() -> Box:
        world = World()
        box = world.box(IMAGE, files={"/srv/app.js": script})
        process = await box.begin("node", "/srv/app.js")
        assert (await world.get(box, "/late", port=3000)).text == "ab"
        posted = await world.get(
            box, "/", port=3000, method="POST", body="é".encode(), headers={"Content-Type": "t/x"}
        )
        assert posted.status == 201
        assert posted.text == '{"text":"é","size":2}'
        assert posted.headers.get("x-kind") == "t/x"
        assert posted.headers.get("content-length") == str(len(posted.body))
        assert (await world.get(box, "/relay", port=3000)).text == "200 ab"
        process.signal(15)
        async with asyncio.timeout(10):
            assert await process.wait() == 0
        return box

    assert virtual.run(main()).log == "up 3000\nclosing\n"


def test_a_port_that_is_taken_ends_the_script() -> None:
    async def main() -> None:
        world = World()
        net = world.pod()
        net.listen(8080)
        box = world.box(IMAGE, net=net, files={"/app.js": EXAMPLE.read_text()})
        process = await box.begin("node", "app")
        assert process.code == 1
        assert "Error: listen EADDRINUSE: address already in use :::8080\n" in box.errors

    virtual.run(main())


def test_npm_starts_what_package_json_says() -> None:
    async def main() -> None:
        about = '{"name": "web", "version": "1.0.0", "scripts": {"start": "node app.js"}}'
        files = {"/app/package.json": about, "/app/app.js": "console.log(__filename)"}
        box = World().box(IMAGE, files=files)
        found = await box.run("sh", "-c", "cd /app && npm start && npm run none")
        assert found.out == "\n> web@1.0.0 start\n> node app.js\n\n/app/app.js\n"
        assert found.err == 'npm error Missing script: "none"\n'
        assert (await box.run("npm", "install")).code == 1
        assert "Cannot find module '/nope.js'" in (await box.run("node", "nope.js")).err

    virtual.run(main())


def test_without_the_engine_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "quickjs", None)
    found = run("1")
    assert found.code == 1
    assert "pip install kubemu[node]" in found.err


@pytest.mark.parametrize(
    ("tag", "found"),
    [
        ("20", "20.19.5"),
        ("18.19.0-alpine", "18.19.0"),
        ("latest", "20.19.5"),
        ("7", "7.0.0"),
        ("18-alpine", "18.20.8"),
    ],
)
def test_the_version_is_that_of_the_tag(tag: str, found: str) -> None:
    assert version(tag) == found


@pytest.mark.parametrize("first", ["", "res.write('x');"])
def test_a_script_hears_of_a_client_that_left(first: str) -> None:
    async def main() -> str:
        world = World()
        code = (
            "require('http').createServer((req, res) => {"
            f"{first} res.on('close', () => console.log('left', res.finished)) }}).listen(80)"
        )
        box = world.box(IMAGE, "20", files={"/app.js": code})
        await box.begin("node", "/app.js")
        for _ in range(3):
            stream = await world.client.connect(box.address, 80)
            await stream.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await asyncio.sleep(1)
            stream.close()
            await asyncio.sleep(1)
        return box.log

    assert virtual.run(main()).count("left") == 3
