"""etcd and Cassandra: ports that say that they are there. They keep nothing.

etcd answers /health and /version over HTTP, and health checks over gRPC (no other call); Cassandra
opens CQL connections and answers queries with an error. Source: Cassandra's native protocol,
version 4.
"""

import asyncio
import struct
from collections.abc import Sequence
from typing import Final

import msgspec

from cluster.runtime.emulated import releases, serving
from cluster.runtime.emulated.databases import entrypoints
from cluster.runtime.emulated.image import Image
from cluster.runtime.emulated.web import running
from cluster.runtime.emulated.web.messages import Request, Response, text
from cluster.runtime.emulated.web.serving import Server, Site
from cluster.runtime.vos.kernel import Call
from cluster.runtime.vos.sockets import Stream

_ETCD, _CASSANDRA = 2379, 9042
NOT_EMULATED: Final = "kubemu keeps no data: this server only accepts connections"


def _ports(argv: Sequence[str]) -> list[int]:
    """Where `--listen-client-urls` has it listen."""
    words = [*argv, ""]
    given = ""
    for at, word in enumerate(words[:-1]):
        name, equals, value = word.lstrip("-").partition("=")
        if name == "listen-client-urls" and word.startswith("-"):
            given = value if equals else words[at + 1]
    ends = [one.rstrip("/").rpartition(":")[2] for one in given.split(",")]
    found = [int(end) for end in ends if end.isdigit() and 0 < int(end[:6]) < 65536]
    return list(dict.fromkeys(found)) or [_ETCD]


def _kept(path: str) -> str:
    return f"{path}: {NOT_EMULATED}"


@serving.server()
async def etcd(call: Call) -> int:
    """`etcd [--listen-client-urls=URL,…]`: /health and /version, and grpc.health.v1."""
    # Imported here: h2 is much.
    from cluster.runtime.emulated.web.grpc import Grpc
    from cluster.runtime.grpcserving import SERVING, Health

    version = releases.version(call.kernel.image_tag.partition("-")[0], "3.5.17")
    at = entrypoints.moment(call, "%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    for told in (f"starting etcd {version} (emulated by kubemu)", NOT_EMULATED,
                 "ready to serve client requests"):  # fmt: skip
        row = {"level": "info", "ts": at, "caller": "embed/serve.go", "msg": told}
        await call.io.stderr.write(msgspec.json.encode(row) + b"\n")

    async def handle(request: Request) -> Response:
        if request.path == "/health":
            return text('{"health":"true","reason":""}')
        if request.path == "/version":
            return text(f'{{"etcdserver":"{version}","etcdcluster":"{version[:3]}.0"}}')
        return text("404 page not found\n", 404)

    health = Health(lambda service: None if service else SERVING, _kept)
    site = Site(handler=handle, now=call.kernel.clock.now)
    try:
        async with running.serving(call, {}) as group:
            for port in _ports(call.argv):
                Grpc(health, group, Server(site, group)).listen(running.listen(call, port))
            await running.forever()
    except running.Taken as taken:
        return await call.complain(f"listen tcp :{taken.port}: bind: {taken.reason}")
    return 0


async def etcdctl(call: Call) -> int:
    """`etcdctl endpoint health`, `etcdctl version`."""
    words = [word for word in call.argv[1:] if not word.startswith("-")]
    if words[:1] == ["version"]:
        await call.out("etcdctl version: 3.5.17 (emulated by kubemu)\nAPI version: 3.5\n")
        return 0
    if words[:2] != ["endpoint", "health"]:
        return await call.complain(f"not emulated: {NOT_EMULATED}")
    place = f"127.0.0.1:{_ETCD}"
    try:
        (await call.net.connect("127.0.0.1", _ETCD)).close()
    except OSError:
        await call.io.stderr.write(f"{place} is unhealthy\nError: unhealthy cluster\n".encode())
        return 1
    await call.out(f"{place} is healthy (emulated by kubemu)\n")
    return 0


