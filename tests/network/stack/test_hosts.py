"""Hosts on a link: who has an address, what answers, what is refused, held and forgotten."""

import errno
import random

import pytest
from hostlinks import NETWORK, Link
from hypothesis import given
from hypothesis import strategies as st

from cluster.network.stack.endhost import ports
from cluster.network.stack.endhost.neighbours import Neighbours
from cluster.network.stack.endpoint import Endpoint
from cluster.network.stack.tcp import events, states
from cluster.network.stack.tcp.handshakes import CAPACITY
from cluster.network.wire import addresses, arp, ethernet, icmp, ipv4, mac, offload, tcp, udp
from cluster.network.wire.frame import Frame

FIRST, SECOND, NOBODY = NETWORK + 1, NETWORK + 2, NETWORK + 9
FAR = addresses.parse("192.0.2.7")


def connected(link: Link, port: int = 80):
    client, server = link.hosts[:2]
    listener = server.listen(link.now, port)
    flow = client.connect(link.now, Endpoint(SECOND, port))
    link.settle()
    return flow, listener.accept(), listener


@pytest.mark.parametrize("bytewise", [False, True])
def test_a_connection_carries_bytes_both_ways(bytewise):
    link = Link(bytewise=bytewise)
    here, there, _ = connected(link)
    data = random.Random(1).randbytes(300_000)
    rest, got = data, b""
    while rest or len(got) < len(data):
        rest = rest[here.connection.send(rest) :]
        link.settle(0.01)
        got += there.connection.take(1 << 20)
    there.connection.send(b"thanks")
    link.settle()
    assert got == data
    assert here.connection.take(10) == b"thanks"
    assert (there.peer, there.local) == (here.local, Endpoint(SECOND, 80))


def test_what_is_on_the_wire_is_right_to_the_last_checksum():
    link = Link(bytewise=True)
    here, _, _ = connected(link)
    here.connection.send(bytes(range(256)) * 40)
    link.settle(1.0)
    assert all(host.tcp.bad_checksums == host.malformed == 0 for host in link.hosts)
    assert link.hosts[1].tcp.memory.used


def test_a_wrong_checksum_is_dropped_and_counted():
    link = Link(bytewise=True)
    here, there, _ = connected(link)
    here.connection.send(b"payload")
    [frame] = link.hosts[0].pull(link.now)
    data = bytearray(offload.cut(frame)[0])
    data[-1] ^= 1
    link.hosts[1].receive(link.now, Frame(bytes(data)))
    assert link.hosts[1].tcp.bad_checksums == 1
    assert there.connection.readable == 0


def test_a_port_where_nobody_listens_refuses():
    link = Link()
    flow = link.hosts[0].connect(link.now, Endpoint(SECOND, 81))
    seen = []
    flow.watch = seen.append
    link.settle()
    assert flow.connection.error == errno.ECONNREFUSED
    assert seen[-1] & events.FAILED
    assert not link.hosts[0].tcp.flows


def test_an_address_that_nobody_has_is_unreachable_after_three_questions():
    link = Link()
    flow = link.hosts[0].connect(link.now, Endpoint(NOBODY, 80))
    begun = link.now
    link.settle(10.0)
    assert flow.connection.error == errno.EHOSTUNREACH
    questions = [one for one in link.frames if arp.parse(one.data)]
    assert len(questions) == 3
    assert link.now - begun == 10.0
    assert link.hosts[0].neighbours.lost


def test_what_is_not_on_the_link_goes_to_the_gateway_or_nowhere():
    link = Link()
    with pytest.raises(OSError, match="unreachable") as raised:
        link.hosts[0].connect(link.now, Endpoint(FAR, 80))
    assert raised.value.errno == errno.ENETUNREACH
    link = Link(gateway=SECOND)
    link.hosts[0].connect(link.now, Endpoint(FAR, 80))
    link.settle()
    assert link.frames[-1].data.startswith(link.hosts[1].settings.mac)
    assert ipv4.parse(link.frames[-1].data).destination == FAR


