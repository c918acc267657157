"""Emulated brokers and stores: their handshakes, and what they refuse."""

import asyncio
import struct

import pytest
from dataworld import World

from cluster.aio import virtual
from cluster.runtime.emulated import catalog
from cluster.runtime.emulated.databases import amqp, stores


def methods(data: bytes) -> list[tuple[int, int, int, bytes]]:
    """Channel, class, method and arguments of frames of methods."""
    found = []
    while data:
        kind, channel, size = struct.unpack_from(">BHI", data)
        assert kind == 1
        assert data[7 + size] == 0xCE
        class_, method = struct.unpack_from(">HH", data, 7)
        found.append((channel, class_, method, data[11 : 7 + size]))
        data = data[8 + size :]
    return found


def login(name: str, password: str) -> bytes:
    response = f"\0{name}\0{password}".encode()
    body = struct.pack(">I", 0) + b"\5PLAIN" + struct.pack(">I", len(response)) + response
    return struct.pack(">HH", 10, 11) + body + b"\5en_US"


def opened() -> amqp.Session:
    session = amqp.Session({"guest": "guest"}, "/", "4.0.3")
    ((_, class_, method, body),) = methods(session.greeting())
    assert (class_, method) == (10, 10)
    assert b"emulated by kubemu" in body
    ((_, _, method, _),) = methods(session.receive(1, 0, login("guest", "guest")))
    assert method == 30
    assert session.receive(1, 0, struct.pack(">HHHIH", 10, 31, 10, 4096, 60)) == b""
    ((_, _, method, _),) = methods(session.receive(1, 0, struct.pack(">HH", 10, 40) + b"\1/\0\0"))
    assert method == 41
    return session


def test_amqp_opens_connections_and_channels_and_refuses_queues() -> None:
    session = opened()
    assert methods(session.receive(1, 3, struct.pack(">HH", 20, 10) + b"\0"))[0][:3] == (3, 20, 11)
    ((channel, class_, method, body),) = methods(
        session.receive(1, 3, struct.pack(">HH", 50, 10) + b"\0\0\1q\0\0\0\0\0")
    )
    assert (channel, class_, method) == (3, 20, 40)
    assert body[:2] == struct.pack(">H", 540)
    assert b"NOT_IMPLEMENTED - kubemu keeps no queues" in body
    assert body.endswith(struct.pack(">HH", 50, 10))
    assert session.receive(8, 0, b"") == b"\x08\0\0\0\0\0\0\xce"
    assert methods(session.receive(1, 0, struct.pack(">HH", 10, 50)))[0][1:3] == (10, 51)
    assert session.closed


@pytest.mark.parametrize(
    ("name", "password", "vhost", "code"),
    [("guest", "wrong", "/", 403), ("nobody", "guest", "/", 403), ("guest", "guest", "x", 530)],
)
def test_amqp_lets_only_those_in_whom_it_knows(
    name: str, password: str, vhost: str, code: int
) -> None:
    session = amqp.Session({"guest": "guest"}, "/", "4.0.3")
    answer = session.receive(1, 0, login(name, password))
    if code == 530:
        asked = struct.pack(">HH", 10, 40) + bytes([len(vhost)]) + vhost.encode() + b"\0\0"
        answer = session.receive(1, 0, asked)
    ((_, class_, method, body),) = methods(answer)
    assert (class_, method, body[:2]) == (10, 50, struct.pack(">H", code))


@pytest.mark.parametrize(
    "payload",
    [b"", b"\0", struct.pack(">HH", 10, 40) + b"\1/", struct.pack(">HH", 20, 10),
     struct.pack(">HH", 10, 11) + b"\xff\xff\xff\xff", struct.pack(">HH", 10, 77)],
)  # fmt: skip
def test_amqp_out_of_order_or_cut_is_malformed(payload: bytes) -> None:
    with pytest.raises(amqp.Malformed):
        amqp.Session({"guest": "guest"}, "/", "4").receive(1, 1, payload)


@pytest.mark.parametrize(
    ("version", "operation", "answered", "says"),
    [
        (4, 5, 6, b"CQL_VERSION"),
        (4, 1, 2, b""),
        (3, 11, 2, b""),
        (4, 7, 0, b"kubemu keeps no data"),
        (5, 5, 0, b"Invalid or unsupported protocol version (5)"),
        (66, 1, 0, b"Invalid or unsupported protocol version (66)"),
    ],
)
def test_cassandra_opens_connections_and_refuses_queries(
    version: int, operation: int, answered: int, says: bytes
) -> None:
    data = stores.cql(version, 7, operation)
    head = struct.unpack(">BBhBI", data[:9])
    assert head[2:4] == (7, answered)
    assert head[4] == len(data) - 9
    assert says in data


@pytest.mark.parametrize(
    ("image", "command", "out", "code"),
    [
        ("coreos/etcd", "curl -s localhost:2379/health", '{"health":"true","reason":""}', 0),
        ("coreos/etcd", "etcdctl endpoint health",
         "127.0.0.1:2379 is healthy (emulated by kubemu)\n", 0),
        ("coreos/etcd", "etcdctl get a 2>&1",
         "etcdctl: not emulated: kubemu keeps no data: this server only accepts connections\n", 1),
        ("library/cassandra", "nodetool status | grep UN",
         "UN  10.244.0.2  0 KiB  16  100.0%  emulated-by-kubemu  rack1\n", 0),
        ("library/rabbitmq", "rabbitmq-diagnostics -q ping", "Ping succeeded\n", 0),
        ("library/zookeeper", "echo ruok | nc localhost 2181", "imok", 0),
        ("library/nats", "printf 'PING\\r\\n' | nc -w 1 localhost 4222 | tail -n 1", "PONG\r\n",
         0),
    ],
)  # fmt: skip
def test_what_health_checks_run(image: str, command: str, out: str, code: int) -> None:
    async def story() -> None:
        world = World()
        found = catalog.find(image)
        assert found is not None
        box = world.box(found, "latest")
        box.begin()
        await asyncio.sleep(0.1)
        result = await box.run("sh", "-c", command)
        assert (result.out, result.code) == (out, code)

    virtual.run(story())
