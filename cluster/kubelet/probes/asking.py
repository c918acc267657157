"""Carries out the handlers of probes and lifecycle hooks on a container, through its runtime.

The words of answers are those of pkg/probe and pkg/kubelet/lifecycle. The deadline is the caller's
(`seconds`); what it cuts off is a failure, not an error.
"""

import asyncio
import ssl
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cluster.aio import rpc
from cluster.api import durations, objects
from cluster.kubelet.cri import Cri
from cluster.kubelet.probes import http
from cluster.kubelet.probes.connection import Refused, connect
from cluster.kubelet.probes.tls import Tls
from cluster.pb.cri.v1 import api_pb2 as pb

_TAKEN: Final = 10 << 10
_LOCAL: Final = ("localhost", "127.0.0.1", "::1")


class Result(StrEnum):
    """What came of a handler. A WARNING counts as a success. An ERROR says that it could not be
    carried out: of a hook that is a failure, of a probe nothing.
    """

    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"
    ERROR = "unknown"


@dataclass(frozen=True, slots=True)
class Answer:
    """A result, and what is told of it."""

    result: Result
    output: str = ""

    @property
    def good(self) -> bool:
        """Whether it counts as a success."""
        return self.result in (Result.SUCCESS, Result.WARNING)

    @property
    def counts_as(self) -> bool | None:
        """What it counts as for a probe; None: an errored probe's result is thrown away."""
        return None if self.result is Result.ERROR else self.good


@dataclass(frozen=True, slots=True)
class Place:
    """Whom to ask: a container, the sandbox that it is in, and the pod's address."""

    container: str
    sandbox: str
    address: str
    spec: objects.Object


