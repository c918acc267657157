"""Plans: a topology's processes, their flags, identities and certificates' names."""

from dataclasses import replace
from pathlib import Path

from cluster.launcher import nodesofplan, plan, state, topology
from cluster.launcher.addressing import Addresses
from cluster.launcher.processes import Process
from cluster.launcher.topology import HollowGroup, Node, Size, Topology

FOLDER = state.Folder(Path("/home/me/.kubemu/demo"))
PORTS = plan.Ports(6443, 6444)


def processes(wanted: Topology) -> dict[str, Process]:
    return {process.name: process for process in plan.plan(wanted, FOLDER, PORTS).processes}


def flags(process: Process) -> dict[str, str]:
    assert process.argv[0] == process.component
    return dict(flag.removeprefix("--").split("=", 1) for flag in process.argv[1:])


def test_three_nodes_and_a_registry_are_thirteen_processes_with_logs_of_their_own() -> None:
    found = processes(topology.simple())
    assert list(found) == [
        "apiserver", "scheduler", "controller-manager", "registry",
        *(f"{kind}-node-{n}" for n in (1, 2, 3) for kind in ("runtime", "kubelet", "kube-proxy")),
    ]  # fmt: skip
    assert len({process.log for process in found.values()}) == 13


def test_the_api_server_and_the_runtimes_are_stopped_last() -> None:
    found = processes(topology.simple(1))
    assert found["apiserver"].after == ()
    assert found["kubelet-node-1"].after == ("apiserver", "runtime-node-1")
    assert found["scheduler"].after == ("apiserver",)


def test_kubelet_and_proxy_reach_the_runtime_of_their_node() -> None:
    found = processes(topology.simple(2))
    listens = flags(found["runtime-node-2"])["listen"]
    assert listens.startswith("unix:/")
    assert flags(found["kubelet-node-2"])["container-runtime-endpoint"] == listens
    assert flags(found["kube-proxy-node-2"])["dataplane-endpoint"] == listens
    assert flags(found["kubelet-node-1"])["container-runtime-endpoint"] != listens


def test_the_nodes_of_a_plan_are_known_and_those_that_are_gone() -> None:
    many = Topology(nodes=(Node("a"), Node("b")), hollow=(HollowGroup(3, prefix="h"),))
    few = Topology(nodes=(Node("b"), Node("c")), hollow=(HollowGroup(1, prefix="h"),))
    before, now = (list(processes(each).values()) for each in (many, few))
    assert list(nodesofplan.names(before)) == ["a", "b", "h-0", "h-1", "h-2"]
    assert nodesofplan.gone(before, now) == ["a", "h-1", "h-2"]
    assert nodesofplan.gone(now, before) == ["c"]


def test_a_node_registers_with_its_size_labels_and_taints() -> None:
    node = Node("big", Size("32", "128Gi", 250), {"a": "b", "zone": "x"}, ("gpu=yes:NoSchedule",))
    found = flags(processes(Topology(nodes=(node,)))["kubelet-big"])
    assert (found["cpu"], found["memory"], found["max-pods"]) == ("32", "128Gi", "250")
    assert found["node-labels"] == "a=b,zone=x"
    assert found["register-with-taints"] == "gpu=yes:NoSchedule"


def test_hollow_groups_are_shared_out_and_addresses_go_on() -> None:
    wanted = Topology(
        hollow=(HollowGroup(2500, "h", per_process=1000, zones=("a", "b")), HollowGroup(10, "g"))
    )
    found = processes(wanted)
    shares = [
        (name, flags(found[name])["hollow"], flags(found[name])["hollow-start"])
        for name in found
        if name.startswith("kubelet")
    ]
    assert shares == [
        ("kubelet-h-0", "1000", "0"), ("kubelet-h-1", "1000", "1000"),
        ("kubelet-h-2", "500", "2000"), ("kubelet-g", "10", "0"),
    ]  # fmt: skip
    shared = [flags(found[name])["overlay-address"] for name in found if name.startswith("kubelet")]
    assert shared == ["127.1.192.1", "127.1.192.2", "127.1.192.3", "127.1.192.4"]
    assert flags(found["kubelet-g"])["cluster-cidr"] == wanted.cluster_cidr
    assert flags(found["kubelet-h-1"])["hollow-zones"] == "a,b"
    assert flags(found["kubelet-h-1"])["node-ip"] == "10.128.0.1"
    assert flags(found["kubelet-g"])["node-ip"] == "10.128.9.197"


def test_the_version_that_is_asked_for_reaches_every_part_that_differs_by_it() -> None:
    one = topology.simple(1)
    found = processes(topology.changed(one, hollow=1, kubernetes_version="1.30"))
    told = {name for name in found if flags(found[name]).get("kubernetes-version") == "1.30"}
    parts = {"apiserver", "controller-manager", "scheduler"}
    assert told == parts | {"kubelet-node-1", "kubelet-hollow"}


def test_the_topologys_flags_win() -> None:
    wanted = Topology(
        nodes=topology.numbered(1),
        flags={
            "controller-manager": {
                "node-monitor-grace-period": "10s",
                "cluster-cidr": "10.9.0.0/16",
            }
        },
    )
    found = flags(processes(wanted)["controller-manager"])
    assert found["node-monitor-grace-period"] == "10s"
    assert found["cluster-cidr"] == "10.9.0.0/16"


def test_balancers_have_addresses_of_the_clusters_own_range() -> None:
    wanted = Topology(nodes=topology.numbered(1))
    found = flags(processes(wanted)["controller-manager"])
    assert found["load-balancer-pool"] == Addresses().load_balancers == "127.1.252.0/22"


