"""From a topology to the processes of `kubemu up`: pure. What compose starts is the same commands.

Every component is told its kubeconfig, and nothing is found by a shared folder or by luck. Ports
are chosen before, for a pure function cannot know which are free. It is long because it is one
table: what each component is told, and what several of them are told alike.
"""

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from cluster.launcher import pki, state, topology
from cluster.launcher.addressing import Addresses
from cluster.launcher.processes import Plan, Process
from cluster.launcher.topology import Topology

LOOPBACK: Final = "127.0.0.1"
# Hollow nodes have addresses of their own, which nothing listens on.
_FIRST_HOLLOW: Final = ipaddress.IPv4Address("10.128.0.1")
_MASTERS: Final = "system:masters"
_NODES: Final = "system:nodes"
# A hollow process speaks for many nodes: RBAC lets this group do what the Node authorizer lets
# a node do (apiserver/authz/policy/components.py).
_HOLLOW: Final = "kubemu:hollow-nodes"

METRICS_PORT: Final = 9100
"""Of a node's data plane; node_exporter's."""
APISERVER: Final = "apiserver"
SCHEDULER: Final = "scheduler"
CONTROLLER_MANAGER: Final = "controller-manager"
REGISTRY: Final = "registry"
ETCD: Final = "etcd"
BALANCER: Final = "balancer"
ETCD_CLIENT: Final = "apiserver-etcd-client"
"""The name of the certificate that API servers show to etcd: kubeadm's."""
ETCD_CLIENT_SUBJECT: Final = pki.Subject("kube-apiserver-etcd-client")
ETCD_SERVER: Final = "server"
ETCD_PEER: Final = "peer"
"""What members show to clients, and to each other: kubeadm's names."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the API server listens: REST over TLS, and gRPC; and the registry, 0 without one; and
    where the nodes are. Of several API servers `servers` has REST and gRPC of each, and `api` is
    the balancer's; `members` are the ports of etcd's members, for clients and for each other.
    """

    api: int
    grpc: int
    registry: int = 0
    servers: tuple[tuple[int, int], ...] = ()
    members: tuple[tuple[int, int], ...] = ()
    addresses: Addresses = field(default_factory=Addresses)
    resolver: str = ""
    """The machine's resolv.conf, which pods of the DNS policy Default have; "": they have none."""

    def grpc_servers(self, first: int = 0) -> str:
        """The gRPC addresses of all API servers, with commas between, beginning with one."""
        found = [f"{LOOPBACK}:{grpc}" for _, grpc in self.servers] or [f"{LOOPBACK}:{self.grpc}"]
        start = first % len(found)
        return ",".join(found[start:] + found[:start])

    @property
    def registry_names(self) -> tuple[str, ...]:
        """What images of the registry are called by: `localhost:5000/NAME`."""
        return f"localhost:{self.registry}", f"{LOOPBACK}:{self.registry}"


def plan(wanted: Topology, folder: state.Folder, ports: Ports) -> Plan:
    """The processes of a cluster, in the order of `kubemu ps`."""
    processes = (
        *_etcd(wanted, folder, ports),
        *_apiservers(wanted, folder, ports),
        *(_balancer(wanted, folder, ports) if wanted.apiservers > 1 else ()),
        *(_scheduler(wanted, folder, name) for name in schedulers(wanted)),
        *(
            _controller_manager(wanted, folder, ports.addresses, name)
            for name in controller_managers(wanted)
        ),
        *(_registry(wanted, folder, ports) if wanted.registry else ()),
        *(
            process
            for position, node in enumerate(wanted.nodes)
            for process in _node(wanted, folder, position, node, ports)
        ),
        *(process for group in wanted.hollow for process in _hollow(wanted, folder, group, ports)),
    )
    return Plan(wanted.name, str(folder.socket("control")), str(folder.socket("notify")), processes)


def apiservers(wanted: Topology) -> tuple[str, ...]:
    """The processes that are API servers."""
    return topology.named(APISERVER, wanted.apiservers)


def schedulers(wanted: Topology) -> tuple[str, ...]:
    """The processes that are schedulers."""
    return topology.named(SCHEDULER, wanted.schedulers)


