"""agnhost's small servers: serve-hostname, liveness, porter, test-webserver, no-snat-test,
guestbook, tcp-reset.
"""

import asyncio
import html
import json
import posixpath
from typing import Final
from urllib.parse import quote

from cluster.runtime.emulated.agnhost.flags import read
from cluster.runtime.emulated.nginx.routing import normal
from cluster.runtime.emulated.web import files, golang, names, running, types
from cluster.runtime.emulated.web.messages import Headers, Request, Response, split_host, text
from cluster.runtime.emulated.web.serving import Site
from cluster.runtime.vos.kernel import Call, decoded, encoded
from cluster.runtime.vos.nodes import File, Folder

_HEALTHY: Final = 10.0
_REGISTRATION: Final = 15.0
_DIAL: Final = 5.0


async def serve_hostname(call: Call) -> int:
    """`agnhost serve-hostname [--tcp] [--udp] [--http] [--close] [--port=9376]`.

    At SIGTERM the real one waits a minute for the pod's deletion; this one ends at once.
    """
    known = {"tcp": "false", "udp": "false", "http": "true", "close": "false", "port": "9376"}
    given = read(call.argv[2:], known)
    port, hostname = given.port("port"), call.kernel.hostname
    tcp, udp = given.flag("tcp"), given.flag("udp")
    if given.flag("http") and (tcp or udp):
        await golang.log(call, "Can't server TCP/UDP mode and HTTP mode at the same time")
        return 1

    async def handle(request: Request) -> Response:
        await golang.log(call, f"HTTP request from {request.peer}")
        response = text(hostname)
        response.close = given.flag("close")
        return response

    site = Site(handler=handle, now=call.kernel.clock.now)
    try:
        async with running.serving(call, {port: site} if given.flag("http") else {}) as group:
            if tcp:
                group.spawn(_over_streams(call, port), "tcp")
            if udp:
                group.spawn(_over_datagrams(call, port), "udp")
            await golang.log(call, f"Serving on port {port}.")
            await running.forever()
    except running.Taken as taken:
        await golang.log(call, f"listen tcp :{port}: bind: {taken.reason}")
    except OSError as error:
        await golang.log(call, f"Error from net.Listen(): {error.strerror}")
    return 1


async def _over_streams(call: Call, port: int) -> None:
    """Tell the host's name to whoever connects. OSError."""
    listener = call.net.listen(port)
    while True:
        stream = await listener.accept()
        await golang.log(call, f"TCP request from {stream.peer}")
        try:
            async with asyncio.timeout(_DIAL):
                await stream.send(encoded(call.kernel.hostname))
            stream.close()
        except OSError:
            stream.abort()


async def _over_datagrams(call: Call, port: int) -> None:
    """Tell the host's name to whoever sends a datagram. OSError."""
    socket = call.net.datagrams(port)
    while True:
        try:
            _, sender = await socket.receive()
            await golang.log(call, f"UDP request from {sender}")
            socket.send(encoded(call.kernel.hostname), sender)
        except ConnectionRefusedError:
            continue


async def liveness(call: Call) -> int:
    """`agnhost liveness`: well for ten seconds, and then no more."""
    read(call.argv[2:], {})
    loop, kernel = asyncio.get_running_loop(), call.kernel
    # It began when the container did, though it may have slept until now.
    begun = loop.time() - max(kernel.clock.now() - kernel.started, 0.0)

    async def handle(request: Request) -> Response:
        age = loop.time() - begun
        match request.path:
            case "/started":
                return text(golang.duration(age))
            case "/healthz" if age > _HEALTHY:
                return text(f"error: {age:.9f}".rstrip("0"), 500)
            case "/healthz":
                return text("ok")
            case "/redirect":
                location = request.parameters().get("loc", "")
                return Response(302, Headers([("Location", location)]))
            case _:
                return golang.not_found()

    return await running.run(call, {8080: handle})


async def porter(call: Call) -> int:
    """`agnhost porter [--json-response]`: what SERVE_PORT_N says, at port N."""
    given = read(call.argv[2:], {"json-response": "false"})
    sites: dict[int, Site] = {}
    for name, value in call.env.items():
        kind, _, digits = name.rpartition("_")
        if kind in ("SERVE_TLS_PORT", "SERVE_SCTP_PORT"):
            await golang.log(call, f"{name}: TLS and SCTP are not built in the emulated agnhost")
        elif kind == "SERVE_PORT" and digits.isdigit() and 0 < int(digits[:6]) < 65536:
            sites[int(digits)] = Site(
                handler=_Port(value, as_json=given.flag("json-response")),
                now=call.kernel.clock.now,
            )
    try:
        async with running.serving(call, sites):
            await running.forever()
    except running.Taken as taken:
        why = f"listen tcp 0.0.0.0:{taken.port}: bind: {taken.reason}"
        await golang.log(call, f'server on port "{taken.port}" failed: {why}')
    return 1


