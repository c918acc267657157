"""The tables of a node's data plane: forwarding database, neighbours, routes, peers."""

import pytest
from datapathnodes import ip

from cluster.network.stack import fdb, neigh
from cluster.network.stack.fdb import Fdb
from cluster.network.stack.neigh import Neighbours
from cluster.network.stack.peers import Peer, Peers
from cluster.network.stack.router import BRIDGE, TUNNEL, WIRE, Route, Routes
from cluster.network.wire import addresses
from cluster.network.wire.addresses import Prefix

ONE, TWO = b"\x02\x00\x00\x00\x00\x01", b"\x02\x00\x00\x00\x00\x02"


def test_learned_macs_age_and_move_and_told_ones_do_not() -> None:
    table = Fdb()
    table.add(0.0, ONE, "a")
    table.learn(0.0, ONE, "b")
    table.learn(0.0, TWO, "b")
    assert [table.port(1.0, mac) for mac in (ONE, TWO)] == ["a", "b"]
    table.learn(10.0, TWO, "c")
    assert table.port(fdb.AGEING + 5, TWO) == "c"
    assert [row.mac for row in table.rows(fdb.AGEING + 11)] == [ONE]
    assert table.port(fdb.AGEING + 11, TWO) is None
    assert table.port(1e9, ONE) == "a"
    table.remove(ONE, "other")
    assert table.port(1e9, ONE) == "a"
    table.remove(ONE, "a")
    assert table.port(1e9, ONE) is None


def test_a_port_takes_what_was_learned_there_along() -> None:
    table = Fdb()
    table.learn(0.0, ONE, "a")
    table.learn(0.0, TWO, "b")
    table.forget("a")
    assert [row.port for row in table.rows(0.0)] == ["b"]
    table.learn(0.0, b"\xff" * 6, "b")
    assert len(list(table.rows(0.0))) == 1


def test_a_full_database_makes_room_by_age_alone() -> None:
    table = Fdb()
    for number in range(fdb.LARGEST):
        table.learn(number / 1000, b"\x06" + number.to_bytes(5, "big"), "a")
    table.learn(10.0, ONE, "b")
    assert table.port(10.0, ONE) is None
    table.learn(fdb.AGEING + 1.0, ONE, "b")
    assert table.port(fdb.AGEING + 1.0, ONE) == "b"


def test_an_address_is_asked_for_three_times_a_second_apart() -> None:
    table: Neighbours[str] = Neighbours()
    assert table.ask(0.0, 5, "p") == (True, 0)
    assert table.ask(0.1, 5, "q") == (False, 0)
    asked = []
    while (due := table.deadline) is not None:
        again, failed = table.tick(due)
        asked.append((due, again, [(one.address, one.waiting) for one in failed]))
    assert asked == [(1.0, [5], []), (2.0, [5], []), (3.0, [], [(5, ["p", "q"])])]


def test_answers_release_what_waits_and_hold_for_a_minute() -> None:
    table: Neighbours[str] = Neighbours()
    table.ask(0.0, 5, "p")
    assert table.learn(0.5, 5, ONE, asked_for=True) == ["p"]
    assert table.mac(1.0, 5) == ONE
    assert table.learn(2.0, 5, TWO, asked_for=False) == []
    assert table.mac(2.0, 5) == ONE
    table.learn(3.0, 5, TWO, asked_for=True)
    assert table.mac(3.0, 5) == TWO
    assert table.mac(3.1 + neigh.REACHABLE, 5) is None
    assert [row.state for row in table.rows(3.1 + neigh.REACHABLE)] == ["STALE"]
    assert table.learn(0.0, 6, ONE, asked_for=True) == []
    assert table.mac(0.0, 6) is None


def test_what_is_told_of_a_neighbour_outdoes_arp() -> None:
    table: Neighbours[str] = Neighbours()
    table.ask(0.0, 5, "p")
    assert table.set(5, ONE) == ["p"]
    assert table.learn(0.0, 5, TWO, asked_for=True) == []
    assert table.mac(1e9, 5) == ONE
    table.unset(5, TWO)
    assert table.mac(0.0, 5) == ONE
    table.unset(5, ONE)
    assert table.mac(0.0, 5) is None


