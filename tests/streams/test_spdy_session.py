"""The state machine: two of them talking, and one hearing what no good peer says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.streams.spdy import frames, session
from cluster.streams.spdy.faults import Malformed
from cluster.streams.spdy.session import Ended, Opened, Received, Replied, Session


def pair() -> tuple[Session, Session]:
    return Session(client=True), Session()


def carry(source: Session, sink: Session) -> list[session.Event]:
    return list(sink.feed(source.take()))


class Peer:
    """Frames written by hand, to a server."""

    def __init__(self, **options: int) -> None:
        self.encoder = frames.Encoder()
        self.decoder = frames.Decoder()
        self.server = Session(**options)

    def says(self, *sent: frames.Frame) -> list[session.Event]:
        raw = b"".join(self.encoder.encode(frame) for frame in sent)
        return list(self.server.feed(raw))

    def hears(self) -> list[frames.Frame]:
        return list(self.decoder.feed(self.server.take()))


def test_a_stream_is_opened_answered_used_and_closed() -> None:
    client, server = pair()
    number = client.open((("streamtype", "data"),))
    assert carry(client, server) == [Opened(1, (("streamtype", "data"),), fin=False)]
    server.reply(number)
    assert carry(server, client) == [Replied(1, ())]
    client.send(number, b"question", fin=True)
    assert carry(client, server) == [Received(1, b"question", fin=True)]
    server.send(number, b"answer", fin=True)
    assert carry(server, client) == [Received(1, b"answer", fin=True)]
    server.send(number, b"late")
    assert server.take() == b""


def test_streams_are_numbered_by_who_opens_them() -> None:
    client, server = pair()
    assert [client.open(()) for _ in range(3)] == [1, 3, 5]
    assert [server.open(()) for _ in range(2)] == [2, 4]


@pytest.mark.parametrize("number", [2, 0])
def test_a_client_that_opens_a_number_of_the_server_is_cut(number: int) -> None:
    with pytest.raises(Malformed):
        Peer().says(frames.SynStream(number, ()))


def test_a_client_that_opens_a_number_again_is_cut() -> None:
    peer = Peer()
    peer.says(frames.SynStream(3, ()))
    with pytest.raises(Malformed):
        peer.says(frames.SynStream(1, ()))


def test_more_streams_than_allowed_are_refused_and_room_comes_back() -> None:
    peer = Peer(max_streams=1)
    peer.says(frames.SynStream(1, ()))
    assert peer.says(frames.SynStream(3, ())) == []
    assert peer.hears() == [frames.RstStream(3, session.REFUSED_STREAM)]
    peer.says(frames.RstStream(1, session.CANCEL))
    assert peer.says(frames.SynStream(5, ())) == [Opened(5, (), fin=False)]


def test_data_of_a_stream_that_never_was_is_an_error_of_that_stream() -> None:
    peer = Peer()
    assert peer.says(frames.Data(9, b"x")) == []
    assert peer.hears() == [frames.RstStream(9, session.INVALID_STREAM)]


def test_data_after_the_end_resets_the_stream() -> None:
    peer = Peer()
    peer.says(frames.SynStream(1, ()), frames.Data(1, b"x", fin=True))
    assert peer.says(frames.Data(1, b"y")) == [Ended(1, session.STREAM_ALREADY_CLOSED)]
    assert peer.hears() == [frames.RstStream(1, session.STREAM_ALREADY_CLOSED)]


def test_data_under_way_to_a_forgotten_stream_is_thrown_away() -> None:
    peer = Peer()
    peer.says(frames.SynStream(1, ()))
    peer.server.forget(1)
    assert peer.says(frames.Data(1, b"late")) == []
    assert peer.hears() == []


def test_pings_of_the_client_come_back_and_its_answers_do_not() -> None:
    peer = Peer()
    peer.says(frames.Ping(7), frames.Ping(2))
    assert peer.hears() == [frames.Ping(7)]


def test_a_client_says_no_word_of_windows() -> None:
    """A server that has hung up would reset the connection for it, with its own last words."""
    client, server = pair()
    number = client.open(())
    carry(client, server)
    server.send(number, b"x" * 200_000)
    carry(server, client)
    client.consumed(number, 200_000)
    assert client.take() == b""


def test_windows_are_opened_as_data_is_consumed() -> None:
    peer = Peer()
    peer.says(frames.SynStream(1, ()))
    peer.server.consumed(1, 30_000)
    assert peer.hears() == []
    peer.server.consumed(1, 10_000)
    assert peer.hears() == [frames.WindowUpdate(0, 40_000), frames.WindowUpdate(1, 40_000)]


def test_the_window_of_a_peer_binds_once_it_speaks_of_windows() -> None:
    peer = Peer()
    peer.says(frames.SynStream(1, ()))
    peer.server.send(1, bytes(100_000))
    assert peer.server.sendable(1) == session.WINDOW  # as with spdystream, which never says a word
    peer.says(frames.WindowUpdate(0, 1 << 20))
    assert peer.server.sendable(1) == 0
    assert peer.says(frames.WindowUpdate(1, 50_000)) == [session.Widened(1)]
    assert peer.server.sendable(1) == 65536 - 100_000 + 50_000


def test_a_new_initial_window_moves_those_of_open_streams() -> None:
    peer = Peer()
    peer.says(frames.SynStream(1, ()), frames.Settings(((7, 1000),)))
    assert peer.server.sendable(1) == 1000
    peer.says(frames.Settings(((7, 0),)))
    assert peer.server.sendable(1) == 0


@given(st.lists(st.tuples(st.integers(0, 3), st.binary(max_size=50), st.booleans()), max_size=30))
def test_what_is_sent_arrives_once_and_in_order(
    writes: list[tuple[int, bytes, bool]],
) -> None:
    client, server = pair()
    numbers = [client.open(()) for _ in range(4)]
    carry(client, server)
    sent: dict[int, list[bytes]] = {number: [] for number in numbers}
    closed: dict[int, bool] = {}
    for which, data, fin in writes:
        number = numbers[which]
        client.send(number, data, fin=fin)
        if number not in closed:
            sent[number].append(data)
            if fin:
                closed[number] = True
    got: dict[int, bytes] = dict.fromkeys(numbers, b"")
    ended: dict[int, bool] = {}
    for event in carry(client, server):
        assert isinstance(event, Received)
        got[event.stream] += event.data
        if event.fin:
            ended[event.stream] = True
    assert got == {number: b"".join(parts) for number, parts in sent.items()}
    assert ended == closed