class _Port:
    """Answers every request with the same."""

    def __init__(self, value: str, *, as_json: bool) -> None:
        self._value = value
        self._as_json = as_json

    async def __call__(self, request: Request) -> Response:
        """Answer one."""
        if not self._as_json:
            return text(self._value)
        said = {"Method": request.method, "Body": self._value}
        return text(json.dumps(said, separators=(",", ":")), kind="application/json")


async def test_webserver(call: Call) -> int:
    """`agnhost test-webserver [--port=80]`: every file of the container."""
    port = read(call.argv[2:], {"port": "80"}).port("port")
    allowed = "DNT,X-Mx-ReqToken,Keep-Alive,User-Agent,X-Requested-With,Cache-Control,Content-Type"
    extra = [("Cache-Control", "private"), ("Access-Control-Allow-Origin", "*"),
             ("Access-Control-Allow-Credentials", "true"),
             ("Access-Control-Allow-Methods", "GET, POST, OPTIONS"),
             ("Access-Control-Allow-Headers", allowed)]  # fmt: skip

    async def handle(request: Request) -> Response:
        request.headers.drop("if-modified-since")
        response = _file(call, request)
        response.headers.pairs += extra
        return response

    return await running.run(call, {port: handle})


def _file(call: Call, request: Request) -> Response:
    """Go's file server."""
    path = normal(request.decoded) or "/"
    try:
        node = call.files.find(path.rstrip("/") or "/")
        if isinstance(node, Folder):
            if not path.endswith("/"):
                return Response(301, Headers([("Location", posixpath.basename(path) + "/")]))
            index = posixpath.join(path, "index.html")
            if not call.files.exists(index):
                return _listing(call, path)
            path, node = index, call.files.find(index)
        if not isinstance(node, File):
            return golang.not_found()
        return files.answer(request, node, types.of(path, "text/plain; charset=utf-8"))
    except OSError:
        return golang.not_found()


def _listing(call: Call, path: str) -> Response:
    lines = []
    for name in call.files.names(path.rstrip("/") or "/"):
        shown = name + ("/" if call.files.is_folder(posixpath.join(path, name)) else "")
        address = quote(shown, errors="surrogateescape")
        lines.append(f'<a href="{address}">{html.escape(shown)}</a>\n')
    return text(f"<pre>\n{''.join(lines)}</pre>\n", kind="text/html; charset=utf-8")


async def no_snat_test(call: Call) -> int:
    """`agnhost no-snat-test [--port=8080]`."""
    port = read(call.argv[2:], {"port": "8080"}).port("port")
    for name in ("POD_IP", "NODE_IP"):
        if name not in call.env:
            said = f"{name} env var was not present in the environment\n"
            await call.io.stderr.write(encoded(said))
            return 1

    async def check(where: str) -> str:
        host, target_port = split_host(where, 80)
        try:
            async with asyncio.timeout(_DIAL):
                _, data = await golang.get(call, host, target_port, "/whoami")
        except TimeoutError:
            return f'Get "http://{where}/whoami": i/o timeout'
        except golang.Failed as failed:
            return str(failed)
        seen = split_host(decoded(data))[0]
        if seen == call.env["POD_IP"]:
            return ""
        return f"Returned ip {decoded(data)!r} != my Pod ip {call.env['POD_IP']!r}"

    async def handle(request: Request) -> Response:
        if request.path == "/whoami":
            return text(str(request.peer))
        if request.path != "/checknosnat":
            return golang.not_found()
        wanted = request.parameters().get("ips", "").split(",")[:100]
        failed = [error for where in wanted if (error := await check(where))]
        return text(", ".join(failed), 500) if failed else Response(200)

    return await running.run(call, {port: handle})


async def tcp_reset(call: Call) -> int:
    """`agnhost tcp-reset [--port=8080]`: every connection is reset."""
    port = read(call.argv[2:], {"port": "8080"}).port("port")
    try:
        listener = call.net.listen(port)
    except OSError as error:
        await golang.log(call, f"listen tcp :{port}: bind: {error.strerror}")
        return 1
    while True:
        stream = await listener.accept()
        await golang.log(call, f"TCP request from {stream.peer}")
        stream.abort()


# ---- guestbook -------------------------------------------------------------------------------


