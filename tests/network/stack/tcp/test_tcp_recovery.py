"""What is lost goes again: quickly where the peer tells of it, after a timeout where it cannot."""

import random

import pytest
from tcpwires import Faults, Wires

from cluster.network.stack.tcp.segment import Segment
from cluster.network.stack.tcp.settings import Settings

SEGMENT = 1398
PEERS = {"SACK": Settings(), "NewReno": Settings(sack=False)}


class Losing(Wires):
    """Loses the client's segments of data by their order of first sending."""

    def __init__(self, lose, again=(), **options) -> None:
        super().__init__(Faults(delay=0.01), **options)
        self.lose = set(lose)
        self.again = set(again)
        """Whose first repetition is lost, too."""
        self.sent: dict[int, int] = {}
        self.order: list[int] = []

    def _transmit(self, end, piece: Segment) -> None:
        if end is self.client and piece.payload:
            number = (piece.sequence - self.both_start) // SEGMENT
            times = self.sent[number] = self.sent.get(number, 0) + 1
            self.order.append(number)
            if times == 1 and number in self.lose:
                return
            if times == 2 and number in self.again:
                return
        super()._transmit(end, piece)

    @property
    def both_start(self) -> int:
        return self.client.connection.outbound.start + 1

    def transfer(self, segments: int) -> float:
        """The seconds that it took."""
        self.client.to_send += random.Random(1).randbytes(segments * SEGMENT)
        expected = bytes(self.client.to_send)
        while len(self.server.received) < len(expected) and self.now < 400:
            self.run(self.now + 0.005)
        assert self.server.received == expected
        took = self.now - 100
        self.run(500)
        return took


@pytest.mark.parametrize("peer", PEERS)
def test_one_lost_segment_goes_again_without_a_timeout(peer):
    wires = Losing([5], client=PEERS[peer])
    took = wires.transfer(60)
    assert wires.sent[5] == 2
    assert sum(wires.sent.values()) == 61
    assert took < 0.19


@pytest.mark.parametrize("peer", PEERS)
def test_several_lost_of_one_window_all_go_again_once(peer):
    wires = Losing([12, 14, 15, 19, 24], client=PEERS[peer])
    took = wires.transfer(100)
    assert all(wires.sent[number] == 2 for number in wires.lose)
    if peer == "SACK":
        assert sum(wires.sent.values()) == 105
        assert took < 0.25
    else:
        assert sum(wires.sent.values()) <= 130


def test_a_repetition_that_is_lost_too_is_noticed_by_what_came_after_it():
    wires = Losing([12], again=[12])
    wires.transfer(300)
    assert wires.sent[12] == 3
    third = [at for at, number in enumerate(wires.order) if number == 12][2]
    assert third < wires.order.index(60)


def test_a_lost_end_waits_for_the_timeout():
    wires = Losing([58, 59])
    took = wires.transfer(60)
    assert wires.sent[58] == wires.sent[59] == 2
    assert 0.25 < took < 0.6


def test_new_segments_go_while_duplicates_are_counted():
    """Limited transmit (RFC 3042): what arrived makes room for more, before anything is lost."""
    wires = Losing([8], client=Settings(sack=False))
    wires.transfer(40)
    again = [at for at, number in enumerate(wires.order) if number == 8][1]
    assert wires.order.index(10) < again


@pytest.mark.parametrize("peer", PEERS)
def test_the_window_halves_for_a_loss_and_collapses_for_a_timeout(peer):
    wires = Losing([30], client=PEERS[peer])
    before = {}
    outbound = wires.client.connection.outbound

    class Watched(type(outbound.congestion)):
        __slots__ = ()

        def lost(self, flight):
            before["lost"] = flight
            super().lost(flight)
            before["window"] = self.window

        def timed_out(self, flight, *, first):
            before["timed out"] = flight
            super().timed_out(flight, first=first)

    outbound.congestion.__class__ = Watched
    wires.transfer(200)
    assert before["window"] == max(before["lost"] // 2, 2 * SEGMENT)
    assert "timed out" not in before


def test_a_receiver_that_forgets_what_it_had_is_sent_it_again():
    """SACK may be taken back (RFC 2018, 8): only what was acknowledged is safe."""
    wires = Losing([3])
    forgot = []
    receive = wires._deliver

    def deliver(end, piece):
        receive(end, piece)
        server = wires.server.connection
        if server is not None and server.inbound.ahead and not forgot and wires.sent.get(9):
            forgot.append(len(server.inbound.ahead))
            server.memory.used -= sum(len(one.data) for one in server.inbound.ahead)
            server.inbound.ahead.clear()
            server.inbound._recent.clear()

    wires._deliver = deliver
    wires.transfer(12)
    assert forgot


def test_what_comes_twice_is_told_by_a_block_of_its_own():
    wires = Wires(Faults(duplicate=1.0))
    wires.client.to_send += bytes(5000)
    wires.run(500)
    told = [one for one in wires.server.log if one.sack]
    assert told
    first, behind = told[0].sack[0]
    assert (told[0].acknowledgment - behind) & 0xFFFFFFFF < 5000
    assert first != behind


def test_a_cut_longer_than_all_retries_ends_the_connection():
    wires = Wires(Faults(cut=[(100.01, 1e9)]), client=Settings(retries=5))
    wires.client.ends = wires.server.ends = False
    wires.run(100.005)
    wires.client.to_send += b"lost"
    wires.run(1e5)
    wires.now = 100.5
    client = wires.both[0]
    client.send(b"more")
    wires.run(1e6)
    assert client.error == 110
    assert client.state == "CLOSE"
