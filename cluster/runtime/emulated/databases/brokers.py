"""Brokers: RabbitMQ, Kafka, ZooKeeper, NATS as ports that accept, say what they are, and log.

RabbitMQ's connections and channels, ZooKeeper's four-letter words and NATS' greeting and ping are
answered as they are; of Kafka nothing is emulated but the port.
"""

import struct
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from cluster.runtime.emulated import releases, serving
from cluster.runtime.emulated.databases import amqp, entrypoints
from cluster.runtime.emulated.image import Image
from cluster.runtime.vos.kernel import Call, Program
from cluster.runtime.vos.sockets import Stream

_RABBIT, _KAFKA, _ZOOKEEPER, _NATS = 5672, 9092, 2181, 4222
_SCRIPTS: Final = (
    "docker-entrypoint.sh", "entrypoint.sh", "run.sh", "run", "start-kafka.sh", "rabbitmq-server",
    "zkServer.sh", "start-foreground", "nats-server",
)  # fmt: skip


def _serves(argv: Sequence[str]) -> bool:
    rest = [word for word in (one.rpartition("/")[2] for one in argv) if word not in _SCRIPTS]
    return not rest or rest[0].startswith("-")


async def _other(call: Call) -> int | None:
    """Run another command of the image's; None where its server is wanted."""
    if _serves(call.argv):
        return None
    words = [word for word in call.argv[1:] if word.rpartition("/")[2] not in _SCRIPTS]
    return await entrypoints.command(call, words)


@serving.server(when=_serves)
async def _rabbitmq(call: Call) -> int:
    """`docker-entrypoint.sh rabbitmq-server`."""
    ended = await _other(call)
    if ended is not None:
        return ended
    version = releases.version(call.kernel.image_tag, "4.0.3", releases.RABBITMQ)
    at = entrypoints.moment(call)
    lines = [
        f"  ##  ##      RabbitMQ {version} (emulated by kubemu)",
        f"{at}+00:00 [info] <0.9.0>  Starting RabbitMQ {version}",
        f"{at}+00:00 [warning] <0.9.0> {amqp.NOT_EMULATED}",
        f"{at}+00:00 [info] <0.9.0> started TCP listener on [::]:{_RABBIT}",
        f"{at}+00:00 [info] <0.9.0> Server startup complete; 0 plugins started.",
    ]

    user = entrypoints.secret(call, "RABBITMQ_DEFAULT_USER", "RABBITMQ_USERNAME") or "guest"
    password = entrypoints.secret(call, "RABBITMQ_DEFAULT_PASS", "RABBITMQ_PASSWORD") or "guest"
    vhost = call.env.get("RABBITMQ_DEFAULT_VHOST", "/")

    async def say(text: str) -> None:
        await call.out(f"{entrypoints.moment(call)}+00:00 [info] {text}\n")

    async def serve(stream: Stream) -> None:
        where = f"({stream.peer} -> {stream.local})"
        await say(f"accepting AMQP connection {where}")
        session = amqp.Session({user: password}, vhost, version)
        try:
            await _amqp(stream, session, say)
        except amqp.Malformed as bad:
            await say(f"closing AMQP connection {where}: {str(bad)[:200]}")

    return await entrypoints.serve(call, _RABBIT, serve, lines)


async def _amqp(
    stream: Stream, session: amqp.Session, say: Callable[[str], Awaitable[None]]
) -> None:
    """One connection. amqp.Malformed."""
    reader = entrypoints.Reader(stream, amqp.FRAME_MAX)
    if await reader.exactly(8) != amqp.HEADER:
        # A server that does not speak what is asked for says what it speaks, and hangs up
        # (AMQP 0-9-1, 4.2.2).
        await stream.send(amqp.HEADER)
        raise amqp.Malformed("bad header")
    await stream.send(session.greeting())
    while not session.closed:
        kind, channel, size = struct.unpack(">BHI", await reader.exactly(7))
        payload = await reader.exactly(size + 1)
        if payload[-1] != 0xCE:
            raise amqp.Malformed("a frame without an end")
        answer = session.receive(kind, channel, payload[:-1])
        for line in session.log:
            await say(line)
        session.log.clear()
        if answer:
            await stream.send(answer)


async def _diagnostics(call: Call) -> int:
    """`rabbitmq-diagnostics ping|status|check_running|check_port_connectivity`, `rabbitmqctl`."""
    words = [word for word in call.argv[1:] if not word.startswith("-")]
    what = words[0] if words else ""
    checks = ("ping", "status", "check_running", "check_local_alarms", "check_port_connectivity",
              "node_health_check", "is_running", "await_startup")  # fmt: skip
    if what not in checks:
        return await call.complain(f"{what}: only {', '.join(checks[:5])} are emulated", 64)
    try:
        (await call.net.connect("127.0.0.1", _RABBIT)).close()
    except OSError:
        await call.io.stderr.write(b"Error: unable to perform an operation on the node.\n")
        return 69
    await call.out("Ping succeeded\n" if what == "ping" else "Check passed\n")
    return 0