def test_what_waits_for_all_neighbours_together_is_bounded():
    table = Neighbours(mac.of_address(FIRST))
    frame = Frame(bytes(60_000))
    for hop in range(1, 201):
        assert table.find(0.0, hop, FIRST) == b""
        table.wait(hop, frame)
    assert table.lost == 200 - (4 << 20) // 60_000
    for due in (1.0, 2.0, 3.0):
        silent = table.tick(due, FIRST)
    assert len(silent) == 200
    lost = table.lost
    assert table.find(4.0, 7, FIRST) == b""
    table.wait(7, frame)
    assert table.lost == lost


def test_neighbours_are_asked_again_when_they_were_silent_for_long():
    link = Link()
    here, _, _ = connected(link)
    link.settle(60.0)
    before = len(link.frames)
    here.connection.send(b"x")
    link.settle(0.001)
    asked = [one.data for one in link.frames[before:] if arp.parse(one.data)]
    assert asked[0].startswith(link.hosts[1].settings.mac)  # only it is asked
    assert here.connection.outbound.flight == 0 or link.settle(0.1) is None


def test_pings_of_all_sizes_are_answered():
    link = Link()
    answers = []
    for size in (0, 56, 1422, 1423, 65507):
        link.hosts[0].echo(link.now, SECOND, answers.append, size=size)
    link.settle()
    assert [one.size for one in answers] == [8, 64, 1430, 1431, 65515]
    assert {(one.source, one.type) for one in answers} == {(SECOND, icmp.ECHO_REPLY)}


def test_datagrams_reach_sockets_and_their_absence_is_told():
    link = Link()
    got, failed = [], []
    server = link.hosts[1].datagrams(link.now, lambda *one: got.append(one), port=53)
    client = link.hosts[0].datagrams(link.now, lambda *one: None, failed.append)
    client.send(link.now, b"question" * 1000, Endpoint(SECOND, 53))
    client.send(link.now, b"?", Endpoint(SECOND, 54))
    link.settle()
    assert got == [(b"question" * 1000, Endpoint(FIRST, client.local.port), server.local._replace(
        address=SECOND))]  # fmt: skip
    assert [one.number for one in failed] == [errno.ECONNREFUSED]
    assert failed[0].target == Endpoint(SECOND, 54)
    server.close()
    client.send(link.now, b"?", Endpoint(SECOND, 53))
    link.settle()
    assert len(failed) == 2


def test_a_port_belongs_to_one_at_a_time():
    link = Link()
    host = link.hosts[0]
    held = host.listen(link.now, 80)
    with pytest.raises(OSError, match="in use"):
        host.listen(link.now, 80, FIRST)
    with pytest.raises(OSError, match="assign"):
        host.listen(link.now, 80, SECOND)
    held.close()
    assert host.listen(link.now, 80, FIRST).local == Endpoint(FIRST, 80)
    assert host.listen(link.now, 0).local.port >= 32768


def test_a_full_backlog_lets_peers_ask_again():
    link = Link()
    client, server = link.hosts
    listener = server.listen(link.now, 80, backlog=2)
    flows = [client.connect(link.now, Endpoint(SECOND, 80)) for _ in range(4)]
    link.settle(0.5)
    there = [one.connection.state for one in flows]
    assert there.count(states.ESTABLISHED) >= 2
    assert len(listener.queue) == 2
    taken = [listener.accept(), listener.accept()]
    link.settle(8.0)
    assert len(listener.queue) == 2
    assert {one.connection.state for one in flows} == {states.ESTABLISHED}
    assert all(taken)


def test_closing_a_listener_resets_those_who_wait_in_it():
    link = Link()
    flow = link.hosts[0].connect(link.now, Endpoint(SECOND, 80))
    listener = link.hosts[1].listen(link.now, 80)
    link.settle()
    listener.close()
    link.settle()
    assert flow.connection.error == errno.ECONNRESET


