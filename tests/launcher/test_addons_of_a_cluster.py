"""What a cluster has besides its components: names by default, ingress where it is asked for."""

from pathlib import Path

import pytest

from cluster.api import marked_yaml
from cluster.launcher import plan, resolvers, state, topology, topology_file

HEAD = "apiVersion: kubemu.dev/v1alpha1\nkind: Cluster\n"


def addons(wanted: topology.Topology, tmp_path: Path) -> str:
    made = plan.plan(wanted, state.Folder(tmp_path), plan.Ports(6443, 6444))
    (api,) = [each for each in made.processes if each.component == "apiserver"]
    told = [flag for flag in api.argv if flag.startswith("--addons=")]
    return told[0].removeprefix("--addons=") if told else ""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "dns"),
        ("dns: false\n", ""),
        ("addons: [ingress]\n", "dns,ingress"),
        ("dns: false\naddons: [ingress, ingress]\n", "ingress"),
        ("hollow: [{count: 3}]\n", ""),
    ],
)
def test_a_cluster_file_says_what_there_is(text: str, told: str, tmp_path: Path) -> None:
    assert addons(topology_file.parse(HEAD + text, "c.yaml"), tmp_path) == told


def test_an_addon_that_nobody_has_is_refused() -> None:
    with pytest.raises(marked_yaml.InvalidFile, match="must be one of ingress"):
        topology_file.parse(HEAD + "addons: [istio]\n", "c.yaml")


def test_flags_change_what_a_file_says(tmp_path: Path) -> None:
    wanted = topology.changed(topology.simple(), dns=False, addons=("ingress",))
    assert addons(wanted, tmp_path) == "ingress"


def test_kubelets_are_told_the_machines_resolver(tmp_path: Path) -> None:
    ports = plan.Ports(6443, 6444, resolver="/etc/resolv.conf")
    wanted = topology.changed(topology.simple(), hollow=2)
    made = plan.plan(wanted, state.Folder(tmp_path), ports)
    told = [each.argv for each in made.processes if each.component == "kubelet"]
    assert all("--resolv-conf=/etc/resolv.conf" in argv for argv in told)
    assert resolvers.of_machine() in ("", "/etc/resolv.conf", "/run/systemd/resolve/resolv.conf")
