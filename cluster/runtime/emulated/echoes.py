"""Servers that tell what they were asked."""

import asyncio
import json
from typing import Any, Final
from urllib.parse import parse_qsl

from cluster.runtime.emulated.serving import server
from cluster.runtime.emulated.web import golang, running, websocket
from cluster.runtime.emulated.web.messages import Handler, Headers, Request, Response, text
from cluster.runtime.vos.kernel import Call, decoded
from cluster.runtime.vos.sockets import Stream

_LONGEST: Final = 30.0
_LARGEST: Final = 1 << 20


def canonical(headers: Headers) -> dict[str, list[str]]:
    """Header fields by name as Go writes it, without Host, sorted."""
    found: dict[str, list[str]] = {}
    for name, value in headers:
        if name.lower() != "host":
            found.setdefault("-".join(p.capitalize() for p in name.split("-")), []).append(value)
    return dict(sorted(found.items()))


def _lower(headers: Headers) -> dict[str, str]:
    """Header fields as Node has them."""
    return {name.lower(): headers.joined(name) for name, _ in headers}


def _query(request: Request) -> dict[str, Any]:
    """The fields of the query; those that come more than once as lists."""
    found: dict[str, Any] = {}
    try:
        pairs = parse_qsl(request.query, keep_blank_values=True, max_num_fields=1000)
    except ValueError:
        return found
    for key, value in pairs:
        if key not in found:
            found[key] = value
        elif isinstance(found[key], list):
            found[key].append(value)
        else:
            found[key] = [found[key], value]
    return found


def _json(value: object, status: int = 200, *, indent: int | None = None) -> Response:
    separators = None if indent else (",", ":")
    data = json.dumps(value, indent=indent, separators=separators, ensure_ascii=False)
    kind = ("Content-Type", "application/json; charset=utf-8")
    return Response(status, Headers([kind]), data.encode("utf-8", "surrogateescape"))


# ---- traefik/whoami --------------------------------------------------------------------------


@server(stop_code=2)
async def whoami(call: Call) -> int:
    """`/whoami [--port=80] [--name=NAME]`."""
    port, name = call.env.get("WHOAMI_PORT_NUMBER", "80"), call.env.get("WHOAMI_NAME", "")
    words = list(call.argv[1:])
    while words:
        key, equals, value = words.pop(0).lstrip("-").partition("=")
        if key not in ("port", "name", "verbose"):
            await call.io.stderr.write(f"flag provided but not defined: -{key[:40]}\n".encode())
            return 2
        if key == "verbose":
            continue
        value = value if equals or not words else words.pop(0)
        port, name = (value, name) if key == "port" else (port, value)
    if not (port.isdigit() and 0 < int(port[:6]) < 65536):
        await golang.log(call, f"listen tcp: lookup tcp/{port[:20]}: unknown port")
        return 1
    await golang.log(call, f"Starting up on port {port}")
    return await running.run(call, {int(port): _whoami(call, name)})


def _whoami(call: Call, name: str) -> Handler:
    status = 200

    async def handle(request: Request) -> Response:
        nonlocal status
        match request.path:
            case "/health":
                if request.method == "POST":
                    data = (await request.body(16)).strip()
                    status = int(data) if data.isdigit() and 100 < int(data) < 600 else status
                return Response(status if request.method != "POST" else 200)
            case "/bench":
                return text("1")
            case "/data":
                return _data(request)
            case "/echo" if websocket.wanted(request):
                return websocket.accepted(request, websocket.echo)
            case "/api":
                return _json(_about(call, request, name))
            case _:
                wait = golang.seconds(request.parameters().get("wait", "0")) or 0.0
                await asyncio.sleep(min(max(wait, 0.0), _LONGEST))
                return text(_who(call, request, name))

    return handle


