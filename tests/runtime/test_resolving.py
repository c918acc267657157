"""How programs resolve names: hosts, search lists, servers that are silent, broken or hostile."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable

import dnslib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.aio import tasks, virtual
from cluster.runtime.podbridge import Bridge
from cluster.runtime.podnetwork import Namespace, Nobody
from cluster.runtime.vos import resolving
from cluster.runtime.vos.files import FileSystem
from cluster.runtime.vos.resolving import Settings

CLUSTER = (
    "search default.svc.cluster.local svc.cluster.local cluster.local\n"
    "nameserver 10.244.0.2\noptions ndots:5\n"
)
RECORDS = {
    "web.default.svc.cluster.local.": "A 10.96.0.7",
    "other.prod.svc.cluster.local.": "A 10.96.0.8",
    "example.com.": "A 192.0.2.1",
    "six.example.com.": "AAAA 2001:db8::1",
    "alias.example.com.": "CNAME example.com.",
    "loop.example.com.": "CNAME loop.example.com.",
}
Answer = Callable[[dnslib.DNSRecord], bytes | None]


def answered(question: dnslib.DNSRecord) -> bytes:
    name = str(question.q.qname)
    reply = question.reply()
    record = RECORDS.get(name)
    if record is None:
        reply.header.rcode = resolving.NO_DOMAIN
    else:
        kind = record.partition(" ")[0]
        if kind in ("CNAME", dnslib.QTYPE[question.q.qtype]):
            reply.add_answer(*dnslib.RR.fromZone(f"{name} 30 {record}"))
        if kind == "CNAME" and record.endswith(" example.com."):
            reply.add_answer(*dnslib.RR.fromZone(f"example.com. 30 {RECORDS['example.com.']}"))
    return bytes(reply.pack())


def _failing(question: dnslib.DNSRecord) -> bytes:
    reply = question.reply()
    reply.header.rcode = resolving.SERVER_FAILURE
    return bytes(reply.pack())


class World:
    """A pod with files, and a name server at 10.244.0.2 that notes what it is asked."""

    def __init__(self, resolv: str = CLUSTER, hosts: str = "127.0.0.1 localhost\n") -> None:
        bridge = Bridge()
        self.server = Namespace(bridge, ("10.244.0.2",), Nobody())
        self.net = Namespace(bridge, ("10.244.0.3",), Nobody())
        for one in (self.server, self.net):
            bridge.join(one.addresses, lambda one=one: one)
        self.asked: list[str] = []
        self.files = FileSystem(lambda: 0.0)
        self.files.make_folders("/etc")
        self.files.put("/etc/resolv.conf", resolv.encode())
        self.files.put("/etc/hosts", hosts.encode())

    async def find(self, name: str, family: int = 0) -> list[str]:
        return await resolving.addresses(name, files=self.files, net=self.net, family=family)

    @contextlib.asynccontextmanager
    async def serving(self, answer: Answer = answered) -> AsyncIterator[None]:
        async with tasks.Group("dns") as group:
            group.spawn(self._serve(answer), "server")
            await asyncio.sleep(0)
            yield
            group.cancel()

    async def _serve(self, answer: Answer) -> None:
        sock = self.server.datagrams(53)
        while True:
            data, sender = await sock.receive()
            question = dnslib.DNSRecord.parse(data)
            self.asked.append(f"{question.q.qname} {dnslib.QTYPE[question.q.qtype]}")
            reply = answer(question)
            if reply is not None:
                sock.send(reply, sender)


@pytest.mark.parametrize(
    ("name", "found", "asked"),
    [
        ("web", ["10.96.0.7"], ["web.default.svc.cluster.local."]),
        ("other.prod", ["10.96.0.8"],
         ["other.prod.default.svc.cluster.local.", "other.prod.svc.cluster.local."]),
        ("example.com.", ["192.0.2.1"], ["example.com."]),
        ("alias.example.com.", ["192.0.2.1"], ["alias.example.com."]),
        ("10.1.2.3", ["10.1.2.3"], []),
        ("localhost", ["127.0.0.1"], []),
        ("LOCALHOST", ["127.0.0.1"], []),
    ],
)  # fmt: skip
def test_a_name_is_searched_as_resolv_conf_says(
    name: str, found: list[str], asked: list[str]
) -> None:
    async def scenario() -> None:
        world = World()
        async with world.serving():
            assert await world.find(name) == found
            assert world.asked == [f"{one} A" for one in asked]

    virtual.run(scenario())


def test_a_name_that_nobody_has_is_no_name() -> None:
    async def scenario() -> None:
        world = World()
        async with world.serving():
            for name in ("nobody", "loop.example.com.", "six.example.com.", "", "a" * 300, "ä"):
                with pytest.raises(socket.gaierror) as error:
                    await world.find(name)
                assert error.value.errno == socket.EAI_NONAME
            assert await world.find("six.example.com.", 6) == ["2001:db8::1"]
            assert "nobody. A" in world.asked

    virtual.run(scenario())


def test_hosts_come_before_servers() -> None:
    async def scenario() -> None:
        world = World(hosts="10.0.0.5 web db # the database\n::5 web\nbroken web\n")
        assert await world.find("web") == ["10.0.0.5"]
        assert await world.find("DB") == ["10.0.0.5"]
        assert await world.find("web", 6) == ["::5"]

    virtual.run(scenario())


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (lambda question: None, 2 * 5.0),
        (lambda question: b"nonsense", 2 * 5.0),
        (lambda question: question.pack(), 2 * 5.0),
        (_failing, 0.0),
    ],
)
def test_a_server_that_does_not_answer_is_asked_again_and_then_given_up(
    answer: Answer, seconds: float
) -> None:
    async def scenario() -> None:
        world = World()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        async with world.serving(answer):
            with pytest.raises(socket.gaierror) as error:
                await world.find("web")
        assert error.value.errno == socket.EAI_AGAIN
        assert loop.time() - begun == pytest.approx(seconds, abs=0.1)
        assert len(world.asked) == 2

    virtual.run(scenario())


def test_the_next_server_is_asked_where_one_refuses() -> None:
    async def scenario() -> None:
        world = World("nameserver 10.244.0.9\nnameserver 127.0.0.1\nnameserver 10.244.0.2\n")
        async with world.serving():
            assert await world.find("example.com") == ["192.0.2.1"]

    virtual.run(scenario())


def test_a_cut_answer_is_asked_for_by_stream() -> None:
    def cut(question: dnslib.DNSRecord) -> bytes:
        reply = question.reply()
        reply.header.tc = 1
        return bytes(reply.pack())

    async def over_stream(world: World) -> None:
        stream = await world.server.listen(53).accept()
        data = await stream.receive()
        reply = answered(dnslib.DNSRecord.parse(data[2:]))
        for piece in (len(reply).to_bytes(2, "big"), reply[:10], reply[10:]):
            await stream.send(piece)
            await asyncio.sleep(0.1)
        stream.close()

    async def scenario() -> None:
        world = World()
        async with tasks.Group("test") as group:
            group.spawn(over_stream(world), "dns")
            async with world.serving(cut):
                assert await world.find("example.com.") == ["192.0.2.1"]

    virtual.run(scenario())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Settings()),
        ("nameserver 10.0.0.1\nnameserver x\n", Settings(("10.0.0.1",))),
        ("domain a.example.\n", Settings(search=("a.example",))),
        ("search a b # c\noptions ndots:99 timeout:1 attempts:9 rotate\n",
         Settings(search=("a", "b"), ndots=15, timeout=1, attempts=5)),
        ("".join(f"nameserver 10.0.0.{n}\n" for n in range(1, 6)),
         Settings(("10.0.0.1", "10.0.0.2", "10.0.0.3"))),
        ("options ndots:x timeout:0\n", Settings(timeout=1)),
    ],
)  # fmt: skip
def test_resolv_conf_is_read_as_the_libraries_do(text: str, expected: Settings) -> None:
    assert resolving.settings(text) == expected


@given(st.text(max_size=200))
def test_no_resolv_conf_or_hosts_file_is_an_error(text: str) -> None:
    told = resolving.settings(text)
    assert 1 <= len(told.servers) <= 3
    assert resolving.in_hosts(text, "web") == resolving.in_hosts(text, "WEB")


@given(st.binary(max_size=80))
def test_no_packet_is_an_error(data: bytes) -> None:
    async def scenario() -> None:
        world = World("nameserver 10.244.0.2\noptions timeout:1 attempts:1\n")
        async with world.serving(lambda question: question.pack()[:2] + data):
            with contextlib.suppress(socket.gaierror):
                await world.find("web")

    virtual.run(scenario())