def controller_managers(wanted: Topology) -> tuple[str, ...]:
    """The processes that are controller managers."""
    return topology.named(CONTROLLER_MANAGER, wanted.controller_managers)


def etcd(wanted: Topology) -> tuple[str, ...]:
    """The members of etcd."""
    return topology.named(ETCD, wanted.etcd_members) if wanted.etcd_members else ()


def subjects(wanted: Topology) -> dict[str, pki.Subject]:
    """Whom each kubeconfig speaks for, by the kubeconfig's name; identities as in Kubernetes."""
    found = {
        **dict.fromkeys(schedulers(wanted), pki.Subject("system:kube-scheduler")),
        **dict.fromkeys(controller_managers(wanted), pki.Subject("system:kube-controller-manager")),
        "kube-proxy": pki.Subject("system:kube-proxy", ("system:node-proxier",)),
    }
    for node in wanted.nodes:
        found[f"kubelet-{node.name}"] = pki.Subject(f"system:node:{node.name}", (_NODES,))
    for name, _, _ in _shares(wanted):
        found[f"kubelet-{name}"] = pki.Subject(f"kubemu:hollow-node:{name}", (_HOLLOW,))
    return found


KUBELET_CLIENT: Final = "apiserver-kubelet-client"
"""The name of the certificate that the API server shows to kubelets: kubeadm's."""
KUBELET_CLIENT_SUBJECT: Final = pki.Subject("kube-apiserver-kubelet-client", (_MASTERS,))
FRONT_PROXY: Final = "front-proxy-client"
"""The name of the certificate that extension servers are shown, and its subject: kubeadm's."""
FRONT_PROXY_SUBJECT: Final = pki.Subject("front-proxy-client")
ADMINISTRATOR: Final = pki.Subject("kubernetes-admin", (_MASTERS,))


