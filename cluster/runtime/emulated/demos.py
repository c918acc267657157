"""Small servers of tutorials and demonstrations, a few lines each."""

from collections.abc import Callable
from typing import Final

from cluster.runtime.emulated import echoes, podinfo
from cluster.runtime.emulated.image import Image
from cluster.runtime.emulated.serving import server
from cluster.runtime.emulated.web import golang, running
from cluster.runtime.emulated.web.messages import Handler, Headers, Request, Response, text
from cluster.runtime.vos.kernel import Call, Program


def port_of(call: Call, name: str = "PORT", default: int = 8080) -> int:
    """The port that a variable says."""
    found = call.env.get(name, "")
    return int(found) if found.isdigit() and 0 < int(found[:6]) < 65536 else default


def on_port(
    make: Callable[[Call], Handler], *, variable: str = "PORT", port: int = 8080,
    greeting: str = "", name: str = "", stop_code: int = 2,
) -> Program:  # fmt: skip
    """A program that serves one port, and says so. Go programs end with 2 when asked to."""

    @server(stop_code=stop_code)
    async def program(call: Call) -> int:
        chosen = port_of(call, variable, port)
        if greeting:
            await call.out(greeting.format(port=chosen) + "\n")
        return await running.run(call, {chosen: make(call)}, name)

    return program


# ---- host names ------------------------------------------------------------------------------


def _nodeinfo(call: Call) -> Handler:
    async def handle(request: Request) -> Response:
        await call.out(f"{request.peer.address} {request.method} {request.path}\n")
        return text(f"Container Hostname: {call.kernel.hostname}\n")

    return handle


def _kubia(call: Call) -> Handler:
    count = 0

    async def handle(request: Request) -> Response:
        nonlocal count
        count += 1
        await call.out(f"Received request from ::ffff:{request.peer.address}\n")
        if "unhealthy" in call.argv[-1] and count > 5:
            return text("I'm not well. Please restart me!\n", 500, kind="")
        tag = call.kernel.image_tag
        if tag in ("v2", "v3", "v4"):
            return text(f"This is {tag} running in pod {call.kernel.hostname}\n")
        return text(f"You've hit {call.kernel.hostname}\n")

    return handle


_kubia_program = on_port(
    _kubia, greeting="Kubia server starting...", stop_code=143, variable="KUBIA_PORT"
)


def _hello_app(call: Call) -> Handler:
    tag = call.kernel.image_tag
    version = f"{tag}.0" if tag in ("1.0", "2.0") else "1.0.0"

    async def handle(request: Request) -> Response:
        await golang.log(call, f"Serving request: {request.path}")
        return text(f"Hello, world!\nVersion: {version}\nHostname: {call.kernel.hostname}\n")

    return handle


@server(stop_code=2)
async def _hello(call: Call) -> int:
    port = port_of(call)
    await golang.log(call, f"Server listening on port {port}")
    return await running.run(call, {port: _hello_app(call)})


# ---- http-echo -------------------------------------------------------------------------------


def _options(call: Call, names: dict[str, str]) -> dict[str, str] | str:
    """Go's flags, `-name value` or `--name=value`; the name of one that is unknown."""
    found = dict(names)
    words = list(call.argv[1:])
    while words:
        name, equals, value = words.pop(0).lstrip("-").partition("=")
        if name not in names:
            return name
        found[name] = value if equals or not words else words.pop(0)
    return found


@server(stop_code=2)
async def _http_echo(call: Call) -> int:
    """`http-echo -text=TEXT [-listen=:5678] [-status-code=200]`."""
    given = {"listen": ":5678", "text": call.env.get("ECHO_TEXT", ""), "status-code": "200"}
    found = _options(call, given)
    if isinstance(found, str):
        await call.io.stderr.write(f"flag provided but not defined: -{found}\n".encode())
        return 2
    if not found["text"]:
        await call.io.stderr.write(b"Missing -text option!\n")
        return 127
    _, _, digits = found["listen"].rpartition(":")
    code = found["status-code"]
    if not digits.isdigit() or not code.isdigit() or not 100 < int(code[:4]) < 600:
        await call.io.stderr.write(b"invalid -listen or -status-code\n")
        return 2

    async def handle(request: Request) -> Response:
        own = [("X-App-Name", "http-echo"), ("X-App-Version", "1.0.0")]
        if request.path == "/health":
            kind = ("Content-Type", "application/json; charset=utf-8")
            return Response(200, Headers([kind, *own]), b'{"status":"ok"}\n')
        data = found["text"] + "\n"
        host, agent = request.headers.get("host"), request.headers.get("user-agent")
        await golang.log(
            call, f'{host} {request.peer} "{request.line}" {code} {len(data)} "{agent}" 0s'
        )
        response = text(data, int(code))
        response.headers.pairs += own
        return response

    await golang.log(call, f"[INFO] server is listening on {found['listen']}")
    return await running.run(call, {int(digits): handle})


# ---- the table -------------------------------------------------------------------------------


def _image(
    names: tuple[str, ...], program: Program, *cmd: str, port: int = 8080, path: str = "/app/server"
) -> Image:
    return Image(names=names, entrypoint=(path,), cmd=cmd, ports=(port,), programs={path: program})


IMAGES: Final = (
    _image(("library/nodeinfo", "nodeinfo", "kubemu/nodeinfo"), on_port(_nodeinfo, stop_code=0)),
    _image(("luksa/kubia",), _kubia_program, "app.js", path="node"),
    _image(("luksa/kubia-unhealthy",), _kubia_program, "app-unhealthy.js", path="node"),
    _image(("google-samples/hello-app", "google-samples/containers/gke/hello-app",
            "google_samples/hello-app"), _hello, path="/hello-app"),
    _image(("hashicorp/http-echo",), _http_echo, port=5678, path="/http-echo"),
    _image(("traefik/whoami", "containous/whoami", "jwilder/whoami"), echoes.whoami, port=80,
           path="/whoami"),
    _image(("ealen/echo-server",), on_port(echoes.ealen, port=80, stop_code=0,
           greeting="Listening on port {port}."), port=80, path="/app/webserver"),
    _image(("mendhak/http-https-echo",), on_port(echoes.mendhak, variable="HTTP_PORT", stop_code=0,
           greeting="Listening on ports {port} for http, and no port for https (not built)."),
           path="/app/index.js"),
    _image(("echoserver", "google_containers/echoserver", "google-containers/echoserver",
            "e2e-test-images/echoserver", "ingress-nginx/e2e-test-echo"),
           on_port(echoes.echoserver, name="echoserver", stop_code=0),
           path="/usr/local/bin/run.sh"),
    _image(("jmalloc/echo-server", "kicbase/echo-server", "inanimate/echo-server"),
           on_port(echoes.jmalloc, greeting="Echo server listening on port {port}."),
           path="/bin/echo-server"),
    _image(("stefanprodan/podinfo",), podinfo.podinfo, "--port=9898", port=9898,
           path="/home/app/podinfo"),
)  # fmt: skip