def test_a_flood_of_syns_costs_a_bounded_number_of_records_and_shuts_nobody_out():
    link = Link()
    host = link.hosts[1]
    host.listen(link.now, 80)
    for number in range(3 * CAPACITY):
        syn = tcp.Segment(1024 + number, 80, number, 0, tcp.SYN, 1000, 0, b"", b"")
        segment = tcp.build(NETWORK + 77, SECOND, syn)
        header = ipv4.header(NETWORK + 77, SECOND, ipv4.TCP, len(segment))
        data = ethernet.build(host.settings.mac, bytes(6), ethernet.IPV4, header + segment)
        host.receive(link.now, Frame(data))
    assert len(host.tcp.openings.handshakes) == CAPACITY
    assert not host.tcp.flows
    flow = link.hosts[0].connect(link.now, Endpoint(SECOND, 80))
    link.settle(0.1)
    assert flow.connection.state == states.ESTABLISHED
    link.settle(100.0)
    assert len(host.tcp.openings.handshakes) == 0


def test_who_sleeps_is_woken_and_what_came_meanwhile_is_his():
    link = Link()
    client, server = link.hosts
    asked = []
    server.on_unbound = lambda *one: asked.append(one) or True
    flow = client.connect(link.now, Endpoint(SECOND, 80))
    got = []
    socket = client.datagrams(link.now, lambda *one: None)
    socket.send(link.now, b"first", Endpoint(SECOND, 53))
    socket.send(link.now, b"second", Endpoint(SECOND, 53))
    link.settle(0.4)
    assert (ipv4.TCP, Endpoint(SECOND, 80)) in asked
    assert flow.connection.state == states.SYN_SENT
    server.listen(link.now, 80)
    server.datagrams(link.now, lambda data, *_: got.append(data), port=53)
    link.settle()
    assert flow.connection.state == states.ESTABLISHED
    assert got == [b"first", b"second"]


def test_who_is_woken_in_vain_refuses():
    link = Link()
    link.hosts[1].on_unbound = lambda *_: True
    flow = link.hosts[0].connect(link.now, Endpoint(SECOND, 80))
    link.settle(0.4)
    link.hosts[1].refuse_held(link.now, ipv4.TCP, 80)
    link.settle()
    assert flow.connection.error == errno.ECONNREFUSED


def outside() -> Link:
    """The second host answers for every address."""
    link = Link(1, gateway=SECOND)
    link.hosts.append(
        link.host(2, any_address=True, addresses=(), gateway_mac=mac.of_address(FIRST))
    )
    return link


@pytest.mark.parametrize("decision", ["accept", "refuse", "unreachable", "drop"])
def test_a_host_for_every_address_decides_about_each_request(decision):
    link = outside()
    requests = []
    link.hosts[1].on_request = requests.append
    flow = link.hosts[0].connect(link.now, Endpoint(FAR, 443))
    link.settle(0.5)
    [request] = requests
    assert request.target == Endpoint(FAR, 443)
    assert request.source == flow.local
    if decision == "accept":
        there = request.accept(link.now)
        link.settle()
        assert flow.connection.state == there.connection.state == states.ESTABLISHED
        there.connection.send(b"from far")
        link.settle()
        assert flow.connection.take(100) == b"from far"
        return
    getattr(request, decision)()
    link.settle(0.1)
    expected = {"refuse": errno.ECONNREFUSED, "unreachable": errno.EHOSTUNREACH, "drop": 0}
    assert flow.connection.error == expected[decision]
    with pytest.raises(ConnectionResetError):
        request.accept(link.now)


