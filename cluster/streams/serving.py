"""From a request for a stream to its end: what is spoken is agreed on, then it is served.

What is wrong before the connection is upgraded is an errors.StatusError; what goes wrong later is
told on the stream that the protocol has for it.
"""

from collections.abc import Awaitable
from dataclasses import dataclass

import structlog
from aiohttp import web

from cluster.api import errors
from cluster.streams import (
    channels,
    commandclients,
    forwarding,
    options,
    pipes,
    remotecommand,
    upgrade,
)
from cluster.streams.options import Command
from cluster.streams.spdy.connection import Connection
from cluster.streams.spdy.faults import Malformed


@dataclass(frozen=True, slots=True)
class Way:
    """How a client speaks: by a `version` of SPDY, or by channels of a `protocol` (for `ports`
    where it forwards), or, with neither, by SPDY in WebSocket messages.
    """

    version: str = ""
    protocol: channels.Protocol | None = None
    ports: tuple[int, ...] = ()


def for_commands(http: web.BaseRequest) -> Way:
    """How the client of an exec or attach speaks. errors.BadRequest, errors.Forbidden."""
    kind = upgrade.kind(http)
    if not kind:
        raise upgrade.required()
    if kind == "spdy":
        return Way(_version(http, commandclients.SPDY_VERSIONS))
    return Way("", _chosen(upgrade.subprotocols(http), channels.FOR_COMMANDS))


def for_ports(http: web.BaseRequest, values: options.Values) -> Way:
    """How the client of a port-forward speaks. errors.BadRequest, errors.Forbidden."""
    kind = upgrade.kind(http)
    if not kind:
        raise upgrade.required()
    if kind == "spdy":
        return Way(_version(http, forwarding.SPDY_VERSIONS))
    offered = upgrade.subprotocols(http)
    if upgrade.TUNNEL in offered:
        return Way()
    return Way("", _chosen(offered, channels.FOR_PORTS), options.ports(values))


async def command(
    http: web.BaseRequest, way: Way, wanted: Command, job: remotecommand.Job
) -> web.StreamResponse:
    """Serve an exec or attach to its end. errors.BadRequest, ConnectionError before it begins."""
    if way.protocol is not None:
        socket = await upgrade.websocket(http, way.protocol.name)
        client = commandclients.ChannelClient(socket, way.protocol, wanted)
        await _to_the_end(client.served(job))
        return socket
    pipe = upgrade.spdy(http, way.version)
    spdy = commandclients.SpdyClient(Connection(pipe), way.version, wanted)
    try:
        await _to_the_end(spdy.served(job))
    finally:
        pipe.close()
    return upgrade.Taken()


async def ports(
    http: web.BaseRequest, way: Way, target: forwarding.Target, touch: forwarding.Touch
) -> web.StreamResponse:
    """Serve a port-forward to its end. errors.BadRequest, ConnectionError before it begins."""
    if way.version:
        pipe = upgrade.spdy(http, way.version)
        served = forwarding.SpdyForwarding(Connection(pipe), target, touch)
        try:
            await _to_the_end(served.run())
        finally:
            pipe.close()
        return upgrade.Taken()
    name = way.protocol.name if way.protocol is not None else upgrade.TUNNEL
    socket = await upgrade.websocket(http, name)
    if way.protocol is not None:
        channel = forwarding.ChannelForwarding(socket, way.protocol, target, way.ports, touch)
        await _to_the_end(channel.run())
    else:
        connection = Connection(pipes.MessagePipe(socket))
        tunnelled = forwarding.SpdyForwarding(connection, target, touch)
        await _to_the_end(tunnelled.run())
    await _to_the_end(socket.close())
    return socket


async def _to_the_end(work: Awaitable[object]) -> None:
    """Serve an upgraded connection: no Status can be answered any more."""
    try:
        await work
    except (ConnectionError, TimeoutError, Malformed):
        return  # the client is gone, or speaks in tongues
    except Exception as error:  # noqa: BLE001  (a fault must not end the server)
        structlog.get_logger().error("stream failed unexpectedly", exc_info=error)


def _chosen(offered: list[str], known: tuple[channels.Protocol, ...]) -> channels.Protocol:
    found = channels.choose(offered, known)
    if found is None:
        names = " ".join(protocol.name for protocol in known)
        why = f"requested protocol(s) are not supported: [{' '.join(offered)}]; supports [{names}]"
        raise errors.BadRequest(f"unable to upgrade websocket connection: {why}")
    return found


def _version(http: web.BaseRequest, known: tuple[str, ...]) -> str:
    """The SPDY protocol version to speak; the oldest where the client offers none."""
    offered = upgrade.stream_versions(http)
    if not offered:
        return known[-1]
    for version in offered:
        if version in known:
            return version
    raise upgrade.unsupported(offered, known)