def test_few_packets_wait_for_an_address_and_few_addresses_are_asked_for() -> None:
    table: Neighbours[int] = Neighbours()
    lost = sum(table.ask(0.0, 5, number)[1] for number in range(neigh.WAITING + 3))
    assert lost == 3
    assert table.learn(0.0, 5, ONE, asked_for=True) == list(range(3, neigh.WAITING + 3))
    asked = [table.ask(0.0, 100 + number, 0) for number in range(neigh.UNRESOLVED + 1)]
    assert asked[-2:] == [(True, 0), (False, 1)]


def test_what_waits_for_all_addresses_together_is_bounded_in_bytes() -> None:
    table: Neighbours[int] = Neighbours()
    half = neigh.WAITING_BYTES // 2
    assert table.ask(0.0, 1, 1, half) == (True, 0)
    assert table.ask(0.0, 2, 2, half) == (True, 0)
    assert table.ask(0.0, 3, 3, 1) == (False, 1)
    assert table.ask(0.0, 1, 3, 1) == (False, 1)
    assert table.learn(0.0, 1, ONE, asked_for=True) == [1]
    assert table.ask(0.0, 3, 3, half) == (True, 0)
    for due in (1.0, 2.0, 3.0):
        _, failed = table.tick(due)
    assert [one.waiting for one in failed] == [[2], [3]]
    assert [table.ask(4.0, 5, one, half)[1] for one in (5, 6, 7)] == [0, 0, 1]
    for number in range(neigh.WAITING):
        table.ask(4.0, 6, number)
    assert table.ask(4.0, 6, 99) == (False, 1)


@pytest.mark.parametrize(
    ("address", "device"),
    [
        ("10.244.1.7", BRIDGE),
        ("10.244.2.7", TUNNEL),
        ("10.244.2.9", BRIDGE),
        ("192.0.2.1", WIRE),
        ("10.244.1.255", BRIDGE),
        ("10.245.0.0", WIRE),
    ],
)
def test_the_longest_prefix_leads(address: str, device: str) -> None:
    routes = Routes(
        [
            Route(Prefix(0, 0), WIRE),
            Route(addresses.prefix("10.244.0.0/16"), TUNNEL),
            Route(addresses.prefix("10.244.1.0/24"), BRIDGE),
            Route(addresses.prefix("10.244.2.9/32"), BRIDGE),
        ]
    )
    found = routes.find(ip(address))
    assert found is not None
    assert found.device == device


def test_without_a_route_nothing_is_found() -> None:
    routes = Routes([Route(addresses.prefix("10.244.1.0/24"), BRIDGE)])
    assert routes.find(ip("10.244.2.1")) is None
    assert [str(route) for route in routes.rows()] == ["10.244.1.0/24 dev cni0 scope link"]


def _peer(number: int, host: str = "", port: int = 4789) -> Peer:
    network = Prefix(ip(f"10.244.{number}.0"), 24)
    return Peer(f"n{number}", ip(f"127.9.0.{number}"), network, ONE, host=host, port=port)


def test_senders_are_known_by_address_and_where_hosts_are_shared_by_port() -> None:
    alone = Peers([_peer(1), _peer(2)])
    assert alone.sender(("127.9.0.1", 4789)) == _peer(1)
    assert alone.sender(("127.9.0.2", 55555)) is None
    kernel = _peer(3, "192.0.2.3")
    assert Peers([_peer(1), kernel]).sender(("192.0.2.3", 55555)) == kernel
    assert alone.sender(("127.9.0.3", 4789)) is None
    shared = Peers([_peer(1, "127.0.0.1", 5001), _peer(2, "127.0.0.1", 5002)])
    assert shared.sender(("127.0.0.1", 5002)) == _peer(2, "127.0.0.1", 5002)
    assert shared.sender(("127.0.0.1", 5003)) is None
    assert shared.sender(("127.9.0.1", 5001)) is None


def test_two_peers_of_one_name_are_refused_and_nothing_changes() -> None:
    peers = Peers([_peer(1)])
    with pytest.raises(ValueError, match="same name"):
        peers.replace([_peer(2), _peer(2)])
    assert list(peers) == [_peer(1)]
