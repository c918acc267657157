"""How fast this machine is now: figures of work that is not kubemu's, to compare days by."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import tls, wrk
from benchmarks.figures import Figure, Outcome, Skipped

_SERVER = """
import asyncio, ssl, sys
import uvloop
from aiohttp import web

async def main():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(sys.argv[1], sys.argv[2])

    async def answer(request):
        return web.Response(body=b'{"kind":"Status"}', content_type="application/json")

    server = await asyncio.get_running_loop().create_server(
        web.Server(answer, access_log=None), "127.0.0.1", 0, ssl=context
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.sleep(60)

uvloop.run(main())
"""


def measure() -> Iterator[Outcome]:
    """A bare Python loop, and a bare aiohttp answer over TLS under the same load as the API."""
    yield Figure("calibration: bare Python loop", _loops() / 1e6, "M turns/s")
    if not wrk.available():
        yield Skipped("calibration: bare aiohttp answer over TLS", wrk.MISSING)
        return
    yield Figure(
        "calibration: bare aiohttp answer over TLS, 32 connections", _answers(), "a second"
    )


def _loops() -> float:
    turns, total = 5_000_000, 0
    begin = time.perf_counter()
    for number in range(turns):
        total += number & 3
    return turns / (time.perf_counter() - begin)


def _answers() -> float:
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = tls.self_signed(Path(folder))
        server = subprocess.Popen(
            [sys.executable, "-c", _SERVER, certificate, key], stdout=subprocess.PIPE, text=True
        )
        try:
            port = int(server.stdout.readline())
            return wrk.run(f"https://127.0.0.1:{port}/", seconds=3).rate
        finally:
            server.kill()
            server.wait(10)