def test_every_process_with_a_kubeconfig_has_an_identity_as_in_kubernetes() -> None:
    wanted = Topology(nodes=topology.numbered(1), hollow=(HollowGroup(5),))
    known = plan.subjects(wanted)
    used = {
        Path(flags(process)["kubeconfig"]).stem
        for process in processes(wanted).values()
        if "kubeconfig" in flags(process)
    }
    assert used == set(known)
    assert known["kubelet-node-1"].user == "system:node:node-1"
    assert known["kubelet-node-1"].groups == ("system:nodes",)
    assert known["scheduler"].user == "system:kube-scheduler"


def test_the_api_servers_certificate_covers_its_names_and_the_service_address() -> None:
    hosts = plan.hosts(Topology(service_cidr="10.2.0.0/16"), Addresses(7), ("example",))
    assert {
        "localhost",
        "127.0.0.1",
        "::1",
        "kubernetes.default.svc",
        "10.2.0.1",
        "127.7.0.1",
        "example",
    } <= set(hosts)


def test_each_node_has_an_address_of_its_own_that_all_its_processes_know() -> None:
    ports = plan.Ports(1, 2, addresses=Addresses(7))
    made = plan.plan(topology.simple(2), FOLDER, ports).processes
    found = {process.name: flags(process) for process in made}
    assert found["kubelet-node-1"]["node-ip"] == found["runtime-node-1"]["node-ip"] == "127.7.0.2"
    assert found["kubelet-node-2"]["node-ip"] == found["kubelet-node-2"]["address"] == "127.7.0.3"
    runtime = found["runtime-node-2"]
    assert (runtime["vxlan-port"], runtime["cable-port"]) == ("4789", "4790")
    assert runtime["host-gateway"] == found["apiserver"]["advertise-address"] == "127.7.0.1"
    assert "advertise-kubelet-address" not in found["kubelet-node-1"]


def test_the_network_s_agents_are_told_its_back_end_and_ranges() -> None:
    wanted = topology.changed(topology.simple(1), network_backend="routed")
    given = flags(processes(wanted)["kube-proxy-node-1"])
    assert given["network-backend"] == "routed"
    assert given["cluster-cidr"] == wanted.cluster_cidr
    assert given["service-cluster-ip-range"] == wanted.service_cidr


def test_where_the_machine_has_no_addresses_for_nodes_they_are_reached_by_ports() -> None:
    ports = plan.Ports(1, 2, addresses=Addresses(7, False, 0, 0))
    made = plan.plan(topology.simple(1), FOLDER, ports).processes
    found = {process.name: flags(process) for process in made}
    kubelet, runtime = found["kubelet-node-1"], found["runtime-node-1"]
    assert kubelet["node-ip"] == runtime["node-ip"] == "127.7.0.2"
    assert kubelet["address"] == kubelet["advertise-kubelet-address"] == plan.LOOPBACK
    assert (runtime["underlay-address"], runtime["vxlan-port"]) == (plan.LOOPBACK, "0")


def test_the_same_topology_gives_the_same_plan() -> None:
    wanted = topology.simple(2)
    assert plan.plan(wanted, FOLDER, PORTS) == plan.plan(wanted, FOLDER, PORTS)


def test_every_kubelet_serves_the_api_server_by_a_certificate_of_its_own() -> None:
    wanted = Topology(nodes=(Node("n"),), hollow=(HollowGroup(5, "h"),))
    found = processes(wanted)
    certificates = plan.kubelets(wanted, Addresses())
    assert list(certificates) == ["kubelet-n", "kubelet-h"]
    for name, address in (("kubelet-n", "127.1.0.2"), ("kubelet-h", plan.LOOPBACK)):
        given = flags(found[name])
        assert given["tls-cert-file"].endswith(f"pki/{name}.crt")
        assert given["client-ca-file"].endswith("pki/ca.crt")
        assert (given["address"], given["port"]) == (address, "0")
        assert address in certificates[name]
    assert flags(found["kubelet-n"])["pod-logs-dir"] == str(FOLDER.node_logs("n"))
    assert flags(found["kubelet-n"])["root-dir"] == str(FOLDER.node_root("n"))
    assert flags(found["kubelet-n"])["cluster-dns"] == "10.96.0.10"
    assert flags(found["kubelet-h"])["advertise-kubelet-address"] == plan.LOOPBACK


def test_the_scheduler_tells_of_its_attempts_on_a_socket_and_reads_its_configuration() -> None:
    plain = flags(processes(topology.simple())["scheduler"])
    assert plain["listen"] == f"unix:{FOLDER.socket('scheduler')}"
    assert "config" not in plain
    wanted = topology.changed(topology.simple(), scheduler_config="/etc/scheduler.yaml")
    assert flags(processes(wanted)["scheduler"])["config"] == "/etc/scheduler.yaml"


def test_whoever_runs_containers_knows_what_images_do() -> None:
    wanted = topology.Topology(
        nodes=(topology.Node("n"),), hollow=(topology.HollowGroup(1, prefix="h"),)
    )
    told = processes(topology.changed(wanted, image_scripts="/etc/images.yaml"))
    for name in ("runtime-n", "kubelet-h"):
        assert "image-scripts" not in flags(processes(wanted)[name])
        assert flags(told[name])["image-scripts"] == "/etc/images.yaml"
    assert "image-scripts" not in flags(told["kubelet-n"])


def test_each_process_has_a_clock_of_its_own_where_that_is_wanted() -> None:
    found = processes(replace(topology.simple(1), clocks=True))
    for name, process in found.items():
        assert Path(flags(process)["clock-file"]).name == f"{name}.clock"
    assert not any("clock-file" in flags(one) for one in processes(topology.simple(1)).values())
