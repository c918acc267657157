"""Addresses of nodes: a range of loopback addresses that no other cluster has."""

import socket

import pytest

from cluster.launcher import addressing, ports
from cluster.launcher.addressing import Addresses


def everything(_name: str) -> bool:
    return True


def test_a_cluster_keeps_its_range_and_others_take_another(tmp_path):
    path = tmp_path / "addresses.json"
    assert addressing.kept(path) is None
    with ports.Claims(tmp_path / "claims") as one, ports.Claims(tmp_path / "claims") as other:
        first = addressing.choose("demo", None, one.claim)
        addressing.keep(path, first)
        assert addressing.kept(path) == first
        second = addressing.choose("demo", None, other.claim)
        assert second.cluster != first.cluster  # the next, unless a cluster of this machine has it
    with ports.Claims(tmp_path / "claims") as later:
        assert addressing.choose("renamed", first, later.claim) == first


def test_addresses_of_nodes_hollow_processes_and_balancers_are_apart():
    some = Addresses(9)
    assert some.gateway == "127.9.0.1"
    assert [some.node(number) for number in (0, 1, 254, 9999)] == [
        "127.9.0.2", "127.9.0.3", "127.9.1.0", "127.9.39.17",
    ]  # fmt: skip
    assert some.hollow(0) == some.hollow_underlay(0) == "127.9.192.1"
    assert Addresses(9, own=False).hollow_underlay(0) == "127.0.0.1"
    assert some.load_balancers == "127.9.252.0/22"


def test_a_range_where_somebody_receives_is_left_to_him():
    free = addressing.choose("demo", None, everything)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        if not free.own or not free.cable_port:
            pytest.skip("this machine has no addresses or ports for nodes")
        stranger.bind((free.node(0), free.cable_port))
        assert addressing.choose("demo", free, everything).cluster != free.cluster


def test_a_port_that_the_whole_machine_lost_is_another_program_s():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as device:
        try:
            device.bind(("", addressing.VXLAN_PORT))
        except OSError:
            pytest.skip("the port is in use")
        assert addressing.choose("demo", None, everything).vxlan_port == 0


def test_none_free_is_said():
    with pytest.raises(addressing.NoRange, match="kubemu down"):
        addressing.choose("demo", None, lambda _name: False)