@serving.server(when=_serves)
async def _kafka(call: Call) -> int:
    """Kafka's broker."""
    ended = await _other(call)
    if ended is not None:
        return ended
    at = entrypoints.moment(call, "%Y-%m-%d %H:%M:%S,%f")[:-3]
    lines = [
        f"[{at}] INFO Awaiting socket connections on 0.0.0.0:{_KAFKA}. (kafka.network.DataPlane)",
        f"[{at}] INFO [KafkaServer id=0] started (emulated by kubemu) (kafka.server.KafkaServer)",
    ]

    async def serve(stream: Stream) -> None:
        if not await stream.receive():
            return
        now = entrypoints.moment(call, "%Y-%m-%d %H:%M:%S,%f")[:-3]
        await call.out(f"[{now}] WARN {stream.peer}: Kafka's protocol is not emulated\n")

    return await entrypoints.serve(call, _KAFKA, serve, lines)


_VERSION: Final = "Zookeeper version: 3.9.3 (emulated by kubemu)\n"
_WORDS: Final = {
    b"ruok": "imok", b"srvr": f"{_VERSION}Mode: standalone\nNode count: 5\n",
    b"stat": f"{_VERSION}Clients:\n\nMode: standalone\n",
    b"mntr": "zk_version\t3.9.3\nzk_server_state\tstandalone\n",
    b"conf": f"clientPort={_ZOOKEEPER}\nserverId=0\n",
}  # fmt: skip


@serving.server(when=_serves)
async def _zookeeper(call: Call) -> int:
    """ZooKeeper's server: the four-letter words."""
    ended = await _other(call)
    if ended is not None:
        return ended
    start = f"{entrypoints.moment(call, '%Y-%m-%d %H:%M:%S,%f')[:-3]} [myid:1] - INFO  "
    lines = [
        f"{start}[main:NIOServerCnxnFactory] - binding to port 0.0.0.0:{_ZOOKEEPER}",
        f"{start}[main:ZooKeeperServer] - started (emulated by kubemu)",
    ]

    async def serve(stream: Stream) -> None:
        word = await entrypoints.Reader(stream).exactly(4)
        if word in _WORDS:
            await stream.send(_WORDS[word].encode())
        else:
            now = entrypoints.moment(call, "%Y-%m-%d %H:%M:%S,%f")[:-3]
            await call.out(f"{now} - WARN {stream.peer}: sessions are not emulated\n")

    return await entrypoints.serve(call, _ZOOKEEPER, serve, lines)


@serving.server(when=_serves)
async def _nats(call: Call) -> int:
    """`nats-server`: INFO, CONNECT, PING; no subjects."""
    ended = await _other(call)
    if ended is not None:
        return ended
    at = entrypoints.moment(call, "%Y/%m/%d %H:%M:%S.%f")
    lines = [f"[{call.process.pid}] {at} [INF] Starting nats-server (emulated by kubemu)",
             f"[{call.process.pid}] {at} [INF] Listening for client connections on 0.0.0.0:{_NATS}",
             f"[{call.process.pid}] {at} [INF] Server is ready"]  # fmt: skip
    told = {"server_id": "KUBEMU", "version": "2.10.22", "proto": 1, "headers": False,
            "max_payload": 1 << 20, "port": _NATS, "host": "0.0.0.0"}  # fmt: skip

    async def serve(stream: Stream) -> None:
        await stream.send(b"INFO " + msgspec.json.encode(told) + b"\r\n")
        reader = entrypoints.Reader(stream)
        while True:
            word = (await reader.line()).split(b" ")[0].upper()
            if word == b"PING":
                await stream.send(b"PONG\r\n")
            elif word not in (b"CONNECT", b"PONG", b""):
                await stream.send(b"-ERR 'subjects are not emulated'\r\n")
                return

    return await entrypoints.serve(call, _NATS, serve, lines)


def _image(names: tuple[str, ...], program: Program, port: int, **more: Program) -> Image:
    programs = {"docker-entrypoint.sh": program, "/opt/bitnami/scripts/run.sh": program}
    return Image(
        names=names, entrypoint=("docker-entrypoint.sh",), ports=(port,),
        programs=programs | {name.replace("_", "-"): one for name, one in more.items()},
    )  # fmt: skip


IMAGES: Final = (
    _image(("library/rabbitmq", "bitnami/rabbitmq", "bitnamilegacy/rabbitmq"), _rabbitmq, _RABBIT,
           rabbitmq_diagnostics=_diagnostics, rabbitmqctl=_diagnostics, rabbitmq_server=_rabbitmq),
    _image(("apache/kafka", "bitnami/kafka", "bitnamilegacy/kafka", "confluentinc/cp-kafka",
            "wurstmeister/kafka"), _kafka, _KAFKA),
    _image(("library/zookeeper", "bitnami/zookeeper", "bitnamilegacy/zookeeper",
            "confluentinc/cp-zookeeper", "wurstmeister/zookeeper"), _zookeeper, _ZOOKEEPER),
    _image(("library/nats",), _nats, _NATS, nats_server=_nats),
)  # fmt: skip
