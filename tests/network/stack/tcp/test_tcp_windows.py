"""Windows: what a slow reader holds back, what probes find out, what is not worth a segment."""

from hypothesis import given
from hypothesis import strategies as st
from tcpwires import Faults, Wires

from cluster.network.stack.tcp.segment import Segment
from cluster.network.stack.tcp.settings import Memory, Settings
from cluster.network.wire import tcp


def stalled(wires: Wires, size: int = 300_000) -> None:
    wires.server.reads = False
    wires.client.to_send += bytes(index & 0xFF for index in range(size))
    wires.run(105.0)


def test_a_reader_that_does_not_read_holds_its_buffer_full_and_no_more():
    wires = Wires(server=Settings(receive_buffer=50_000))
    stalled(wires)
    server = wires.both[1]
    assert 48_000 <= server.readable <= 50_000
    assert wires.server.log[-1].window == 0


def test_probes_ask_a_closed_window_and_transfer_goes_on():
    wires = Wires(server=Settings(receive_buffer=50_000))
    stalled(wires)
    lost = [one for one in wires.client.log if not one.payload][-3:]
    assert len(lost) == 3  # probes
    wires.server.reads = True
    wires.server.connection.take(0)
    wires.run(1000.0)
    assert len(wires.server.received) == 300_000


def test_a_lost_update_of_the_window_is_found_out_by_a_probe():
    wires = Wires(server=Settings(receive_buffer=50_000))
    stalled(wires)
    wires.faults.cut.append((105.0, 105.001))
    wires.server.reads = True
    wires.run(1000.0)
    assert len(wires.server.received) == 300_000


def test_probes_that_nobody_answers_end_the_connection():
    wires = Wires(client=Settings(retries=4), server=Settings(receive_buffer=50_000))
    stalled(wires)
    wires.faults.cut.append((105.0, 1e9))
    wires.run(1e6)
    assert wires.both[0].error == 110


def test_probes_that_are_answered_go_on_for_ever():
    wires = Wires(client=Settings(retries=4), server=Settings(receive_buffer=50_000))
    stalled(wires)
    wires.run(5000.0)
    assert wires.both[0].error == 0


def test_a_reader_of_single_bytes_does_not_cause_tiny_segments():
    wires = Wires(server=Settings(receive_buffer=20_000))
    stalled(wires, 40_000)
    before = len(wires.client.log)
    for _ in range(19_000):
        wires.server.received += wires.server.connection.take(1)
        wires.run(wires.now + 0.0001)
    sizes = [len(one.payload) for one in wires.client.log[before:] if one.payload]
    assert sizes
    assert min(sizes[:-1], default=1398) >= 1000


def test_windows_shrink_for_new_data_where_memory_is_short_but_never_take_back():
    wires = Wires()
    wires.server.reads = wires.client.ends = wires.server.ends = False
    wires.run(100.1)
    wires.memory.limit = 1
    wires.client.to_send += bytes(400_000)
    wires.run(110.0)
    assert wires.both[1].readable <= 65535 + 4096
    assert wires.both[1].readable >= 60_000
    wires.memory.limit = 64 << 20
    wires.server.reads = True
    wires.run(1000.0)
    assert len(wires.server.received) == 400_000


def test_the_end_of_a_stream_needs_no_room():
    wires = Wires(server=Settings(receive_buffer=4096))
    stalled(wires, 4096)
    wires.server.reads = True
    wires.run(1000.0)
    assert len(wires.server.received) == 4096
    assert wires.both[0].state in ("CLOSE", "TIME_WAIT", "FIN_WAIT2")


def test_what_lies_beyond_the_window_is_not_taken():
    wires = Wires(server=Settings(receive_buffer=4096))
    wires.server.reads = wires.client.ends = wires.server.ends = False
    wires.run(100.1)
    client, server = wires.both
    for _ in range(20):
        position = server.inbound.next
        server.receive(
            100.2,
            Segment(
                tcp.ACK,
                server.inbound.wire(position),
                client.inbound.wire(client.inbound.next),
                1000,
                bytes(1000),
                (client.stamp(100.2), server.recent),
            ),
        )
        server.pull(100.2)
    assert server.readable <= 65535
    assert wires.memory.used == server.readable


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(1, 120)), max_size=60))
def test_pieces_in_any_order_become_what_was_sent(pieces):
    """Against a plain array of the bytes that came."""
    from cluster.network.stack.tcp.inbound import Inbound

    memory = Memory()
    inbound = Inbound(300, 100, memory)
    inbound.begin(0xFFFFFF80, 0)
    source = bytes(index % 251 for index in range(1000))
    came = [False] * 1000
    taken = b""
    for start, length in pieces:
        edge = inbound.edge
        inbound.put(1 + start, source[start : start + length])
        for at in range(start, start + length):
            if at + 1 < edge:
                came[at] = True
        whole = came.index(False)
        assert inbound.next == 1 + whole
        for block in inbound.blocks():
            first, behind = (inbound.position(one) - 1 for one in block)
            assert all(came[first:behind])
        if length % 3 == 0:
            taken += inbound.take(length)
            inbound.window()
        assert len(inbound.buffer) <= 300 or edge > 300
    taken += inbound.take(1 << 20)
    assert taken == source[: came.index(False)]
    inbound.drop()
    assert memory.used == 0


@given(
    st.lists(st.tuples(st.integers(0, 200), st.integers(1, 40)), max_size=40),
    st.integers(0, 250),
    st.integers(0, 250),
)
def test_a_scoreboard_knows_what_a_set_of_bytes_knows(blocks, start, end):
    from cluster.network.stack.tcp.scoreboard import Scoreboard

    board, plain = Scoreboard(), set()
    for first, length in blocks:
        news = not set(range(first, first + length)) <= plain
        assert board.add(first, first + length) == news
        plain |= set(range(first, first + length))
        assert board.total == len(plain)
    assert board.within(start, end) == len(plain & set(range(start, end)))
    missing = [at for at in range(start, end) if at not in plain]
    hole = board.hole(start, end)
    assert (hole[0] if hole else None) == (missing[0] if missing else None)
    board.forget(start)
    assert board.total == len({one for one in plain if one >= start})


def test_a_path_that_takes_less_is_used_with_smaller_segments():
    wires = Wires(Faults(delay=0.01))
    send = wires._transmit
    told = []

    def narrow(end, piece):
        if len(piece.payload) > 700:
            if not told:
                told.append(len(piece.payload))
                end_connection = end.connection
                wires.at(wires.now + 0.001, lambda: end_connection.too_big(712))
            return
        send(end, piece)

    wires._transmit = narrow
    wires.client.to_send += bytes(60_000)
    wires.run(110.0)
    assert len(wires.server.received) == 60_000
    assert told


def test_a_sender_goes_on_by_little_where_memory_is_short():
    wires = Wires()
    wires.client.ends = wires.server.ends = False
    wires.run(100.1)
    wires.memory.used = wires.memory.limit  # others have it all
    client, _ = wires.both
    assert client.send(bytes(100_000)) == 4096
    assert client.send(b"more") == 0
    held = wires.memory.used
    wires.client.to_send += bytes(50_000)
    wires.run(130.0)
    assert len(wires.server.received) == 54_096
    assert wires.memory.used <= held
