"""What is sent arrives, whole and once, whatever the wire does."""

import dataclasses
import random

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as options
from hypothesis import strategies as st
from tcpwires import Faults, Wires

from cluster.network.stack.tcp import states
from cluster.network.stack.tcp.settings import Settings

FAULTS = {
    "nothing": Faults(),
    "loss": Faults(loss=0.05),
    "jitter": Faults(jitter=0.004),
    "reordering and repeats": Faults(duplicate=0.1, reorder=0.1),
    "all at once": Faults(jitter=0.001, loss=0.05, duplicate=0.05, reorder=0.05),
    "a cut of ten seconds": Faults(cut=[(100.003, 110.0)]),
}
PEERS = {
    "everything": Settings(),
    "no SACK": Settings(sack=False),
    "as of 1990": Settings(sack=False, timestamps=False, window_scaling=False),
    "small buffers": Settings(receive_buffer=4096, send_buffer=3000),
}


def transfer(wires: Wires, up: bytes, down: bytes, until: float = 3000.0) -> None:
    wires.client.to_send += up
    wires.server.to_send += down
    wires.run(until)
    assert bytes(wires.server.received) == up
    assert bytes(wires.client.received) == down
    for connection in wires.both:
        assert connection.state in (states.CLOSED, states.TIME_WAIT), connection.state
        assert not connection.error
    assert wires.memory.used == 0


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("fault", FAULTS)
def test_both_directions_arrive_whole(fault, peer):
    data = random.Random(1).randbytes(200_000)
    wires = Wires(FAULTS[fault], client=PEERS[peer], server=Settings())
    transfer(wires, data, data[::-1])


@options(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    seed=st.integers(0, 1 << 32),
    up=st.integers(0, 60_000),
    down=st.integers(0, 60_000),
    loss=st.sampled_from([0.0, 0.01, 0.1, 0.25]),
    duplicate=st.sampled_from([0.0, 0.2]),
    reorder=st.sampled_from([0.0, 0.3]),
    jitter=st.sampled_from([0.0, 0.01, 0.3]),
    client=st.sampled_from(list(PEERS)),
    server=st.sampled_from(list(PEERS)),
    mss=st.tuples(st.sampled_from([88, 536, 1410]), st.sampled_from([536, 1410, 8960])),
)
def test_any_two_ends_over_any_wire(
    seed, up, down, loss, duplicate, reorder, jitter, client, server, mss
):
    faults = Faults(loss=loss, duplicate=duplicate, reorder=reorder, jitter=jitter)
    wires = Wires(
        faults, seed=seed, client=patient(PEERS[client]), server=patient(PEERS[server]), mss=mss
    )
    data = random.Random(seed)
    transfer(wires, data.randbytes(up), data.randbytes(down), until=1e6)


def patient(settings):
    """The same, but it never gives up: one in a few hundred would at so much loss, rightly."""
    return dataclasses.replace(
        settings, syn_retries=60, synack_retries=60, retries=100, orphan_retries=100
    )


@pytest.mark.slow
@options(max_examples=3000, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(seed=st.integers(0, 1 << 32))
def test_any_two_ends_over_any_wire_for_long(seed):
    draw = random.Random(seed)
    faults = Faults(
        delay=draw.choice([0.00005, 0.001, 0.1]),
        jitter=draw.choice([0.0, 0.001, 0.2]),
        loss=draw.choice([0.0, 0.02, 0.2, 0.4]),
        duplicate=draw.choice([0.0, 0.3]),
        reorder=draw.choice([0.0, 0.3]),
    )
    patient = {"syn_retries": 30, "retries": 60}
    client, server = (
        dataclasses.replace(PEERS[draw.choice(list(PEERS))], **patient) for _ in range(2)
    )
    wires = Wires(faults, seed=seed, client=client, server=server)
    transfer(
        wires, draw.randbytes(draw.randrange(300_000)), draw.randbytes(draw.randrange(300_000)), 1e7
    )


def test_sequence_numbers_wrap_around():
    wires = Wires()
    client, _ = wires.client.connection, None
    client.outbound.start = 0xFFFFFF00
    data = random.Random(2).randbytes(100_000)
    transfer(wires, data, b"")


def test_bulk_takes_the_whole_window():
    wires = Wires(Faults(delay=0.01))
    wires.client.to_send += bytes(3 << 20)
    wires.run(101.0)
    assert len(wires.server.received) == 3 << 20
    assert wires.both[0].outbound.congestion.window > 512 << 10
    assert wires.both[0].outbound.retransmitted == 0


def test_data_sent_before_the_handshake_goes_after_it():
    wires = Wires(Faults(delay=0.5))
    assert wires.client.connection.send(b"early") == 5
    wires.run(102.0)
    assert wires.server.received == b"early"
    assert len(wires.client.log[0].payload) == 0


def test_a_lone_request_and_its_answer_take_two_segments_of_data_and_no_lone_acknowledgments():
    wires = Wires()
    wires.client.ends = wires.server.ends = False
    wires.run(100.5)
    before = len(wires.client.log), len(wires.server.log)
    wires.client.to_send += b"request"
    wires.run(wires.now + 0.0006)
    wires.server.to_send += b"answer"
    wires.run(wires.now + 0.001)
    wires.client.to_send += b"another"
    wires.run(wires.now + 0.0006)
    assert [len(one.payload) for one in wires.client.log[before[0] :]] == [7, 7]
    assert [len(one.payload) for one in wires.server.log[before[1] :]] == [6]


def test_a_simultaneous_open_makes_one_connection():
    wires = Wires()
    wires.server.connection = wires._made(wires.server, 1410)
    wires.server.connection.open()
    transfer(wires, b"one", b"other")