def cql(version: int, stream: int, operation: int) -> bytes:
    """What a request of the native protocol is answered."""
    if version not in (3, 4):
        text_ = f"Invalid or unsupported protocol version ({version}); supported versions are "
        return _failed(4, stream, 0x000A, f"{text_}(3/v3, 4/v4)")
    if operation == 5:  # OPTIONS: SUPPORTED
        names = {"CQL_VERSION": ["3.4.6"], "COMPRESSION": [], "PROTOCOL_VERSIONS": ["3/v3", "4/v4"]}
        body = struct.pack(">H", len(names))
        for name, values in names.items():
            body += _string(name) + struct.pack(">H", len(values)) + b"".join(map(_string, values))
        return _frame(version, stream, 6, body)
    if operation in (1, 11):  # STARTUP, REGISTER: READY
        return _frame(version, stream, 2, b"")
    return _failed(version, stream, 0x2200, NOT_EMULATED)


def _frame(version: int, stream: int, operation: int, body: bytes) -> bytes:
    return struct.pack(">BBhBI", version | 0x80, 0, stream, operation, len(body)) + body


def _string(value: str) -> bytes:
    return struct.pack(">H", len(value)) + value.encode()


def _failed(version: int, stream: int, code: int, why: str) -> bytes:
    return _frame(version, stream, 0, struct.pack(">i", code) + _string(why))


@serving.server()
async def cassandra(call: Call) -> int:
    """`docker-entrypoint.sh cassandra -f`."""
    words = [word for word in call.argv[1:] if word != "cassandra"]
    if words and not words[0].startswith("-"):
        return await entrypoints.command(call, words)
    at = entrypoints.moment(call, "%Y-%m-%d %H:%M:%S,%f")[:-3]
    start = f"INFO  [main] {at} "
    lines = [f"{start}CassandraDaemon - emulated by kubemu", f"{start}{NOT_EMULATED}",
             f"{start}Server - Starting listening for CQL clients on /0.0.0.0:{_CASSANDRA}",
             f"{start}CassandraDaemon - Startup complete"]  # fmt: skip

    async def serve(stream: Stream) -> None:
        reader = entrypoints.Reader(stream)
        while True:
            head = await reader.exactly(9)
            version, _, number, operation, size = struct.unpack(">BBhBI", head)
            await reader.body(size)
            await stream.send(cql(version, number, operation))

    return await entrypoints.serve(call, _CASSANDRA, serve, lines)


async def nodetool(call: Call) -> int:
    """`nodetool status`: this node is up, and alone."""
    if "status" not in call.argv:
        return await call.complain(f"only status is emulated: {NOT_EMULATED}")
    try:
        async with asyncio.timeout(5):
            (await call.net.connect("127.0.0.1", _CASSANDRA)).close()
    except OSError:
        return await call.complain("Failed to connect to '127.0.0.1:7199' - Connection refused")
    address = (call.net.addresses or ["127.0.0.1"])[0]
    await call.out(
        "Datacenter: datacenter1\n=======================\nStatus=Up/Down\n"
        "|/ State=Normal/Leaving/Joining/Moving\n--  Address  Load  Tokens  Owns  Host ID  Rack\n"
        f"UN  {address}  0 KiB  16  100.0%  emulated-by-kubemu  rack1\n"
    )
    return 0


async def cqlsh(call: Call) -> int:
    """`cqlsh`: not emulated."""
    return await call.complain(f"not emulated: {NOT_EMULATED}", 2)


IMAGES: Final = (
    Image(
        names=("coreos/etcd", "etcd", "etcd-development/etcd", "google_containers/etcd",
               "google-containers/etcd"),
        cmd=("/usr/local/bin/etcd",), ports=(_ETCD, 2380),
        programs={"etcd": etcd, "etcdctl": etcdctl},
    ),
    Image(
        names=("bitnami/etcd", "bitnamilegacy/etcd"),
        entrypoint=("/opt/bitnami/scripts/etcd/entrypoint.sh",),
        cmd=("/opt/bitnami/scripts/etcd/run.sh",), ports=(_ETCD, 2380), user="1001",
        programs={"/opt/bitnami/scripts/etcd/entrypoint.sh": etcd, "etcdctl": etcdctl},
    ),
    Image(
        names=("library/cassandra",), entrypoint=("docker-entrypoint.sh",),
        cmd=("cassandra", "-f"), ports=(_CASSANDRA,), files={"/var/lib/cassandra/": ""},
        programs={"docker-entrypoint.sh": cassandra, "cassandra": cassandra,
                  "nodetool": nodetool, "cqlsh": cqlsh},
    ),
)  # fmt: skip