def test_a_host_for_every_address_connects_and_sends_in_any_name():
    link = outside()
    pod, world = link.hosts
    listener = pod.listen(link.now, 80)
    client = Endpoint(FAR, 5555)
    flow = world.connect(link.now, Endpoint(FIRST, 80), client)
    link.settle()
    assert listener.accept().peer == client
    assert flow.connection.state == states.ESTABLISHED
    with pytest.raises(OSError, match="in use"):
        world.connect(link.now, Endpoint(FIRST, 80), client)
    got, echoes = [], []
    world.on_datagram = lambda *one: got.append(one)
    world.on_echo = lambda now, source, target, message: world.answer_echo(
        now, target, source, message, message.payload
    )
    socket = pod.datagrams(link.now, lambda *one: got.append(one))
    socket.send(link.now, b"question", Endpoint(FAR, 53))
    pod.echo(link.now, FAR, echoes.append)
    link.settle()
    assert got == [(b"question", Endpoint(FIRST, socket.local.port), Endpoint(FAR, 53))]
    assert [(one.source, one.type) for one in echoes] == [(FAR, icmp.ECHO_REPLY)]
    world.send_datagram(link.now, b"answer", Endpoint(FAR, 53), Endpoint(FIRST, socket.local.port))
    link.settle()
    assert got[1][:2] == (b"answer", Endpoint(FAR, 53))


def test_old_ends_may_meet_again_once_they_are_safe_to():
    link = Link()
    here, there, _ = connected(link)
    client, server = link.hosts
    there.connection.close()
    link.settle()
    here.connection.close()
    link.settle()
    assert (len(client.tcp.timewait), len(server.tcp.timewait)) == (0, 1)
    # The same ends again: the SYN is newer than what is remembered.
    link.settle(2.0)
    again = client.connect(link.now, Endpoint(SECOND, 80), here.local)
    link.settle()
    assert again.connection.state == states.ESTABLISHED
    assert len(server.tcp.timewait) == 0


def test_what_is_remembered_is_forgotten_after_a_minute():
    link = Link()
    here, there, _ = connected(link)
    here.connection.close()
    there.connection.close()
    link.settle()
    assert len(link.hosts[0].tcp.timewait) == 1
    link.settle(61.0)
    assert len(link.hosts[0].tcp.timewait) == 0
    assert all(host.deadline is None for host in link.hosts)


def test_a_router_that_wants_smaller_packets_gets_them():
    link = Link()
    here, there, _ = connected(link)
    told = []

    def narrow(frame: Frame) -> bool:
        size = frame.gso_size or len(frame.data) - 66
        if size <= 1000 - 52 or len(frame.data) < 200:
            return False
        if not told:
            packet = frame.data[14 : 14 + 576]
            message = icmp.error(icmp.UNREACHABLE, icmp.FRAGMENTATION_NEEDED, packet, mtu=1000)
            header = ipv4.header(NETWORK + 7, FIRST, ipv4.ICMP, len(message))
            data = ethernet.build(link.hosts[0].settings.mac, bytes(6), 0x800, header + message)
            told.append(Frame(data))
        return True

    link.lose = narrow
    here.connection.send(bytes(50_000))
    link.settle(0.01)
    link.hosts[0].receive(link.now, told[0])
    link.settle(1.0)
    assert there.connection.readable == 50_000
    assert here.connection.outbound.mss == 948


def test_ports_run_out_only_when_all_are_in_use(monkeypatch):
    monkeypatch.setattr(ports, "EPHEMERAL", (40000, 40049))
    link = Link()
    host = link.hosts[0]
    host.listen(link.now, 40007)
    used = {host.connect(link.now, Endpoint(NOBODY, 80)).local.port for _ in range(49)}
    assert used == set(range(40000, 40050)) - {40007}
    with pytest.raises(OSError, match="in use"):
        host.connect(link.now, Endpoint(NOBODY, 80))
    host.connect(link.now, Endpoint(NOBODY, 81))  # other ends, the same ports


def test_a_host_talks_to_itself_without_the_link():
    link = Link(1)
    host = link.hosts[0]
    listener = host.listen(link.now, 80)
    flow = host.connect(link.now, Endpoint(FIRST, 80))
    link.settle()
    there = listener.accept()
    flow.connection.send(b"x" * 200_000)
    link.settle(0.1)
    assert there.connection.readable == 200_000
    answers = []
    host.echo(link.now, FIRST, answers.append)
    link.settle()
    assert answers
    assert link.frames == []