def hosts(wanted: Topology, addresses: Addresses, more: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The names and addresses under which the API server's certificate is valid."""
    service = str(ipaddress.ip_network(wanted.service_cidr)[1])
    inside = ("kubernetes", "kubernetes.default", "kubernetes.default.svc")
    domain = "kubernetes.default.svc.cluster.local"
    return ("localhost", LOOPBACK, "::1", *inside, domain, service, addresses.gateway, *more)


def dns_address(wanted: Topology) -> str:
    """The address of the cluster's DNS service: the tenth of its range, as with kubeadm."""
    addresses = ipaddress.ip_network(wanted.service_cidr)
    return str(addresses[min(10, addresses.num_addresses - 2)])


def kubelets(wanted: Topology, addresses: Addresses) -> dict[str, tuple[str, ...]]:
    """Each kubelet process, and the names and addresses under which its certificate is valid."""
    found = {
        f"kubelet-{node.name}": (node.name, addresses.node(position), LOOPBACK)
        for position, node in enumerate(wanted.nodes)
    }
    return found | {f"kubelet-{name}": (name, LOOPBACK) for name, _, _ in _shares(wanted)}


def _serving(folder: state.Folder, kubelet: str, address: str) -> dict[str, str]:
    """Where and by what certificates a kubelet serves the API server."""
    return {
        "address": address,
        "port": "0",
        "tls-cert-file": str(folder.pki / f"{kubelet}.crt"),
        "tls-private-key-file": str(folder.pki / f"{kubelet}.key"),
        "client-ca-file": str(folder.pki / "ca.crt"),
    }


def _apiservers(wanted: Topology, folder: state.Folder, ports: Ports) -> Iterator[Process]:
    places = ports.servers or ((ports.api, ports.grpc),) * wanted.apiservers
    for name, (rest, grpc) in zip(apiservers(wanted), places, strict=True):
        yield _process(
            wanted, folder, APISERVER,
            {
                "bind-address": LOOPBACK,
                "advertise-address": ports.addresses.gateway,
                "secure-port": str(rest),
                "grpc-port": str(grpc),
                "tls-cert-file": str(folder.pki / "apiserver.crt"),
                "tls-private-key-file": str(folder.pki / "apiserver.key"),
                "client-ca-file": str(folder.pki / "ca.crt"),
                "service-account-signing-key-file": str(folder.pki / "sa.key"),
                "kubelet-certificate-authority": str(folder.pki / "ca.crt"),
                "kubelet-client-certificate": str(folder.pki / f"{KUBELET_CLIENT}.crt"),
                "kubelet-client-key": str(folder.pki / f"{KUBELET_CLIENT}.key"),
                "proxy-client-cert-file": str(folder.pki / f"{FRONT_PROXY}.crt"),
                "proxy-client-key-file": str(folder.pki / f"{FRONT_PROXY}.key"),
                "service-cluster-ip-range": wanted.service_cidr,
                "enable-admission-plugins": "NodeRestriction",  # as kubeadm
                **_store(wanted, folder, ports),
                "kubernetes-version": wanted.kubernetes_version,
                **({"addons": ",".join(wanted.all_addons)} if wanted.all_addons else {}),
            },
            name=name, after=etcd(wanted),
        )  # fmt: skip


def _store(wanted: Topology, folder: state.Folder, ports: Ports) -> dict[str, str]:
    """Where API servers keep what they store."""
    if not wanted.etcd_members:
        return {"data-dir": str(folder.data)}
    return {
        "storage-backend": "etcd",
        "etcd-servers": ",".join(
            f"https://{LOOPBACK}:{port}" for port, _ in _members(wanted, ports)
        ),
        "etcd-cafile": str(folder.etcd_pki / "ca.crt"),
        "etcd-certfile": str(folder.pki / f"{ETCD_CLIENT}.crt"),
        "etcd-keyfile": str(folder.pki / f"{ETCD_CLIENT}.key"),
    }


def _members(wanted: Topology, ports: Ports) -> tuple[tuple[int, int], ...]:
    return ports.members or ((0, 0),) * wanted.etcd_members


def _etcd(wanted: Topology, folder: state.Folder, ports: Ports) -> Iterator[Process]:
    """The members: real etcd, with mutual TLS to clients and to each other, by an authority of its
    own: whom etcd believes may do everything, past all that the API server refuses.
    """
    names = etcd(wanted)
    places = dict(zip(names, _members(wanted, ports), strict=True))
    together = ",".join(f"{name}=https://{LOOPBACK}:{peer}" for name, (_, peer) in places.items())
    for name, (client, peer) in places.items():
        yield _process(
            wanted, folder, ETCD,
            {
                "name": name,
                "data-dir": str(folder.member(name)),
                "listen-client-urls": f"https://{LOOPBACK}:{client}",
                "advertise-client-urls": f"https://{LOOPBACK}:{client}",
                "listen-peer-urls": f"https://{LOOPBACK}:{peer}",
                "initial-advertise-peer-urls": f"https://{LOOPBACK}:{peer}",
                "initial-cluster": together,
                "initial-cluster-token": wanted.name,
                "initial-cluster-state": "new",
                "client-cert-auth": "true",
                "trusted-ca-file": str(folder.etcd_pki / "ca.crt"),
                "cert-file": str(folder.etcd_pki / f"{ETCD_SERVER}.crt"),
                "key-file": str(folder.etcd_pki / f"{ETCD_SERVER}.key"),
                "peer-client-cert-auth": "true",
                "peer-trusted-ca-file": str(folder.etcd_pki / "ca.crt"),
                "peer-cert-file": str(folder.etcd_pki / f"{ETCD_PEER}.crt"),
                "peer-key-file": str(folder.etcd_pki / f"{ETCD_PEER}.key"),
                # On one machine nobody is far away: a new leader is there within a second.
                "heartbeat-interval": "100",
                "election-timeout": "600",
            },
            name=name, after=(),
        )  # fmt: skip


def _balancer(wanted: Topology, folder: state.Folder, ports: Ports) -> Iterator[Process]:
    places = ports.servers or ((0, 0),) * wanted.apiservers
    yield _process(
        wanted, folder, BALANCER,
        {
            "listen": f"{LOOPBACK}:{ports.api}",
            "backends": ",".join(f"{LOOPBACK}:{rest}" for rest, _ in places),
            "check-ca-file": str(folder.pki / "ca.crt"),
        },
        after=apiservers(wanted),
    )  # fmt: skip


def _elected(count: int) -> dict[str, str]:
    """Several of a kind elect a leader."""
    return {"leader-elect": "true"} if count > 1 else {}


def _scheduler(wanted: Topology, folder: state.Folder, name: str) -> Process:
    flags = {
        **_kubeconfig(folder, name),
        "kubernetes-version": wanted.kubernetes_version,
        "listen": f"unix:{folder.socket(name)}",
        **_elected(wanted.schedulers),
    }
    if wanted.scheduler_config:
        flags["config"] = wanted.scheduler_config
    return _process(wanted, folder, SCHEDULER, flags, name=name)


def _controller_manager(
    wanted: Topology, folder: state.Folder, addresses: Addresses, name: str
) -> Process:
    return _process(
        wanted, folder, CONTROLLER_MANAGER,
        {
            **_kubeconfig(folder, name),
            "cluster-cidr": wanted.cluster_cidr,
            "load-balancer-pool": addresses.load_balancers,
            "root-ca-file": str(folder.pki / "ca.crt"),
            "cluster-signing-cert-file": str(folder.pki / "ca.crt"),
            "cluster-signing-key-file": str(folder.pki / "ca.key"),
            "service-account-private-key-file": str(folder.pki / "sa.key"),
            "kubernetes-version": wanted.kubernetes_version,
            **_elected(wanted.controller_managers),
        },
        name=name,
    )  # fmt: skip


def _registry(wanted: Topology, folder: state.Folder, ports: Ports) -> Iterator[Process]:
    flags = {
        "data-dir": str(folder.registry),
        "bind-address": LOOPBACK,
        "port": str(ports.registry),
    }
    yield _process(wanted, folder, REGISTRY, flags, after=())


def _node(
    wanted: Topology, folder: state.Folder, position: int, node: topology.Node, ports: Ports
) -> Iterator[Process]:
    runtime, kubelet, proxy = (
        f"{component}-{node.name}" for component in ("runtime", "kubelet", "kube-proxy")
    )
    endpoint = f"unix:{folder.socket(runtime)}"
    named = {"hostname-override": node.name}
    address, underlay = ports.addresses.node(position), ports.addresses.underlay(position)
    flags = {**named, "listen": endpoint, "state-dir": str(folder.node_state(node.name))}
    flags |= {"node-ip": address, "host-gateway": ports.addresses.gateway}
    flags |= _underlay(ports.addresses, underlay)
    if ports.addresses.own:  # Else all nodes are at one address.
        flags["metrics-port"] = str(METRICS_PORT)
    if wanted.driver != "sim":
        flags["driver"] = wanted.driver
        flags["oci-root"] = str(folder.node_oci(node.name))
    if wanted.registry:
        flags["image-registries"] = ",".join(ports.registry_names)
        flags["image-root"] = str(folder.node_images(node.name))
    flags |= _scripts(wanted)
    yield _process(wanted, folder, "runtime", flags, name=runtime, node=node.name, after=())
    yield _process(
        wanted, folder, "kubelet",
        {
            **named,
            **_kubeconfig(folder, kubelet),
            **_serving(folder, kubelet, underlay),
            **({} if underlay == address else {"advertise-kubelet-address": underlay}),
            "container-runtime-endpoint": endpoint,
            "pod-logs-dir": str(folder.node_logs(node.name)),
            "root-dir": str(folder.node_root(node.name)),
            **_resolver(ports),
            "cluster-dns": dns_address(wanted),
            "node-ip": address,
            "kubernetes-version": wanted.kubernetes_version,
            **_registration(node.size, node.labels, node.taints),
        },
        name=kubelet, node=node.name, after=(*apiservers(wanted), runtime),
    )  # fmt: skip
    yield _process(
        wanted, folder, "kube-proxy",
        {
            **named,
            **_kubeconfig(folder, "kube-proxy"),
            "dataplane-endpoint": endpoint,
            **_network(wanted),
        },
        name=proxy, node=node.name, after=(*apiservers(wanted), runtime),
    )  # fmt: skip


def _shares(wanted: Topology) -> Iterator[tuple[str, topology.HollowGroup, range]]:
    """The hollow processes: name, group, and which numbers of the group each carries."""
    for group in wanted.hollow:
        starts = range(0, group.count, group.per_process)
        for number, start in enumerate(starts):
            name = group.prefix if len(starts) == 1 else f"{group.prefix}-{number}"
            yield name, group, range(start, min(start + group.per_process, group.count))


def _hollow(
    wanted: Topology, folder: state.Folder, group: topology.HollowGroup, ports: Ports
) -> Iterator[Process]:
    addresses = ports.addresses
    for place, (name, owner, numbers) in enumerate(_shares(wanted)):
        if owner is not group:
            continue
        process = f"kubelet-{name}"
        flags = {
            **_kubeconfig(folder, process),
            **_serving(folder, process, LOOPBACK),
            "advertise-kubelet-address": LOOPBACK,
            "node-ip": str(_FIRST_HOLLOW + _before(wanted, group)),
            "hollow": str(len(numbers)),
            **_resolver(ports),
            "cluster-dns": dns_address(wanted),
            "overlay-address": addresses.hollow(place),
            **_underlay(addresses, addresses.hollow_underlay(place)),
            "host-gateway": addresses.gateway,
            **_network(wanted),
            "hollow-prefix": group.prefix,
            "hollow-start": str(numbers.start),
            "kubernetes-version": wanted.kubernetes_version,
            **_registration(group.size, group.labels, group.taints),
        }
        if group.zones:
            flags["hollow-zones"] = ",".join(group.zones)
        flags |= _scripts(wanted)
        yield _process(wanted, folder, "kubelet", flags, name=process)


def _underlay(addresses: Addresses, host: str) -> dict[str, str]:
    """Where a process receives the datagrams of its nodes."""
    return {
        "underlay-address": host,
        "vxlan-port": str(addresses.vxlan_port),
        "cable-port": str(addresses.cable_port),
    }


def _resolver(ports: Ports) -> dict[str, str]:
    """What pods ask that ask as their node does."""
    return {"resolv-conf": ports.resolver} if ports.resolver else {}


def _network(wanted: Topology) -> dict[str, str]:
    """What the agents of the pod network are told."""
    return {
        "network-backend": wanted.network_backend,
        "cluster-cidr": wanted.cluster_cidr,
        "service-cluster-ip-range": wanted.service_cidr,
    }


def _scripts(wanted: Topology) -> dict[str, str]:
    """What images do, for who runs containers."""
    return {"image-scripts": wanted.image_scripts} if wanted.image_scripts else {}


def _before(wanted: Topology, group: topology.HollowGroup) -> int:
    """How many hollow nodes the groups before `group` have: addresses count on through all."""
    return sum(each.count for each in wanted.hollow[: wanted.hollow.index(group)])


def _registration(
    size: topology.Size, labels: Mapping[str, str], taints: tuple[str, ...]
) -> dict[str, str]:
    """What a kubelet registers its node with."""
    flags = {"cpu": size.cpu, "memory": size.memory, "max-pods": str(size.pods)}
    if labels:
        flags["node-labels"] = ",".join(f"{key}={value}" for key, value in labels.items())
    if taints:
        flags["register-with-taints"] = ",".join(taints)
    return flags


def _process(
    wanted: Topology,
    folder: state.Folder,
    component: str,
    flags: Mapping[str, str],
    *,
    name: str = "",
    node: str = "",
    after: tuple[str, ...] | None = None,
) -> Process:
    """A process of a component, after the API servers unless it is said otherwise. The topology's
    flags for the component win.
    """
    after = apiservers(wanted) if after is None else after
    process = name or component
    own_clock = wanted.clocks and component != ETCD
    clock = {"clock-file": str(folder.run / f"{process}.clock")} if own_clock else {}
    merged = {**flags, **clock, **wanted.flags.get(component, {})}
    argv = (component, *(f"--{flag}={value}" for flag, value in merged.items()))
    return Process(process, component, argv, str(folder.log(process)), node=node, after=after)


def _kubeconfig(folder: state.Folder, name: str) -> dict[str, str]:
    return {"kubeconfig": str(folder.conf / f"{name}.conf")}
