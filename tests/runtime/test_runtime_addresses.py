import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.runtime import addresses


def pool(cidr: str) -> addresses.Pool:
    return addresses.Pool(addresses.networks(cidr)[0])


def test_addresses_start_after_the_bridge_and_go_round():
    found = pool("10.244.1.0/29")
    taken = [found.take() for _ in range(5)]
    assert taken == [f"10.244.1.{number}" for number in range(2, 7)]
    with pytest.raises(addresses.Exhausted, match=r"range set: 10\.244\.1\.1-10\.244\.1\.6"):
        found.take()
    found.give_back("10.244.1.4")
    found.give_back("10.244.1.4")
    assert found.take() == "10.244.1.4"


def test_a_free_address_rests_until_all_others_had_their_turn():
    found = pool("10.0.0.0/24")
    first = found.take()
    found.give_back(first)
    assert found.take() == "10.0.0.3"


@pytest.mark.parametrize("cidr", ["10.0.0.0/33", "ten", "", "10.0.0.0/24,x"])
def test_what_is_no_cidr_is_refused(cidr):
    with pytest.raises(ValueError, match="is no pod CIDR"):
        addresses.networks(cidr)


@given(st.sampled_from(["10.1.0.0/27", "fd00:7::/123"]), st.lists(st.integers(0, 40), max_size=120))
def test_nobody_ever_shares_an_address(cidr, moves):
    network = ipaddress.ip_network(cidr)
    found = pool(cidr)
    held: list[str] = []
    for move in moves:
        if held and move % 3 == 0:
            found.give_back(held.pop(move % len(held)))
            continue
        try:
            taken = found.take()
        except addresses.Exhausted:
            assert len(held) >= network.num_addresses - 3
            continue
        assert taken not in held
        assert ipaddress.ip_address(taken) in network
        held.append(taken)