def test_closing_a_host_resets_its_peers():
    link = Link()
    here, there, _ = connected(link)
    link.hosts[1].close()
    link.settle()
    assert here.connection.error == errno.ECONNRESET
    assert there.connection.error == errno.ENETDOWN


@given(st.lists(st.binary(max_size=120), max_size=30), st.integers(0, 1 << 32))
def test_no_frame_raises_or_is_kept(frames, seed):
    pelt(frames, random.Random(seed))


@pytest.mark.slow
def test_no_frame_of_millions_raises_or_is_kept(request):
    draw = random.Random(request.config.getoption("--fuzz-seed"))
    for _ in range(7000):
        pelt([draw.randbytes(draw.randrange(120)) for _ in range(100)], draw)


def pelt(frames: list[bytes], draw: random.Random) -> None:
    """Throw frames at a host that is in the middle of a connection."""
    link = Link()
    connected(link)
    host = link.hosts[1]
    host.on_unbound = lambda *_: True
    lead = host.settings.mac + link.hosts[0].settings.mac
    good = [one.data for one in link.frames[-3:]]
    for data in frames:
        kind = draw.choice([b"\x08\x00", b"\x08\x06", b"\x86\xdd"])
        spoiled = bytearray(draw.choice(good) + data)
        for _ in range(draw.randrange(4)):
            spoiled[draw.randrange(6, len(spoiled))] = draw.getrandbits(8)
        protocol = draw.choice([ipv4.TCP, ipv4.UDP, ipv4.ICMP, 99])
        fragment = draw.choice([0, 0x2000, 0x2005, 3])
        packet = ipv4.header(FIRST, SECOND, protocol, len(data), fragment=fragment) + data
        for raw in (lead + kind + data, bytes(spoiled), lead + b"\x08\x00" + packet):
            host.receive(link.now, Frame(raw, trusted=draw.random() < 0.5))
    host.pull(link.now)
    assert len(host._held) <= 256
    assert host.udp.find(SECOND, 53) is None


def test_answers_about_datagrams_are_few():
    link = Link()
    host = link.hosts[1]
    datagram = udp.build(FIRST, SECOND, 7, 7, b"")
    header = ipv4.header(FIRST, SECOND, ipv4.UDP, len(datagram))
    data = ethernet.build(host.settings.mac, bytes(6), ethernet.IPV4, header + datagram)
    host.neighbours.set(FIRST, mac.of_address(FIRST))
    for _ in range(500):
        host.receive(link.now, Frame(data))
    assert 40 <= len(host.pull(link.now)) <= 60


@pytest.mark.parametrize("seed", range(8))
def test_the_same_ends_connect_again_and_again(seed):
    """Sequence numbers and clocks grow between the same ends, whatever was drawn."""
    link = Link()
    link.hosts = [link.host(2 * seed + 1), link.host(2 * seed + 2)]
    client, server = link.hosts
    target = Endpoint(NETWORK + 2 * seed + 2, 80)
    listener = server.listen(link.now, 80)
    local = Endpoint(0, 40000)
    for _ in range(5):
        flow = client.connect(link.now, target, local)
        link.settle(0.01)
        assert flow.connection.state == states.ESTABLISHED
        listener.accept().connection.close()  # it remembers
        link.settle()
        flow.connection.close()
        link.settle(1.5)
    assert len(server.tcp.timewait) == 1


def test_a_stranger_who_has_old_ends_is_let_in_after_a_reset():
    """As behind a masquerade, where another host with another clock may get the same port."""
    link = Link()
    here, there, _ = connected(link)
    there.connection.close()
    link.settle()
    here.connection.close()
    link.settle()
    client = link.hosts[0]
    client.tcp._numbers.clock -= 1 << 30
    again = client.connect(link.now, Endpoint(SECOND, 80), here.local)
    link.settle(1.5)
    assert again.connection.state == states.ESTABLISHED
