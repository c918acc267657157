"""How connections end: by halves, by resets, by silence."""

import errno

import pytest
from tcpwires import Faults, Wires

from cluster.network.stack.tcp import events, states
from cluster.network.stack.tcp.segment import Segment
from cluster.network.stack.tcp.settings import Settings
from cluster.network.wire import tcp


def established(**options) -> Wires:
    wires = Wires(**options)
    wires.client.ends = wires.server.ends = False
    wires.run(100.1)
    assert [one.state for one in wires.both] == [states.ESTABLISHED] * 2
    return wires


def test_half_a_connection_goes_on_when_the_other_has_ended():
    wires = established()
    client, server = wires.both
    client.end()
    wires.run(100.2)
    assert (client.state, server.state) == (states.FIN_WAIT_2, states.CLOSE_WAIT)
    assert server.finished
    assert server.send(b"still here") == 10
    wires.run(100.3)
    assert wires.client.received == b"still here"
    assert client.send(b"no") == 0
    server.end()
    wires.run(100.4)
    assert (client.state, server.state) == (states.TIME_WAIT, states.CLOSED)


def test_both_ending_at_once_both_wait():
    wires = established()
    for one in wires.both:
        one.end()
    wires.run(101.0)
    assert [one.state for one in wires.both] == [states.TIME_WAIT] * 2


def test_an_abort_resets_the_peer_after_what_was_sent():
    wires = established()
    client, server = wires.both
    wires.server.reads = False
    client.send(b"last words")
    wires.run(100.2)
    client.abort()
    wires.run(100.3)
    assert server.error == errno.ECONNRESET
    assert server.events & events.FAILED
    assert server.take(100) == b"last words"


def test_closing_with_unread_data_resets():
    wires = established()
    client, server = wires.both
    wires.server.reads = False
    client.send(b"nobody reads this")
    wires.run(100.2)
    server.close()
    wires.run(100.3)
    assert client.error == errno.ECONNRESET
    assert wires.memory.used == 0


def test_data_for_a_closed_end_resets():
    wires = established()
    client, server = wires.both
    server.close()
    wires.run(100.2)
    assert client.state == states.CLOSE_WAIT
    client.send(b"are you there?")
    wires.run(100.3)
    assert client.error == errno.EPIPE
    assert server.state == states.CLOSED


def test_a_closed_end_does_not_wait_for_its_peer_for_ever():
    wires = established(client=Settings(fin_timeout=60.0))
    client, _ = wires.both
    client.close()
    wires.run(100.2)
    assert client.state == states.FIN_WAIT_2
    wires.run(159.0)
    assert client.state == states.FIN_WAIT_2
    wires.run(161.0)
    assert client.state == states.CLOSED


def test_a_refused_connection_fails_at_once():
    wires = Wires()
    client = wires.client.connection
    syn = client.pull(100.0)[0]
    client.receive(100.1, Segment(tcp.RST | tcp.ACK, 0, (syn.sequence + 1) & 0xFFFFFFFF, 0))
    assert (client.state, client.error) == (states.CLOSED, errno.ECONNREFUSED)


def test_a_reset_that_acknowledges_something_else_refuses_nothing():
    wires = Wires()
    client = wires.client.connection
    syn = client.pull(100.0)[0]
    client.receive(100.1, Segment(tcp.RST | tcp.ACK, 0, syn.sequence + 5, 0))
    assert client.state == states.SYN_SENT


def test_nobody_answers_a_syn_and_it_gives_up_as_linux_does():
    wires = Wires(Faults(cut=[(0.0, 1e9)]))
    client = wires.client.connection
    sent = []
    send = wires._transmit
    wires._transmit = lambda end, piece: (sent.append(wires.now - 100), send(end, piece))
    wires.run(1e6)
    assert sent == [0, 1, 3, 7, 15, 31, 63]
    assert client.error == errno.ETIMEDOUT


def test_an_unreachable_peer_fails_a_connection_that_is_not_there_yet():
    client = Wires().client.connection
    client.pull(100.0)
    client.unreachable(errno.EHOSTUNREACH)
    assert client.error == errno.EHOSTUNREACH


def test_an_unreachable_peer_is_only_a_hint_later():
    wires = established(client=Settings(retries=3))
    client, _ = wires.both
    client.unreachable(errno.EHOSTUNREACH)
    assert client.state == states.ESTABLISHED
    wires.faults.cut.append((0.0, 1e9))
    client.send(b"lost")
    wires.run(1e6)
    assert client.error == errno.EHOSTUNREACH


@pytest.mark.parametrize("answers", [True, False])
def test_keep_alive_finds_out_about_a_silent_peer(answers):
    keep = Settings(keepalive_idle=10.0, keepalive_interval=2.0, keepalive_probes=3)
    wires = established(client=keep)
    client, _ = wires.both
    client.keep_alive = True
    if not answers:
        wires.faults.cut.append((0.0, 1e9))
    before = len(wires.client.log)
    wires.run(130.0)
    probes = len(wires.client.log) - before
    if answers:
        assert client.state == states.ESTABLISHED
        assert probes == 2
    else:
        assert client.error == errno.ETIMEDOUT
        assert probes == 3
