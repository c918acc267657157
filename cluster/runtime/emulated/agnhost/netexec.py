"""`agnhost netexec`: HTTP and UDP endpoints that tests of the network drive."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from email import message_from_bytes
from typing import Final

from cluster.runtime.emulated.agnhost.flags import read
from cluster.runtime.emulated.web import golang, names, running
from cluster.runtime.emulated.web.messages import Headers, Request, Response, fields, text
from cluster.runtime.emulated.web.serving import Site
from cluster.runtime.vos.kernel import Call, Io, NotFound, TooMany, decoded
from cluster.runtime.vos.sockets import Endpoint
from cluster.runtime.vos.streams import NOTHING, Collected

FLAGS: Final = {
    "http-port": "8080", "udp-port": "8081", "sctp-port": "-1", "tls-cert-file": "",
    "tls-private-key-file": "", "http-override": "", "delay-shutdown": "0",
    "udp-listen-addresses": "", "sctp-listen-addresses": "",
}  # fmt: skip
_DIAL: Final = 5.0
_MAX_TRIES: Final = 1000
_MAX_OUTPUT: Final = 1 << 20
_MAX_UPLOAD: Final = 8 << 20
_FORM: Final = "application/x-www-form-urlencoded"


class Netexec:
    """Answers requests."""

    def __init__(self, call: Call) -> None:
        self.ready = False
        self.begun = asyncio.Event()
        self._call = call
        self._uploads = 0
        self._pages: dict[str, Callable[[Request], Awaitable[Response]]] = {
            "/clientip": self._client_ip, "/dial": self._dial, "/echo": self._echo,
            "/exit": self._exit, "/healthz": self._healthz, "/hostname": self._hostname,
            "/hostName": self._hostname, "/header": self._header, "/redirect": self._redirect,
            "/shell": self._shell, "/shutdown": self._shutdown, "/upload": self._upload,
        }  # fmt: skip

    async def __call__(self, request: Request) -> Response:
        """Answer one."""
        return await self._pages.get(request.path, self._root)(request)

    async def _values(self, request: Request) -> dict[str, str]:
        """The fields of form and query: `Request.FormValue`."""
        found = request.parameters()
        if request.headers.get("content-type").startswith(_FORM):
            found = fields(decoded(await request.body())) | found
        return found

    async def _root(self, _request: Request) -> Response:
        await golang.log(self._call, "GET /")
        return text(f"NOW: {golang.moment(self._call.kernel.clock.now())}")

    async def _client_ip(self, request: Request) -> Response:
        await golang.log(self._call, "GET /clientip")
        return text(str(request.peer))

    async def _hostname(self, request: Request) -> Response:
        await golang.log(self._call, f"GET {request.path}")
        return text(self._call.kernel.hostname)

    async def _header(self, request: Request) -> Response:
        key = (await self._values(request)).get("key", "")
        await golang.log(self._call, f"GET /header?key={key}")
        return text(request.headers.get(key))

    async def _healthz(self, _request: Request) -> Response:
        await golang.log(self._call, "GET /healthz")
        return Response(200 if self.ready else 412)

    async def _echo(self, request: Request) -> Response:
        values = await self._values(request)
        said, code = values.get("msg", ""), values.get("code", "")
        await golang.log(self._call, f"GET /echo?msg={said}&code={code}")
        if code and not code.lstrip("-").isdigit():
            return text(f"argument 'code' must be an integer or empty, got {json.dumps(code)}\n")
        if code and not 200 <= int(code[:6]) < 1000:
            return golang.error(f"invalid WriteHeader code {code[:6]}", 500)
        return text(said, int(code) if code else 200)

    async def _redirect(self, request: Request) -> Response:
        values = await self._values(request)
        location, code = values.get("location", ""), values.get("code", "")
        await golang.log(self._call, f"{request.method} /redirect?msg={location}&code={code}")
        if code and not (code.isdigit() and 200 <= int(code[:4]) < 1000):
            return text(f"argument 'code' must be an integer or empty, got {json.dumps(code)}\n")
        return Response(int(code) if code else 302, Headers([("Location", location)]))

    # ---- the process -------------------------------------------------------------------------

    async def _shutdown(self, _request: Request) -> Response:
        await golang.log(self._call, "GET /shutdown")
        self._call.process.exit(0)
        await running.forever()
        raise AssertionError

    async def _exit(self, request: Request) -> Response:
        values = await self._values(request)
        code, timeout, wait = (values.get(name, "") for name in ("code", "timeout", "wait"))
        await golang.log(self._call, f"GET /exit?code={code}&timeout={timeout}&wait={wait}")
        seconds = []
        for name, value in (("timeout", timeout), ("wait", wait)):
            found = golang.seconds(value) if value else 0.0
            if found is None:
                return text(
                    f"argument '{name}' must be a valid golang duration or empty, got "
                    f"{json.dumps(value)}\n"
                )
            seconds.append(max(found, 0.0))
        if code and not code.isdigit():
            return text(
                f"argument 'code' must be an integer [0-127] or empty, got {json.dumps(code)}\n"
            )
        graceful, before = seconds
        await golang.log(
            self._call,
            f"Will begin shutdown in {golang.duration(before)}, allowing "
            f"{golang.duration(graceful)} for connections to close, then will exit with "
            f"{code or 0}",
        )
        await asyncio.sleep(before)
        number = int(code[:6]) & 0xFF if code else 0
        if not graceful:
            self._call.process.exit(number)
            await running.forever()
        loop = asyncio.get_running_loop()
        # Connections close by themselves; what is left of the time goes by.
        loop.call_later(min(graceful, 1.0), self._call.process.exit, number)
        return Response(200, close=True)

    async def _shell(self, request: Request) -> Response:
        values = await self._values(request)
        command = values.get("shellCommand") or values.get("cmd", "")
        await golang.log(self._call, f"GET /shell?cmd={command}")
        output: dict[str, str] = {}
        taken = Collected(_MAX_OUTPUT, cut=True)
        try:
            process = self._call.kernel.start(
                ["/bin/sh", "-c", command], Io(NOTHING, taken, taken), env=self._call.env
            )
            code = await process.wait()
            if taken.data:
                output["output"] = decoded(bytes(taken.data))
            if code:
                output["error"] = f"exit status {code}"
        except (NotFound, TooMany) as error:
            output["error"] = f"fork/exec /bin/sh: {error or 'resource temporarily unavailable'}"
        await golang.log(self._call, f"Output: {golang.mapping(output)}")
        return text(_json(output))

    async def _upload(self, request: Request) -> Response:
        await golang.log(self._call, "GET /upload")
        kind = request.headers.get("content-type")
        data = await request.body(_MAX_UPLOAD)
        content = _file_of(kind, data)
        if content is None:
            await golang.log(self._call, "Unable to upload file: http: no such file")
            return text(_json({"error": "Unable to upload file."}))
        self._uploads += 1
        path = f"/uploads/upload{self._uploads:09d}"
        try:
            self._call.files.put(path, content, 0o700)
        except OSError as error:
            await golang.log(self._call, f"Unable to open file for write: {error}")
            return text(_json({"error": "Unable to open file for write"}))
        await golang.log(self._call, f"Wrote upload to {path}")
        return text(_json({"output": path}), 201)

    # ---- other servers -----------------------------------------------------------------------

    async def _dial(self, request: Request) -> Response:
        values = request.parameters()
        host, port, asked = (values.get(name, "") for name in ("host", "port", "request"))
        protocol, tries = values.get("protocol", ""), values.get("tries", "")
        await golang.log(
            self._call,
            f"GET /dial?host={host}&protocol={protocol}&port={port}&request={asked}&tries={tries}",
        )
        if tries and not tries.isdigit():
            said = f'strconv.Atoi: parsing "{tries}": invalid syntax'
            return golang.error(f"tries parameter is invalid. {said}", 400)
        if not asked:
            return golang.error("request parameter not specified. <nil>", 400)
        dial = {"": self._dial_http, "http": self._dial_http, "udp": self._dial_udp}.get(
            protocol.lower()
        )
        if dial is None:
            return golang.error(f"unsupported protocol. {protocol}", 400)
        if not (port.isdigit() and 0 < int(port[:6]) < 65536):
            return golang.error(f"host and/or port param are invalid. address {port}: invalid", 400)
        try:
            found = await names.addresses(self._call, host)
        except names.Unknown:
            return golang.error(
                f"host and/or port param are invalid. lookup {host}: no such host", 400
            )
        return await self._dialled(dial, Endpoint(found[0], int(port)), asked, tries)

    async def _dialled(
        self, dial: Callable[[Endpoint, str], Awaitable[str]], where: Endpoint, asked: str,
        tries: str,
    ) -> Response:  # fmt: skip
        responses: list[str] = []
        errors: list[str] = []
        last = ""
        for _ in range(min(int(tries[:6]), _MAX_TRIES) if tries else 1):
            try:
                last = await dial(where, asked)
                responses.append(last)
            except golang.Failed as failed:
                last = ""
                errors.append(str(failed))
        output: dict[str, list[str]] = {}
        if last:
            output["responses"] = responses
        if errors:
            output["errors"] = errors
        return text(json.dumps(dict(sorted(output.items())), separators=(",", ":")))

    async def _dial_http(self, where: Endpoint, asked: str) -> str:
        try:
            async with asyncio.timeout(_DIAL):
                _, data = await golang.get(self._call, where.address, where.port, f"/{asked}")
                return decoded(data)
        except TimeoutError:
            raise golang.Failed(
                f'Get "http://{where}/{asked}": context deadline exceeded '
                "(Client.Timeout exceeded while awaiting headers)"
            ) from None

    async def _dial_udp(self, where: Endpoint, asked: str) -> str:
        try:
            socket = self._call.net.datagrams()
        except OSError as error:
            raise golang.Failed(f"udp dial failed. err:{error.strerror}") from error
        try:
            socket.send(asked.encode("utf-8", "surrogateescape"), where)
            async with asyncio.timeout(_DIAL):
                data, _ = await socket.receive()
        except TimeoutError:
            said = f"read udp {socket.local}->{where}: i/o timeout"
            raise golang.Failed(f"reading from udp connection failed. err:'{said}'") from None
        except OSError as error:
            said = f"read udp {socket.local}->{where}: {str(error.strerror).lower()}"
            raise golang.Failed(f"reading from udp connection failed. err:'{said}'") from error
        finally:
            socket.close()
        return decoded(data[:2048])

    # ---- UDP ---------------------------------------------------------------------------------

    async def udp(self, port: int) -> None:
        """Answer datagrams for ever. OSError where the port is taken."""
        socket = self._call.net.datagrams(port)
        await golang.log(self._call, f"Started UDP server on port {port}")
        self.ready = True
        self.begun.set()
        while True:
            try:
                data, sender = await socket.receive()
            except ConnectionRefusedError:
                continue
            said = decoded(data[:2048]).strip().lower()
            answer = await self._datagram(said, sender)
            if answer is not None:
                socket.send(answer.encode("utf-8", "surrogateescape"), sender)

    async def _datagram(self, said: str, sender: Endpoint) -> str | None:
        if said == "hostname":
            await golang.log(self._call, "Sending udp hostName response")
            return self._call.kernel.hostname
        if said.startswith("echo "):
            await golang.log(self._call, f"Echoing {said[5:]} to UDP client {sender}")
            return said[5:]
        if said == "clientip":
            await golang.log(self._call, f"Sending clientip back to UDP client {sender}")
            return str(sender)
        if said:
            await golang.log(self._call, f"Unknown UDP command received from {sender}: {said}")
        return None


def _json(value: dict[str, str]) -> str:
    """As Go's encoding/json writes a map."""
    made = json.dumps(dict(sorted(value.items())), separators=(",", ":"), ensure_ascii=False)
    return made.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _file_of(kind: str, data: bytes) -> bytes | None:
    """The file named `file` of a multipart form."""
    if not kind.startswith("multipart/form-data"):
        return None
    head = f"Content-Type: {kind}\r\n\r\n".encode("latin-1", "replace")
    for part in message_from_bytes(head + data).walk():
        if part.get_param("name", header="content-disposition") == "file":
            found = part.get_payload(decode=True)
            return found if isinstance(found, bytes) else None
    return None


