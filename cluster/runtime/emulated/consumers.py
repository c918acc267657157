"""Servers whose work grows with what is asked of them: the autoscaler's example, and the resource
consumer of Kubernetes' own tests (test/images/resource-consumer).
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from cluster.api.curves import Curve
from cluster.runtime.emulated.image import Image
from cluster.runtime.emulated.serving import server
from cluster.runtime.emulated.web import running
from cluster.runtime.emulated.web.messages import Handler, Request, Response, text
from cluster.runtime.vos.kernel import Call

_A_REQUEST: Final = 0.05
"""Seconds of a core that a request of hpa-example takes, about."""
_PATIENCE: Final = 30.0


def _php_apache(call: Call) -> Handler:
    async def handle(_request: Request) -> Response:
        kernel = call.kernel
        meter = kernel.metered()
        if meter.backlog(kernel.clock.now()) > _PATIENCE:
            return text("503 Service Unavailable\n", 503)
        wait = meter.work(kernel.clock.now(), _A_REQUEST, max(kernel.cores(), 0.001))
        await asyncio.sleep(wait)
        return text("OK!")

    return handle


@server()
async def php_apache(call: Call) -> int:
    """The server of the autoscaler's walk-through: each request computes for a while."""
    ready = "[core:notice] [pid 1] AH00094: Command line: 'apache2 -D FOREGROUND'"
    await call.io.stderr.write(f"{ready}\n".encode())
    return await running.run(call, {80: _php_apache(call)}, "apache2")


_BASE: Final = 10 << 20
_MOST_HELD: Final = 64
"""Requests that are worked on at once, of each kind."""


class _Consumer:
    """The resource consumer's work."""

    def __init__(self, call: Call) -> None:
        self._kernel = call.kernel
        self._busy: list[float] = []
        """Until when cores are used."""
        self._held: list[tuple[float, int]] = []
        """Bytes of memory, and until when."""

    async def handle(self, request: Request) -> Response:
        """Answer a request."""
        query = request.query
        if request.method == "POST":
            query += "&" + (await request.body()).decode(errors="replace")
        told = dict(parse_qsl(query, max_num_fields=20)) if query.count("&") < 20 else {}
        if request.path == "/ConsumeCPU":
            return self._cpu(told)
        if request.path == "/ConsumeMem":
            return self._memory(told)
        if request.path == "/BumpMetric":
            return text("BumpMetric is not emulated\n", 501)
        return text("unknown function\n", 404)

    def _cpu(self, told: Mapping[str, str]) -> Response:
        millis, seconds = _number(told, "millicores"), _number(told, "durationSec")
        if millis is None or seconds is None:
            return text("not given millicores or durationSec\n", 400)
        now = self._kernel.clock.now()
        self._busy = [one for one in self._busy if one > now]
        if len(self._busy) >= _MOST_HELD:
            return text("too many requests at once\n", 503)
        self._busy.append(now + seconds)
        self._kernel.metered().spend(now, seconds, millis / 1000)
        return text(f"ConsumeCPU\n{millis} millicores\n{seconds} durationSec\n")

    def _memory(self, told: Mapping[str, str]) -> Response:
        size, seconds = _number(told, "megabytes"), _number(told, "durationSec")
        if size is None or seconds is None:
            return text("not given megabytes or durationSec\n", 400)
        now = self._kernel.clock.now()
        held = [one for one in self._held if one[0] > now][-_MOST_HELD:]
        self._held = sorted([*held, (now + seconds, size << 20)])
        self._kernel.hold(_steps(self._held, now))
        return text(f"ConsumeMem\n{size} megabytes\n{seconds} durationSec\n")


def _number(told: Mapping[str, str], name: str) -> int | None:
    value = told.get(name, "")
    return int(value) if re.fullmatch(r"[0-9]{1,6}", value) else None


def _steps(held: list[tuple[float, int]], now: float) -> Curve:
    """The sum of what is held, from now on: it falls when the time of one is over."""
    times, amounts = [0.0], [float(_BASE + sum(size for _, size in held))]
    for until, size in held:
        times += [max(until - now, times[-1] + 0.001), max(until - now, times[-1] + 0.001) + 0.001]
        amounts += [amounts[-1], amounts[-1] - size]
    return Curve(tuple(times), tuple(amounts))


@server(stop_code=2)
async def consumer(call: Call) -> int:
    """`/consumer`: ConsumeCPU and ConsumeMem."""
    return await running.run(call, {8080: _Consumer(call).handle}, "")


IMAGES: Final = (
    Image(
        names=("hpa-example", "google_containers/hpa-example", "google-containers/hpa-example"),
        cmd=("apache2-foreground",), ports=(80,), programs={"apache2-foreground": php_apache},
    ),
    Image(
        names=("resource_consumer", "e2e-test-images/resource-consumer",
               "kubernetes-e2e-test-images/resource-consumer"),
        entrypoint=("/consumer",), ports=(8080,), programs={"/consumer": consumer},
    ),
)  # fmt: skip