class Asker:
    """Asks containers of one runtime. `agent` is how it calls itself in requests."""

    def __init__(self, cri: Cri, agent: str) -> None:
        self._cri = cri
        self._agent = agent

    async def ask(self, place: Place, handler: objects.Object, seconds: float) -> Answer:
        """Carry out a handler (the part of a Probe or LifecycleHandler that says how)."""
        try:
            if handler.get("exec") is not None:
                return await self._exec(place, handler["exec"].get("command") or [], seconds)
            if handler.get("httpGet") is not None:
                return await self._http(place, handler["httpGet"], seconds)
            if handler.get("tcpSocket") is not None:
                return await self._tcp(place, handler["tcpSocket"], seconds)
            if handler.get("grpc") is not None:
                return await self._grpc(place, handler["grpc"], seconds)
        except rpc.Failure as failure:
            return Answer(Result.ERROR, failure.text)
        return Answer(Result.ERROR, f"missing probe handler for {place.spec['name']}")

    async def _exec(self, place: Place, command: list[str], seconds: float) -> Answer:
        request = pb.ExecSyncRequest(
            container_id=place.container, cmd=command, timeout=max(int(seconds), 1)
        )
        try:
            answer = await self._cri.exec_sync(request)
        except rpc.Failure as failure:
            if failure.code != "DEADLINE_EXCEEDED":
                raise
            took = durations.format(seconds)
            text = f'command timed out: "{" ".join(command)}" timed out after {took}'
            return Answer(Result.FAILURE, text)
        output = (answer.stdout + answer.stderr)[:_TAKEN].decode(errors="replace")
        return Answer(Result.FAILURE if answer.exit_code else Result.SUCCESS, output)

    async def _tcp(self, place: Place, handler: objects.Object, seconds: float) -> Answer:
        port, host = _port(place, handler), handler.get("host") or place.address
        if port is None:
            return _no_port(handler)
        if not _own(place, host):
            return _elsewhere(host)
        dialled = f"dial tcp {_joined(host, port)}"
        try:
            async with asyncio.timeout(seconds), connect(self._cri, place.sandbox, port):
                return Answer(Result.SUCCESS)
        except Refused:
            return Answer(Result.FAILURE, f"{dialled}: connect: connection refused")
        except TimeoutError:
            return Answer(Result.FAILURE, f"{dialled}: i/o timeout")

    # ---- HTTP --------------------------------------------------------------------------------

    async def _http(self, place: Place, handler: objects.Object, seconds: float) -> Answer:
        port, host = _port(place, handler), handler.get("host") or place.address
        if port is None:
            return _no_port(handler)
        if not _own(place, host):
            return _elsewhere(host)
        path = handler.get("path") or "/"
        target = http.Target(
            (handler.get("scheme") or "HTTP").lower(),
            host,
            port,
            path if path.startswith("/") else f"/{path}",
            tuple(
                (one["name"], one.get("value") or "") for one in handler.get("httpHeaders") or ()
            ),
        )
        try:
            async with asyncio.timeout(seconds):
                return await self._get(place, target)
        except TimeoutError:
            why = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
            return Answer(Result.FAILURE, f'Get "{target.url}": {why}')

    async def _get(self, place: Place, target: http.Target) -> Answer:
        begun = target
        for _ in range(http.MAX_REDIRECTS):
            try:
                response = await self._exchange(place, target)
            except Refused:
                why = f"dial tcp {target.authority}: connect: connection refused"
                return Answer(Result.FAILURE, f'Get "{target.url}": {why}')
            except (http.Malformed, ssl.SSLError) as error:
                return Answer(Result.FAILURE, f'Get "{target.url}": {error}')
            location = response.headers.get("location")
            if response.status not in (301, 302, 303, 307, 308) or not location:
                return _judged(response)
            try:
                following = target.redirected(location)
            except ValueError:
                text = f'Get "{target.url}": failed to parse Location header "{location}"'
                return Answer(Result.FAILURE, text)
            if following is None:
                body = response.body.decode(errors="replace")
                return Answer(Result.WARNING, f"Probe terminated redirects, Response body: {body}")
            target = following
        text = f'Get "{begun.url}": stopped after {http.MAX_REDIRECTS} redirects'
        return Answer(Result.FAILURE, text)

    async def _exchange(self, place: Place, target: http.Target) -> http.Exchange:
        exchange = http.Exchange(target, self._agent)
        async with connect(self._cri, place.sandbox, target.port) as plain:
            channel = await Tls.over(plain) if target.scheme == "https" else plain
            channel.send(exchange.outgoing)
            while not exchange.complete:
                exchange.feed(await channel.receive())
        return exchange

    # ---- gRPC --------------------------------------------------------------------------------

    async def _grpc(self, place: Place, handler: objects.Object, seconds: float) -> Answer:
        # Imported here: few pods have such probes.
        from cluster.kubelet.probes import health

        port = int(handler.get("port") or 0)
        address = _joined(place.address, port)
        connected = False
        took = durations.format(seconds)
        try:
            check = health.Check(address, handler.get("service") or "", self._agent)
        except health.Malformed as error:
            return Answer(Result.ERROR, str(error))
        try:
            async with asyncio.timeout(seconds), connect(self._cri, place.sandbox, port) as open_:
                while not check.complete:
                    open_.send(check.outgoing())
                    data = await open_.receive()
                    if not data:
                        break
                    connected = True
                    check.feed(data)
        except TimeoutError:
            if connected:
                text = f"timeout: health rpc did not complete within {took}"
                return Answer(Result.FAILURE, text)
            return _unconnected(address, took)
        except (Refused, health.Malformed):
            # A gRPC client keeps dialling until its time is over, and then tells of the time.
            return _unconnected(address, took)
        failure = check.failure()
        return Answer(Result.FAILURE, failure) if failure else Answer(Result.SUCCESS)


def _judged(response: http.Exchange) -> Answer:
    if 200 <= response.status < 400:
        return Answer(Result.SUCCESS, response.body.decode(errors="replace"))
    return Answer(Result.FAILURE, f"HTTP probe failed with statuscode: {response.status}")


def _unconnected(address: str, took: str) -> Answer:
    text = (
        f'timeout: failed to connect service "{address}" within {took}: context deadline exceeded'
    )
    return Answer(Result.FAILURE, text)


def _port(place: Place, handler: objects.Object) -> int | None:
    """The port that a handler means, by number or by name."""
    wanted = handler.get("port")
    if isinstance(wanted, int):
        return wanted if 0 < wanted < 65536 else None
    for port in place.spec.get("ports") or ():
        if port.get("name") == wanted:
            return int(port["containerPort"])
    text = str(wanted or "")
    return int(text) if text.isascii() and text.isdigit() and 0 < int(text[:9]) < 65536 else None


def _no_port(handler: objects.Object) -> Answer:
    wanted = handler.get("port")
    if isinstance(wanted, int):
        return Answer(Result.ERROR, f"invalid port number: {wanted}")
    return Answer(Result.ERROR, f'strconv.Atoi: parsing "{wanted}": invalid syntax')


def _own(place: Place, host: str) -> bool:
    return host == place.address or host.lower() in _LOCAL


def _elsewhere(host: str) -> Answer:
    return Answer(Result.ERROR, f'host "{host}" is not the pod\'s: asking others is not built yet')


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