async def netexec(call: Call) -> int:
    """`agnhost netexec [--http-port=8080] [--udp-port=8081] [--http-override=PATH]`."""
    given = read(call.argv[2:], FLAGS)
    if given.text("tls-cert-file"):
        await golang.log(call, "TLS is not built in the emulated agnhost")
        return 1
    if given.text("sctp-port") != "-1":
        await golang.log(call, "SCTP is not built in the emulated agnhost")
        return 1
    handler = Netexec(call)
    override = given.text("http-override")
    port, udp_port = given.port("http-port"), given.number("udp-port")

    async def overridden(request: Request) -> Response:
        request.method, request.target = "GET", override
        return await handler(request)

    site = Site(handler=overridden if override else handler, now=call.kernel.clock.now)
    try:
        async with running.serving(call, {port: site}) as group:
            if udp_port > 0:
                group.spawn(handler.udp(udp_port), "udp")
                await handler.begun.wait()
            await golang.log(call, f"Started HTTP server on port {port}")
            await running.forever()
    except running.Taken as taken:
        await golang.log(call, f"listen tcp :{port}: bind: {taken.reason}")
    except OSError as error:
        await golang.log(
            call,
            f"Error occurred: failed to create listener for UDP address :{udp_port}:"
            f"{error.strerror}",
        )
    return 1
