"""Deadlines and bounds, on virtual time: nothing waits for ever, nothing grows without end."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from fake_kubelet import FakeKubelet

from cluster.aio import rpc, tasks, virtual
from cluster.api import errors
from cluster.pb.cluster.v1 import kubelet_pb2 as pb
from cluster.streams import channels, forwarding, remotecommand
from cluster.streams.commandclients import SpdyClient
from cluster.streams.options import Command
from cluster.streams.remotecommand import ATTACHING, EXECUTING, Job
from cluster.streams.sessions import IDLE_SECONDS, Sessions
from cluster.streams.spdy import session
from cluster.streams.spdy.connection import Connection
from cluster.streams.spdy.session import Ended, Received


class Pipe:
    """A pipe that a test fills and empties; `room` is set while the other end reads."""

    def __init__(self) -> None:
        self.incoming: asyncio.Queue[bytes] = asyncio.Queue()
        self.sent = b""
        self.room = asyncio.Event()
        self.room.set()
        self.reads = 0

    async def read(self) -> bytes:
        self.reads += 1
        return await self.incoming.get()

    async def write(self, data: bytes) -> None:
        self.sent += data
        await self.room.wait()

    def close(self) -> None:
        self.incoming.put_nowait(b"")


class Peer:
    """A SPDY client at the other end of a pipe."""

    def __init__(self) -> None:
        self.pipe = Pipe()
        self.machine = session.Session(client=True)
        self.events: deque[session.Event] = deque()

    def flush(self) -> None:
        self.pipe.incoming.put_nowait(self.machine.take())

    def hear(self) -> list[session.Event]:
        sent, self.pipe.sent = self.pipe.sent, b""
        return list(self.machine.feed(sent))


def nothing() -> None:
    """No sign of life is wanted."""


def target(kubelet: FakeKubelet) -> forwarding.Target:
    return forwarding.Target(kubelet, "n1", "default", "web", "u")


def test_half_a_pair_waits_thirty_seconds_for_the_other() -> None:
    async def story() -> None:
        peer = Peer()
        served = forwarding.SpdyForwarding(Connection(peer.pipe), target(FakeKubelet()), nothing)
        async with tasks.Group("test") as group:
            group.spawn(served.run(), "server")
            number = peer.machine.open(
                (("streamtype", "error"), ("port", "80"), ("requestid", "7"))
            )
            peer.flush()
            await asyncio.sleep(29.9)
            assert not any(isinstance(event, Received) for event in peer.hear())
            await asyncio.sleep(0.2)
            (said,) = [event for event in peer.hear() if isinstance(event, Received) and event.data]
            assert said.stream == number
            assert said.data == b"(request=7) timed out waiting for streams"
            peer.pipe.close()

    virtual.run(story())


def test_half_a_pair_that_the_client_resets_is_forgotten_at_once() -> None:
    async def story() -> None:
        peer = Peer()
        served = forwarding.SpdyForwarding(Connection(peer.pipe), target(FakeKubelet()), nothing)
        async with tasks.Group("test") as group:
            group.spawn(served.run(), "server")
            for request in range(2000):
                number = peer.machine.open(
                    (("streamtype", "error"), ("port", "80"), ("requestid", str(request)))
                )
                peer.machine.reset(number, session.CANCEL)
                peer.flush()
                await asyncio.sleep(0)
            await asyncio.sleep(1)
            assert not served._waiting
            left = peer.machine.open(
                (("streamtype", "error"), ("port", "80"), ("requestid", "last"))
            )
            peer.flush()
            await asyncio.sleep(1)
            assert list(served._waiting) == ["last"]
            peer.hear()
            await asyncio.sleep(30)
            said = [event for event in peer.hear() if isinstance(event, Received) and event.data]
            assert [each.stream for each in said] == [left]  # nobody else is told that he is late
            peer.pipe.close()

    virtual.run(story())


def test_a_client_that_creates_no_streams_is_left_after_thirty_seconds() -> None:
    async def story() -> None:
        peer, loop = Peer(), asyncio.get_running_loop()
        wanted = Command("c", stdin=False, stdout=True, stderr=False, tty=False)
        client = SpdyClient(Connection(peer.pipe), "v4.channel.k8s.io", wanted)
        job = Job(FakeKubelet().exec, pb.StreamStart(), EXECUTING, nothing)
        with pytest.raises(TimeoutError):
            await client.served(job)
        assert loop.time() == 30

    virtual.run(story())


def test_a_client_that_does_not_hang_up_after_the_end_is_left_after_five_seconds() -> None:
    async def story() -> None:
        peer, loop = Peer(), asyncio.get_running_loop()
        wanted = Command("c", stdin=False, stdout=True, stderr=False, tty=False)
        client = SpdyClient(Connection(peer.pipe), "v4.channel.k8s.io", wanted)
        start = pb.StreamStart(command=["echo"])
        for kind in ("error", "stdout"):
            peer.machine.open((("streamtype", kind),))
        peer.flush()
        await client.served(Job(FakeKubelet().exec, start, EXECUTING, nothing))
        assert loop.time() == 5

    virtual.run(story())


def test_a_server_reads_no_further_ahead_than_the_pod_takes() -> None:
    async def story() -> None:
        kubelet, peer = FakeKubelet(), Peer()
        kubelet.ports[80] = sleepy
        served = forwarding.SpdyForwarding(Connection(peer.pipe), target(kubelet), nothing)
        async with tasks.Group("test") as group:
            group.spawn(served.run(), "server")
            for kind in ("error", "data"):
                number = peer.machine.open((("streamtype", kind), ("port", "80")))
            for _ in range(100):
                peer.machine.send(number, bytes(100_000))
                peer.flush()
            await asyncio.sleep(10)
            assert peer.pipe.reads < 15  # 10 MB are offered, little more than 512 KB are taken
            group.cancel()

    virtual.run(story())


async def sleepy(inputs: AsyncIterator[pb.PortForwardInput]) -> AsyncIterator[Any]:
    """A pod that reads nothing."""
    await asyncio.Event().wait()
    yield None


def test_a_slow_client_holds_back_what_the_pod_says() -> None:
    async def story() -> None:
        kubelet, peer = FakeKubelet(), Peer()
        said = 0

        async def chatty(inputs: AsyncIterator[pb.PortForwardInput]) -> AsyncIterator[Any]:
            nonlocal said
            while True:
                said += 1
                yield pb.PortForwardOutput(data=bytes(10_000))

        kubelet.ports[80] = chatty
        served = forwarding.SpdyForwarding(Connection(peer.pipe), target(kubelet), nothing)
        async with tasks.Group("test") as group:
            group.spawn(served.run(), "server")
            for kind in ("error", "data"):
                peer.machine.open((("streamtype", kind), ("port", "80")))
            peer.flush()
            peer.pipe.room.clear()
            await asyncio.sleep(10)
            assert said <= 2
            group.cancel()

    virtual.run(story())


class Listener:
    """A client of a command that only listens, and may go at some time."""

    def __init__(self, stays: float = 1e9) -> None:
        self.stays = stays
        self.heard: list[tuple[int, bytes]] = []
        self.status: dict[str, Any] | None = None

    async def pump(self, put: remotecommand.Put) -> None:
        await asyncio.sleep(self.stays)

    async def send(self, channel: int, data: bytes) -> None:
        self.heard.append((channel, data))

    async def finish(self, status: dict[str, Any]) -> None:
        self.status = status


def outputs(*said: pb.StreamOutput | Exception) -> remotecommand.Call:
    async def call(inputs: AsyncIterator[pb.StreamInput]) -> AsyncIterator[pb.StreamOutput]:
        for each in said:
            if isinstance(each, Exception):
                raise each
            yield each

    return call


ENDS: list[tuple[list[Any], str, str, str]] = [
    ([pb.StreamOutput(exit=pb.Exit(code=0))], EXECUTING, "Success", ""),
    ([pb.StreamOutput(exit=pb.Exit(code=1))], EXECUTING, "Failure", "non-zero exit code"),
    ([pb.StreamOutput(exit=pb.Exit(code=1))], ATTACHING, "Success", ""),
    ([pb.StreamOutput(exit=pb.Exit(error="gone"))], ATTACHING, "Failure",
     "Internal error occurred: error attaching to container: gone"),
    ([], EXECUTING, "Failure", "the kubelet ended the stream before the command ended"),
    ([errors.NotFound("no such pod")], EXECUTING, "Failure", "no such pod"),
    ([pb.StreamOutput(stdout=b"x"), rpc.Failure("UNAVAILABLE", "Socket closed")], EXECUTING,
     "Failure", "rpc error: code = Unavailable desc = Socket closed"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "doing", "status", "words"), ENDS)
def test_every_end_is_told(said: list[Any], doing: str, status: str, words: str) -> None:
    async def story() -> None:
        client = Listener()
        await remotecommand.run(client, Job(outputs(*said), pb.StreamStart(), doing, nothing))
        assert client.status is not None
        assert client.status["status"] == status
        assert words in client.status.get("message", "")

    virtual.run(story())


def test_output_goes_to_its_channel_in_order() -> None:
    async def story() -> None:
        client = Listener()
        call = outputs(
            pb.StreamOutput(stdout=b"a"),
            pb.StreamOutput(stderr=b"b"),
            pb.StreamOutput(stdout=b"c"),
            pb.StreamOutput(exit=pb.Exit()),
        )
        await remotecommand.run(client, Job(call, pb.StreamStart(), EXECUTING, nothing))
        assert client.heard == [
            (channels.STDOUT, b"a"), (channels.STDERR, b"b"), (channels.STDOUT, b"c"),
        ]  # fmt: skip

    virtual.run(story())


def test_a_client_that_goes_ends_the_call_to_the_kubelet() -> None:
    async def story() -> None:
        kubelet, loop = FakeKubelet(), asyncio.get_running_loop()
        job = Job(kubelet.exec, pb.StreamStart(command=["hang"]), EXECUTING, nothing)
        with pytest.raises(ConnectionError):
            await remotecommand.run(Listener(stays=7), job)
        assert (loop.time(), kubelet.running) == (7, 0)

    virtual.run(story())


class Connections:
    """Tells of lost connections, as the REST server does."""

    def __init__(self) -> None:
        self.ends: dict[Callable[[], None], None] = {}

    def follow(self, connection: object, end: Callable[[], None]) -> Callable[[], None]:
        self.ends[end] = None
        return lambda: self.ends.pop(end, None)


def test_a_stream_on_which_nothing_happens_ends_after_four_hours() -> None:
    async def story() -> None:
        sessions, loop = Sessions(Connections().follow), asyncio.get_running_loop()

        async def quiet() -> None:
            async with sessions.session(object()) as touch:
                await asyncio.sleep(IDLE_SECONDS - 1)
                touch()
                await asyncio.Event().wait()

        with pytest.raises(ConnectionResetError):
            await quiet()
        assert loop.time() == 2 * IDLE_SECONDS - 1
        assert sessions.open == 0

    virtual.run(story())


def test_a_stream_ends_with_its_connection() -> None:
    async def story() -> None:
        connections, loop = Connections(), asyncio.get_running_loop()
        sessions = Sessions(connections.follow)

        async def cut() -> None:
            async with sessions.session(object()):
                (end,) = connections.ends
                loop.call_later(3, end)
                await asyncio.Event().wait()

        with pytest.raises(ConnectionResetError):
            await cut()
        assert (loop.time(), connections.ends) == (3, {})

    virtual.run(story())


def test_more_streams_than_allowed_are_told_to_come_again() -> None:
    async def story() -> None:
        sessions = Sessions(Connections().follow, limit=1)
        async with sessions.session(object()):
            with pytest.raises(errors.TooManyRequests) as caught:
                async with sessions.session(object()):
                    pytest.fail("the second stream was let in")
        assert caught.value.details["retryAfterSeconds"] == 1
        async with sessions.session(object()):
            assert sessions.open == 1

    virtual.run(story())


def test_an_error_of_the_work_itself_is_not_taken_for_a_lost_client() -> None:
    async def story() -> None:
        sessions = Sessions(Connections().follow)
        with pytest.raises(TimeoutError):
            async with sessions.session(object()), asyncio.timeout(1):
                await asyncio.Event().wait()

    virtual.run(story())


def test_a_stream_that_is_reset_ends_what_waits_for_it() -> None:
    async def story() -> None:
        kubelet, peer = FakeKubelet(), Peer()
        served = forwarding.SpdyForwarding(Connection(peer.pipe), target(kubelet), nothing)
        async with tasks.Group("test") as group:
            group.spawn(served.run(), "server")
            for kind in ("error", "data"):
                number = peer.machine.open((("streamtype", kind), ("port", "80")))
            peer.flush()
            await asyncio.sleep(1)
            assert kubelet.running == 1
            peer.machine.reset(number)
            peer.flush()
            await asyncio.sleep(1)
            assert kubelet.running == 0
            assert not any(isinstance(event, Ended) for event in peer.hear())
            peer.pipe.close()

    virtual.run(story())
