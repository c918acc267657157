"""A cluster that runs may be asked for again, ports included; with other ones it is another."""

import dataclasses

import pytest

from cluster.cli.commands import up
from cluster.launcher import addressing, plan, resolvers, state, topology

PLAIN = topology.simple(1)
SEVERAL = topology.several(PLAIN)


@pytest.fixture
def folder(tmp_path):
    made = state.Folder(tmp_path / "kubemu")
    made.prepare()
    return made


def start(wanted, folder):
    """Write down what a cluster that was started has: API server at 6443, registry at 5000."""
    addresses = addressing.Addresses(7)
    addressing.keep(folder.addresses, addresses)
    several = wanted.apiservers > 1
    places = ((6445, 6444), (6446, 6447)) if several else ()
    members = ((2379, 2380), (2381, 2382), (2383, 2384)) if several else ()
    chosen = plan.Ports(
        6443, 6444, 5000, places, members, addresses, resolvers.of_machine()
    )  # fmt: skip
    folder.plan.write_bytes(plan.plan(wanted, folder, chosen).encode())


@pytest.mark.parametrize("wanted", [PLAIN, SEVERAL])
@pytest.mark.parametrize(
    "ports",
    [
        {},
        {"api_port": 6443},
        {"grpc_port": 6444},
        {"api_port": 6443, "grpc_port": 6444, "registry_port": 5000},
    ],
)
def test_the_ports_that_it_has_are_no_difference(wanted, ports, folder):
    start(wanted, folder)
    up.check_same(dataclasses.replace(wanted, **ports), folder)


@pytest.mark.parametrize(
    ("wanted", "ports", "said"),
    [
        (PLAIN, {"api_port": 6450}, "apiserver runs with --secure-port=6443, apiserver runs wi"),
        (PLAIN, {"api_port": 6443, "grpc_port": 6450}, "apiserver runs with --grpc-port=6444, "),
        (PLAIN, {"registry_port": 5001}, "registry runs with --port=5000, registry runs without"),
        (SEVERAL, {"api_port": 6445}, "balancer runs with --listen=127.0.0.1:6443, balancer ru"),
        (SEVERAL, {"grpc_port": 6450}, "apiserver-1 runs with --grpc-port=6444, apiserver-1 r"),
    ],
)  # fmt: skip
def test_another_port_is_told(wanted, ports, said, folder):
    start(wanted, folder)
    with pytest.raises(up.Exists) as caught:
        up.check_same(dataclasses.replace(wanted, **ports), folder)
    assert f"is running already, and not like this ({said}" in str(caught.value)
    assert "more" not in str(caught.value)