class Guestbook:
    """`agnhost guestbook`: a store with replicas, and the front end of it."""

    def __init__(self, call: Call, backend: int) -> None:
        self._call = call
        self._backend = backend
        self._store: dict[str, str] = {}
        self._replicas: dict[str, None] = {}

    async def __call__(self, request: Request) -> Response:
        """Answer one."""
        match request.path:
            case "/register":
                return await self._register(request)
            case "/get":
                return await self._get(request)
            case "/set":
                return await self._set(request)
            case "/guestbook":
                return await self._front(request)
            case _:
                return golang.not_found()

    async def _register(self, request: Request) -> Response:
        host = request.parameters().get("host", "")
        await golang.log(self._call, f"GET /register?host={host}")
        if host and len(self._replicas) < 100:
            self._replicas[host] = None
        await golang.log(self._call, f"Node '{host}' registered.")
        return text(_json({"data": self._store}))

    async def _get(self, request: Request) -> Response:
        key = request.parameters().get("key", "")
        await golang.log(self._call, f"GET /get?key={key}")
        return text(_json({"data": self._store.get(key, "") if key else self._store}))

    async def _set(self, request: Request) -> Response:
        values = request.parameters()
        key, value = values.get("key", ""), values.get("value", "")
        await golang.log(self._call, f"GET /set?key={key}&value={value}")
        if not key:
            return golang.error("cannot set with empty key.", 400)
        if key not in self._store and len(self._store) >= 1000:
            return golang.error("the emulated store is full", 507)
        self._store[key] = value
        for replica in list(self._replicas):
            try:
                await self._ask(replica, f"/set?key={quote(key)}&value={quote(value)}")
            except golang.Failed as failed:
                said = f"encountered error while propagating to replica '{replica}': {failed}"
                return golang.error(said, 417)
        return text(_json({"message": "Updated"}))

    async def _front(self, request: Request) -> Response:
        values = request.parameters()
        command = values.get("cmd", "").lower()
        key, value = values.get("key", ""), values.get("value", "")
        await golang.log(self._call, f"GET /guestbook?cmd={command}&key={key}&value={value}")
        if command not in ("get", "set"):
            return golang.error(f"unsupported cmd: '{command}'", 400)
        if command == "set" and not key:
            return golang.error("cannot set with empty key.", 400)
        host = "agnhost-replica" if command == "get" else "agnhost-primary"
        try:
            await names.addresses(self._call, host)
        except names.Unknown:
            said = f"host and/or port param are invalid. lookup {host}: no such host"
            return golang.error(said, 400)
        try:
            target = f"/{command}?key={quote(key)}&value={quote(value)}"
            return text(await self._ask(host, target))
        except golang.Failed as failed:
            return golang.error(f"encountered error: {failed}", 417)

    async def _ask(self, host: str, target: str) -> str:
        try:
            async with asyncio.timeout(_DIAL):
                _, data = await golang.get(self._call, host, self._backend, target)
                return decoded(data)
        except TimeoutError:
            raise golang.Failed(f'Get "http://{host}{target}": i/o timeout') from None

    async def register(self, primary: str) -> bool:
        """Take the store of the primary, and its writes from now on; whether that worked."""
        loop = asyncio.get_running_loop()
        end = loop.time() + _REGISTRATION
        own = next(iter(self._call.net.addresses), "")
        while loop.time() < end:
            await golang.log(
                self._call,
                f"Registering to primary: {primary}:{self._backend}/register?host={own}",
            )
            try:
                found = json.loads(await self._ask(primary, f"/register?host={own}"))
                self._store = {str(key): str(value) for key, value in found["data"].items()}
            except (golang.Failed, ValueError, KeyError, AttributeError, TypeError) as error:
                said = f"encountered error while registering to primary: {error}. Retrying in 1s."
                await golang.log(self._call, said)
                await asyncio.sleep(1)
                continue
            await golang.log(self._call, f"Registered to node: {primary}")
            return True
        await golang.log(self._call, "Timed out while registering to primary.")
        return False


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


async def guestbook(call: Call) -> int:
    """`agnhost guestbook [--http-port=80] [--backend-port=6379] [--replicaof=HOST]`."""
    known = {"http-port": "80", "backend-port": "6379", "replicaof": ""}
    given = read(call.argv[2:], known)
    made = Guestbook(call, given.port("backend-port"))
    port, primary = given.port("http-port"), given.text("replicaof")
    try:
        async with running.serving(call, {port: Site(handler=made, now=call.kernel.clock.now)}):
            if primary and not await made.register(primary):
                return 1
            await running.forever()
    except running.Taken as taken:
        await golang.log(call, f"listen tcp :{port}: bind: {taken.reason}")
    return 1
