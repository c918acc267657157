"""A control plane of several: its processes, what they are told, and files that ask for it."""

from pathlib import Path

import pytest

from cluster.api import marked_yaml
from cluster.launcher import plan, processes, state, topology, topology_file
from cluster.launcher.topology import Topology

FOLDER = state.Folder(Path("/home/me/.kubemu/demo"))
PORTS = plan.Ports(
    6443, 6444, servers=((6453, 6444), (6454, 6455)),
    members=((2379, 2380), (2381, 2382), (2383, 2384)),
)  # fmt: skip
HEAD = "apiVersion: kubemu.dev/v1alpha1\nkind: Cluster\n"
EXAMPLE = Path(__file__).parents[2] / "examples" / "ha.yaml"


def planned(wanted: Topology, ports: plan.Ports = PORTS) -> dict[str, processes.Process]:
    return {each.name: each for each in plan.plan(wanted, FOLDER, ports).processes}


def flags(process: processes.Process) -> dict[str, str]:
    return dict(flag.removeprefix("--").split("=", 1) for flag in process.argv[1:])


def test_several_are_numbered_and_one_keeps_its_name() -> None:
    found = planned(topology.several(topology.simple(1)))
    assert list(found)[:10] == [
        "etcd-1", "etcd-2", "etcd-3", "apiserver-1", "apiserver-2", "balancer",
        "scheduler-1", "scheduler-2", "controller-manager-1", "controller-manager-2",
    ]  # fmt: skip
    one = Topology(nodes=topology.numbered(1), etcd_members=1)
    names = list(planned(one, plan.Ports(1, 2, members=((3, 4),))))
    assert names[:4] == ["etcd", "apiserver", "scheduler", "controller-manager"]


def test_api_servers_share_the_members_and_clients_know_them_all() -> None:
    found = planned(topology.several(topology.simple(1)))
    first, second = flags(found["apiserver-1"]), flags(found["apiserver-2"])
    assert first["etcd-servers"] == second["etcd-servers"]
    assert first["etcd-servers"].count("https://127.0.0.1:") == 3
    assert (first["secure-port"], second["secure-port"]) == ("6453", "6454")
    assert "data-dir" not in first
    balancer = flags(found["balancer"])
    assert balancer["listen"] == "127.0.0.1:6443"
    assert balancer["backends"] == "127.0.0.1:6453,127.0.0.1:6454"
    assert PORTS.grpc_servers() == "127.0.0.1:6444,127.0.0.1:6455"
    assert PORTS.grpc_servers(3) == "127.0.0.1:6455,127.0.0.1:6444"


def test_members_know_each_other_and_keep_apart_what_they_store() -> None:
    found = planned(topology.several(topology.simple(1)))
    told = [flags(found[f"etcd-{number}"]) for number in (1, 2, 3)]
    assert len({each["initial-cluster"] for each in told}) == 1
    assert len({each["data-dir"] for each in told}) == 3
    for each in told:
        assert f"{each['name']}={each['initial-advertise-peer-urls']}" in each["initial-cluster"]
        assert each["client-cert-auth"] == each["peer-client-cert-auth"] == "true"


def test_several_of_a_kind_elect_a_leader_and_one_does_not() -> None:
    several = planned(topology.several(topology.simple(1)))
    assert flags(several["scheduler-2"])["leader-elect"] == "true"
    assert flags(several["controller-manager-1"])["leader-elect"] == "true"
    alone = planned(topology.simple(1), plan.Ports(6443, 6444))
    assert "leader-elect" not in flags(alone["scheduler"])
    assert "balancer" not in alone


def test_what_others_depend_on_is_stopped_last() -> None:
    found = planned(topology.several(topology.simple(1)))
    rounds = [[each.name for each in one] for one in processes.rounds(found.values())]
    assert rounds[-1] == ["etcd-1", "etcd-2", "etcd-3"]
    assert {"apiserver-1", "apiserver-2"} <= set(rounds[-2])


def test_each_speaks_for_itself_as_in_kubernetes() -> None:
    found = plan.subjects(topology.several(topology.simple(1)))
    assert found["scheduler-1"] == found["scheduler-2"]
    assert found["scheduler-1"].user == "system:kube-scheduler"


def test_the_example_is_what_ha_means() -> None:
    found = topology_file.load(EXAMPLE)
    meant = topology.several(topology.simple())
    for field in ("apiservers", "schedulers", "controller_managers", "etcd_members"):
        assert getattr(found, field) == getattr(meant, field)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("controlPlane: {apiservers: 2}\n", "several API servers need a store that they share"),
        ("controlPlane: {apiserver: 2}\netcd: {}\n", "apiserver"),
        ("controlPlane: {schedulers: 0}\n", "schedulers"),
        ("etcd: {members: 100}\n", "members"),
    ],
)
def test_files_that_ask_for_what_cannot_be(body: str, complaint: str) -> None:
    with pytest.raises(marked_yaml.InvalidFile, match=complaint):
        topology_file.parse(HEAD + body, "cluster.yaml")


def test_members_with_data_keep_their_ports(tmp_path: Path) -> None:
    folder = state.Folder(tmp_path / "demo")
    folder.prepare()
    assert folder.member_ports() == []
    folder.keep_member_ports(PORTS.members)
    assert folder.member_ports() == [*PORTS.members]
