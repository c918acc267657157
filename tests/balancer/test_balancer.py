"""The balancer: who gets the next connection, and bytes on real sockets."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.aio import tasks
from cluster.balancer import checking
from cluster.balancer.choosing import Health, Pool, judge
from cluster.balancer.component import Balancer
from cluster.balancer.config import Backend, Config, split

CHANGES = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(Health)), max_size=20)


@given(changes=CHANGES, count=st.integers(1, 30))
def test_connections_go_to_ready_servers_else_to_those_that_live_and_evenly(changes, count) -> None:
    pool = Pool(3)
    for number, health in changes:
        pool.found(number, health)
    ready, live = (
        [number for number in range(3) if pool.health(number) is wanted]
        for wanted in (Health.READY, Health.DRAINING)
    )
    wanted = ready or live
    for _ in range(count):
        chosen = pool.choose()
        assert (chosen in wanted) if wanted else chosen is None
        if chosen is not None:
            pool.opened(chosen)
    counts = [pool.connections(number) for number in wanted]
    assert not counts or max(counts) - min(counts) <= 1
    assert pool.choose(tried=[*ready, *live]) is None
    if ready and live:  # none of the ready ones takes a connection
        assert pool.choose(tried=ready) in live


@pytest.mark.parametrize(
    ("ready", "lives", "health"),
    [
        (200, 200, Health.READY),
        (200, None, Health.READY),
        (500, 200, Health.DRAINING),
        (500, None, Health.DRAINING),
        (None, 200, Health.DRAINING),
        (None, 403, Health.DRAINING),
        (None, None, Health.LOST),
    ],
)
def test_only_who_answers_nothing_is_lost(ready, lives, health) -> None:
    assert judge(ready, lives) is health


@pytest.mark.parametrize(
    "head",
    [b"hello\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n",
     b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n",
     b"HTTP/1.1 200 OK\r\nContent-Length: -4\r\n\r\n"],
)  # fmt: skip
def test_what_is_no_answer_counts_as_none(head) -> None:
    with pytest.raises(checking.Malformed):
        checking.parse(head)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"backends": ()}, "needs servers"),
        ({"listen": "nowhere"}, "host:port"),
        ({"backends": (Backend("a:1"), Backend("a:1"))}, "twice"),
        ({"period": 0}, "more than 0"),
        ({"path": "readyz"}, "no path"),
        ({"live_path": "/livez exclude"}, "no path"),
    ],
)
def test_settings_that_cannot_be_used(fields, why) -> None:
    with pytest.raises(ValueError, match=why):
        Config(**({"listen": "127.0.0.1:0", "backends": (Backend("127.0.0.1:1"),)} | fields))


class Server:
    """A server of both: health checks by HTTP, and what else it is sent as `serve` wants it."""

    def __init__(self, name: bytes, serve=None) -> None:
        self.name = name
        self.status = 200
        self.silent = False
        self.waiting = False
        self.connections = 0
        self._serve = serve or self._tell
        self._check: asyncio.Server | None = None

    async def _tell(self, reader, writer) -> None:
        while await reader.read(100):
            writer.write(self.name)

    async def _answer(self, reader, writer) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                if self.silent or (self.waiting and b"GET /readyz " in head):
                    await asyncio.sleep(100)
                writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\nok" % self.status)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _accept(self, reader, writer) -> None:
        self.connections += 1
        try:
            await self._serve(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def open(self) -> Backend:
        served = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self._check = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.served = served
        ports = [each.sockets[0].getsockname()[1] for each in (served, self._check)]
        return Backend(*(f"127.0.0.1:{port}" for port in ports))

    def close(self) -> None:
        self.served.close()
        if self._check is not None:
            self._check.close()


@asynccontextmanager
async def balanced(*servers: Server, **more):
    backends = tuple([await server.open() for server in servers])
    settings = {"period": 0.02, "timeout": 0.2} | more
    balancer = Balancer(Config("127.0.0.1:0", backends, **settings), None)
    async with asyncio.timeout(20), tasks.Group("test") as group:
        group.spawn(balancer.run(), "balancer")
        await balancer.ready.wait()
        await until(lambda: all(h is not Health.UNKNOWN for h in _healths(balancer, servers)))
        try:
            yield balancer
        finally:
            group.cancel()
            for server in servers:
                server.close()


def _healths(balancer, servers):
    return [balancer._pool.health(number) for number in range(len(servers))]


async def until(condition) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


async def ended(reader) -> bool:
    """Whether the other side has hung up, in order or not."""
    try:
        return not await reader.read(100)
    except ConnectionError:
        return True


async def asked(balancer) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", balancer.port)
    try:
        writer.write(b"who?")
        return await reader.read(100)
    finally:
        writer.close()


def test_a_server_that_is_not_ready_gets_nothing_and_keeps_what_it_has() -> None:
    async def scenario():
        first, second = Server(b"first"), Server(b"second")
        async with balanced(first, second) as balancer:
            reader, writer = await asyncio.open_connection("127.0.0.1", balancer.port)
            writer.write(b"who?")
            kept = await reader.read(100)
            one, other = (first, second) if kept == b"first" else (second, first)
            one.status = 500
            await until(lambda: Health.DRAINING in _healths(balancer, (first, second)))
            for _ in range(5):
                assert await asked(balancer) == other.name
            writer.write(b"still?")
            assert await reader.read(100) == one.name
            writer.close()
            one.status = 200
            await until(lambda: Health.DRAINING not in _healths(balancer, (first, second)))
            assert {await asked(balancer) for _ in range(6)} == {b"first", b"second"}

    asyncio.run(scenario())


def test_clients_of_a_server_that_says_nothing_are_let_go() -> None:
    async def scenario():
        first, second = Server(b"first"), Server(b"second")
        async with balanced(first, second) as balancer:
            reader, writer = await asyncio.open_connection("127.0.0.1", balancer.port)
            writer.write(b"who?")
            one = first if await reader.read(100) == b"first" else second
            one.silent = True  # as one that is stopped: the machine still takes connections
            assert await ended(reader)
            assert await asked(balancer) != one.name
            writer.close()

    asyncio.run(scenario())


def test_servers_that_all_wait_for_their_store_keep_their_clients_and_get_new_ones() -> None:
    async def scenario():
        first, second = Server(b"first"), Server(b"second")
        async with balanced(first, second) as balancer:
            held = [await asyncio.open_connection("127.0.0.1", balancer.port) for _ in range(2)]
            for _, writer in held:
                writer.write(b"who?")
            before = [await reader.read(100) for reader, _ in held]
            assert sorted(before) == [b"first", b"second"]
            first.waiting = True  # as in an election of etcd
            await until(lambda: Health.DRAINING in _healths(balancer, (first, second)))
            assert {await asked(balancer) for _ in range(5)} == {b"second"}
            second.waiting = True
            await until(lambda: {*_healths(balancer, (first, second))} == {Health.DRAINING})
            assert {await asked(balancer) for _ in range(6)} == {b"first", b"second"}
            for (reader, writer), name in zip(held, before, strict=True):
                writer.write(b"still?")
                assert await reader.read(100) == name
                writer.close()
            first.waiting = second.waiting = False
            await until(lambda: {*_healths(balancer, (first, second))} == {Health.READY})

    asyncio.run(scenario())


def test_a_balancer_that_was_stopped_itself_does_not_blame_the_servers() -> None:
    async def scenario():
        server = Server(b"only")
        backend = await server.open()
        probe = checking.Probe(split(backend.checked), "/readyz", None)
        assert await probe.ask(5.0) == 200
        loop = asyncio.get_running_loop()
        own = loop.time
        async with tasks.Group("test") as group:
            asking = group.spawn(probe.ask(0.5), "ask")
            await asyncio.sleep(0)  # the question is on its way
            # The answer comes while nobody here runs, and all deadlines pass.
            loop.time = lambda: own() + 0.6
            try:
                assert await asking == 200
            finally:
                loop.time = own
                probe.close()
                server.close()

    asyncio.run(scenario())


def test_a_server_that_refuses_is_passed_over_before_its_check_tells() -> None:
    async def scenario():
        first, second = Server(b"first"), Server(b"second")
        async with balanced(first, second, period=100, timeout=1) as balancer:
            first.served.close()
            assert {await asked(balancer) for _ in range(6)} == {b"second"}

    asyncio.run(scenario())


def test_one_side_may_end_before_the_other_and_nothing_is_lost() -> None:
    sent = bytes(range(256)) * 8192

    async def echo_at_the_end(reader, writer):
        got = await reader.read(-1)  # until the client has ended its side
        for start in range(0, len(got), 1 << 16):
            writer.write(got[start : start + (1 << 16)])
            await writer.drain()

    async def scenario():
        async with balanced(Server(b"", echo_at_the_end)) as balancer:
            reader, writer = await asyncio.open_connection("127.0.0.1", balancer.port)
            writer.write(sent)
            writer.write_eof()
            assert await reader.read(-1) == sent
            writer.close()

    asyncio.run(scenario())


def test_a_slow_reader_slows_the_sender_down() -> None:
    taken = 0

    async def flood(reader, writer):
        nonlocal taken
        while True:
            writer.write(b"x" * 65536)
            taken += 65536
            await writer.drain()

    async def scenario():
        async with balanced(Server(b"", flood)) as balancer:
            reader, writer = await asyncio.open_connection("127.0.0.1", balancer.port, limit=1024)
            await reader.read(1)
            before = -1
            while before != taken:  # until nothing moves any more
                before = taken
                await asyncio.sleep(0.1)
            assert taken < 64 << 20
            writer.transport.abort()

    asyncio.run(scenario())


def test_more_connections_than_allowed_are_refused_at_once() -> None:
    async def scenario():
        async with balanced(Server(b"only"), most=2) as balancer:
            held = [await asyncio.open_connection("127.0.0.1", balancer.port) for _ in range(2)]
            for reader, writer in held:
                writer.write(b"who?")
                assert await reader.read(100) == b"only"
            reader, _ = await asyncio.open_connection("127.0.0.1", balancer.port)
            assert await ended(reader)
            for _, writer in held:
                writer.close()

    asyncio.run(scenario())
