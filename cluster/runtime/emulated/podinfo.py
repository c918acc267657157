"""stefanprodan/podinfo: its main endpoints. Not built: tokens, cache, backends, gRPC, TLS."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Final

from cluster.runtime.emulated import echoes
from cluster.runtime.emulated.serving import server
from cluster.runtime.emulated.web import golang, running
from cluster.runtime.emulated.web.messages import Headers, Request, Response, text
from cluster.runtime.vos.kernel import Call

_VERSION: Final = "6.7.0"
_LONGEST: Final = 30.0
_MAX_COUNTS: Final = 200
_JSON: Final = ("Content-Type", "application/json; charset=utf-8")


class Podinfo:
    """Answers requests."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._ready = True
        tag = call.kernel.image_tag
        self._version = tag if tag[:1].isdigit() else _VERSION
        self._counts: dict[str, int] = {}
        self._pages: dict[str, Callable[[Request, str], Awaitable[Response]]] = {
            "": self._info, "healthz": self._healthz, "readyz": self._readyz,
            "version": self._told_version, "env": self._env, "headers": self._headers,
            "echo": self._echo, "delay": self._delay, "chunked": self._delay,
            "status": self._status, "metrics": self._metrics, "panic": self._panic,
        }  # fmt: skip

    async def __call__(self, request: Request) -> Response:
        """Answer one."""
        path = request.path.strip("/")
        if path == "api" or path.startswith("api/"):
            path = path[4:].replace("info", "", 1)
        first, _, rest = path.partition("/")
        page = self._pages.get(first)
        response = await page(request, rest) if page else golang.not_found()
        key = f'method="{request.method}",path="{first[:20]}",status="{response.status}"'
        if page and (key in self._counts or len(self._counts) < _MAX_COUNTS):
            self._counts[key] = self._counts.get(key, 0) + 1
        return response

    async def _info(self, _request: Request, _rest: str) -> Response:
        env = self._call.env
        greeting = f"greetings from podinfo v{self._version}"
        return _json({
            "hostname": self._call.kernel.hostname, "version": self._version,
            "revision": "unknown", "color": env.get("PODINFO_UI_COLOR", "#34577c"),
            "logo": env.get("PODINFO_UI_LOGO", ""),
            "message": env.get("PODINFO_UI_MESSAGE", greeting), "goos": "linux",
            "goarch": "amd64", "runtime": "kubemu", "num_goroutine": "6", "num_cpu": "1",
        })  # fmt: skip

    async def _healthz(self, _request: Request, _rest: str) -> Response:
        return _json({"status": "OK"})

    async def _readyz(self, _request: Request, rest: str) -> Response:
        if rest in ("enable", "disable"):
            self._ready = rest == "enable"
            return _json({"status": "OK"}, 202)
        if self._ready:
            return _json({"status": "OK"})
        return _json({"code": 503, "message": "not ready"}, 503)

    async def _told_version(self, _request: Request, _rest: str) -> Response:
        return _json({"commit": "unknown", "version": self._version})

    async def _env(self, _request: Request, _rest: str) -> Response:
        return _json([f"{name}={value}" for name, value in self._call.env.items()])

    async def _headers(self, request: Request, _rest: str) -> Response:
        return _json(echoes.canonical(request.headers))

    async def _echo(self, request: Request, _rest: str) -> Response:
        return Response(202, Headers([_JSON]), await request.body())

    async def _delay(self, _request: Request, rest: str) -> Response:
        if not rest.isdigit():
            return golang.not_found()
        await asyncio.sleep(min(int(rest[:4]), _LONGEST))
        return _json({"delay": int(rest[:4])})

    async def _status(self, _request: Request, rest: str) -> Response:
        if not rest.isdigit() or not 200 <= int(rest[:4]) < 600:
            return golang.not_found()
        return _json({"status": int(rest)}, int(rest))

    async def _metrics(self, _request: Request, _rest: str) -> Response:
        lines = [f"http_requests_total{{{key}}} {count}\n" for key, count in self._counts.items()]
        head = "# TYPE http_requests_total counter\n"
        return text(head + "".join(lines), kind="text/plain; version=0.0.4")

    async def _panic(self, _request: Request, _rest: str) -> Response:
        self._call.process.exit(255)
        return _json({"status": "panic"}, 500)


def _json(value: object, status: int = 200) -> Response:
    return Response(status, Headers([_JSON]), json.dumps(value, indent=2).encode())


@server(stop_code=0)
async def podinfo(call: Call) -> int:
    """`./podinfo [--port=9898]`."""
    told = call.env.get("PODINFO_PORT", "")
    words = list(call.argv[1:])
    for number, word in enumerate(words):
        name, _, value = word.partition("=")
        if name == "--port":
            told = value or (words[number + 1] if number + 1 < len(words) else "")
    port = int(told) if told.isdigit() and 0 < int(told[:6]) < 65536 else 9898
    said = {"level": "info", "msg": "Starting podinfo", "port": str(port)}
    await call.out(json.dumps(said) + "\n")
    return await running.run(call, {port: Podinfo(call)})