def _data(request: Request) -> Response:
    given = request.parameters()
    size = given.get("size", "1")
    scale = {"KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}.get(given.get("unit", "").upper(), 1)
    count = int(size) * scale if size.isdigit() and len(size) < 10 else 1
    if count > _LARGEST:
        return golang.error(f"more than {_LARGEST} bytes are not built", 400)
    letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ-"
    data = (letters * (count // len(letters) + 1))[: max(count - 2, 0)]
    return text(b"|" + data + b"|", kind="application/octet-stream")


def _who(call: Call, request: Request, name: str) -> str:
    lines = [f"Name: {name}"] if name else []
    lines.append(f"Hostname: {call.kernel.hostname}")
    lines += [f"IP: {address}" for address in ("127.0.0.1", "::1", *call.net.addresses)]
    lines += [f"RemoteAddr: {request.peer}", request.line]
    lines.append(f"Host: {request.headers.get('host')}")
    for key, values in canonical(request.headers).items():
        lines += [f"{key}: {value}" for value in values]
    return "\n".join(lines) + "\n\n"


def _about(call: Call, request: Request, name: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "hostname": call.kernel.hostname, "ip": ["127.0.0.1", "::1", *call.net.addresses],
        "headers": canonical(request.headers), "url": request.target,
        "host": request.headers.get("host"), "method": request.method,
    }  # fmt: skip
    if name:
        found["name"] = name
    return found | {"remoteAddr": str(request.peer)}


# ---- ealen/echo-server, mendhak/http-https-echo ----------------------------------------------


def _body(data: bytes, kind: str) -> Any:
    """A body as Node's parsers leave it."""
    if "json" in kind:
        try:
            return json.loads(data)
        except ValueError:
            return {}
    if "x-www-form-urlencoded" in kind:
        return dict(parse_qsl(decoded(data)[:100_000]))
    return decoded(data) if data else {}


def ealen(call: Call) -> Handler:
    """ealen/echo-server: JSON; `echo_code`, `echo_body`, `echo_time`, `echo_header` change it."""

    async def handle(request: Request) -> Response:
        query = _query(request)

        def told(name: str) -> str:
            found = query.get(f"echo_{name}") or request.headers.get(f"x-echo-{name}")
            return found if isinstance(found, str) else ""

        wait = told("time")
        if wait.isdigit():
            await asyncio.sleep(min(int(wait[:6]) / 1000, _LONGEST))
        code = told("code").partition("-")[0]
        status = int(code) if code.isdigit() and 200 <= int(code[:4]) < 600 else 200
        body = await request.body()
        said = {"name": "echo-server", "hostname": call.kernel.hostname}
        await call.out(json.dumps(said | {"msg": f"{request.method} | {request.target}"}) + "\n")
        if told("body"):
            return _json(told("body"), status)
        address = f"::ffff:{request.peer.address}"
        response = _json({
            "host": {"hostname": request.host, "ip": address, "ips": []},
            "http": {"method": request.method, "baseUrl": "", "originalUrl": request.target,
                     "protocol": "http"},
            "request": {"params": {"0": request.path}, "query": query, "cookies": {},
                        "body": _body(body, request.headers.get("content-type")),
                        "headers": _lower(request.headers)},
            "environment": dict(call.env),
        }, status)  # fmt: skip
        for pair in told("header").split(","):
            name, colon, value = pair.partition(":")
            if colon and name.strip().replace("-", "").isalnum():
                response.headers.add(name.strip(), value.strip())
        return response

    return handle


def mendhak(call: Call) -> Handler:
    """mendhak/http-https-echo, by HTTP."""

    async def handle(request: Request) -> Response:
        body = await request.body()
        address = f"::ffff:{request.peer.address}"
        found: dict[str, Any] = {
            "path": request.path, "headers": _lower(request.headers), "method": request.method,
            "body": decoded(body), "fresh": False, "hostname": request.host, "ip": address,
            "ips": [], "protocol": "http", "query": _query(request), "subdomains": [], "xhr": False,
            "os": {"hostname": call.kernel.hostname}, "connection": {},
        }  # fmt: skip
        if "json" in request.headers.get("content-type"):
            found["json"] = _body(body, "json")
        if not call.env.get("DISABLE_REQUEST_LOGS"):
            await call.out(json.dumps(found, indent=2) + "\n")
        wait = request.parameters().get("x-set-response-delay-ms", "")
        wait = request.headers.get("x-set-response-delay-ms", wait)
        if wait.isdigit():
            await asyncio.sleep(min(int(wait[:6]) / 1000, _LONGEST))
        code = request.parameters().get("x-set-response-status-code", "")
        code = request.headers.get("x-set-response-status-code", code)
        status = int(code) if code.isdigit() and 200 <= int(code[:4]) < 600 else 200
        return _json(found, status, indent=2)

    return handle


# ---- echoserver ------------------------------------------------------------------------------

_NOTHING: Final = "-no body in request-"


def echoserver(call: Call) -> Handler:
    """registry.k8s.io/echoserver: nginx with a script; 1.4 and older say it in another form."""
    tag = call.kernel.image_tag
    old = tag in ("1.0", "1.1", "1.2", "1.3", "1.4")

    async def handle(request: Request) -> Response:
        body = decoded(await request.body()) or _NOTHING
        headers = sorted(_lower(request.headers).items())
        uri = f"http://{request.host}:{request.local.port}{request.target}"
        if old:
            query = request.query or "nil"
            return text(
                f"CLIENT VALUES:\nclient_address={request.peer.address}\ncommand={request.method}\n"
                f"real path={request.target}\nquery={query}\nrequest_version=1.{request.minor}\n"
                f"request_uri={uri}\n\n"
                "SERVER VALUES:\nserver_version=nginx: 1.10.0 - lua: 10001\n\n"
                "HEADERS RECEIVED:\n" + "".join(f"{name}={value}\n" for name, value in headers)
                + f"BODY:\n{body}",
                kind="text/plain",
            )  # fmt: skip
        return text(
            f"\n\nHostname: {call.kernel.hostname}\n\nPod Information:\n{_pod(call)}\n"
            "Server values:\n\tserver_version=nginx: 1.14.2 - lua: 10015\n\n"
            f"Request Information:\n\tclient_address={request.peer.address}\n"
            f"\tmethod={request.method}\n\treal path={request.target}\n\tquery={request.query}\n"
            f"\trequest_version=1.{request.minor}\n\trequest_scheme=http\n\trequest_uri={uri}\n\n"
            "Request Headers:\n" + "".join(f"\t{name}={value}\n" for name, value in headers)
            + f"\nRequest Body:\n\t{body}\n\n",
            kind="text/plain",
        )  # fmt: skip

    return handle


def _pod(call: Call) -> str:
    rows = (("node name", "NODE_NAME"), ("pod name", "POD_NAME"), ("pod namespace",
            "POD_NAMESPACE"), ("pod IP", "POD_IP"))  # fmt: skip
    lines = [f"\t{words}:\t{call.env[name]}\n" for words, name in rows if call.env.get(name)]
    return "".join(lines) or "\t-no pod information available-\n"


# ---- jmalloc/echo-server ---------------------------------------------------------------------


def jmalloc(call: Call) -> Handler:
    """jmalloc/echo-server and kicbase/echo-server, with WebSockets."""
    greeting = f"Request served by {call.kernel.hostname}"

    async def echo(stream: Stream, data: bytes) -> None:
        await websocket.echo(stream, data, greeting.encode())

    async def handle(request: Request) -> Response:
        await call.out(f"{request.peer} | {request.method} {request.target}\n")
        if websocket.wanted(request):
            return websocket.accepted(request, echo)
        lines = [greeting, "", f"HTTP/1.{request.minor} {request.method} {request.target}", ""]
        lines.append(f"Host: {request.headers.get('host')}")
        for name, values in canonical(request.headers).items():
            lines += [f"{name}: {value}" for value in values]
        return text("\n".join(lines) + "\n" + decoded(await request.body()), kind="text/plain")

    return handle
