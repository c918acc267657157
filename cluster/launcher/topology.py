"""What a cluster consists of: its nodes, hollow groups, ports, version and component flags.

A topology is a value. It comes from a cluster file (`topology_file`) or from the flags of
`kubemu up` (`simple`), and `plan` turns it into processes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from cluster.api import schema

API_VERSION: Final = "kubemu.dev/v1alpha1"
KIND: Final = "Cluster"

COMPONENTS: Final = (
    "apiserver", "scheduler", "controller-manager", "runtime", "kubelet", "kube-proxy",
    "registry", "balancer",
)  # fmt: skip

DRIVERS: Final = ("sim", "oci", "auto")
"""Emulation; processes, by crun or runc; processes where the machine can run them."""

ADDONS: Final = ("ingress",)
"""What a cluster has where it is asked for: ingress-nginx."""

BACKENDS: Final = ("vxlan", "routed", "mesh")
"""How pods of different nodes reach each other: in VXLAN; routed; around links that are cut."""

ZONE_LABEL: Final = "topology.kubernetes.io/zone"
REGION_LABEL: Final = "topology.kubernetes.io/region"
DEFAULT_NAME: Final = "kubemu"
DEFAULT_NODES: Final = 3
KUBERNETES_VERSION: Final = schema.NEWEST
"""The version that is emulated unless another is asked for."""

EMPTY: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Size:
    """What a node has: quantities as Kubernetes writes them, and a number of pods."""

    cpu: str = "4"
    memory: str = "16Gi"
    pods: int = 110


@dataclass(frozen=True, slots=True)
class Node:
    """A node with processes of its own. Taints are `key[=value]:effect`, as kubelet takes them."""

    name: str
    size: Size = Size()
    labels: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    taints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HollowGroup:
    """`count` like nodes, named `prefix-0`…, `per_process` of them in each kubelet process.

    `zones` are dealt out in turn.
    """

    count: int
    prefix: str = "hollow"
    size: Size = Size()
    labels: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    zones: tuple[str, ...] = ()
    taints: tuple[str, ...] = ()
    per_process: int = 1000


SMALL_CIDR = "10.244.0.0/16"
LARGE_CIDR = "10.192.0.0/10"  # apart from cluster IPs (10.96.0.0/12) and hollow nodes (10.128…)


@dataclass(frozen=True, slots=True)
class Topology:
    """A whole cluster. Port 0: chosen when the cluster starts; no pod_cidr: chosen by its size."""

    name: str = DEFAULT_NAME
    kubernetes_version: str = KUBERNETES_VERSION
    api_port: int = 0
    grpc_port: int = 0
    registry_port: int = 0
    registry: bool = True
    """Whether the cluster has a registry of images, which its nodes pull from."""
    driver: str = "sim"
    """What runs the containers of nodes that are not hollow: one of DRIVERS."""
    pod_cidr: str = ""
    service_cidr: str = "10.96.0.0/12"
    network_backend: str = "vxlan"
    """How pods of different nodes reach each other: one of BACKENDS."""
    dns: bool = True
    """Whether the cluster has a name server, CoreDNS."""
    addons: tuple[str, ...] = ()
    """What else it has: names of ADDONS."""
    nodes: tuple[Node, ...] = ()
    hollow: tuple[HollowGroup, ...] = ()
    flags: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    apiservers: int = 1
    """How many API servers there are; several share the store of etcd, behind a balancer."""
    schedulers: int = 1
    """How many there are; of several one leads."""
    controller_managers: int = 1
    """The same."""
    etcd_members: int = 0
    """How many members etcd has; 0: there is no etcd, and the API server keeps what it stores."""
    scheduler_config: str = ""
    """The path of the scheduler's KubeSchedulerConfiguration, from the root; "": none."""
    clocks: bool = False
    """Whether each process has a clock of its own, which chaos can make wrong (docs/chaos.md)."""
    image_scripts: str = ""
    """The path of what says what images do (`api.imagescripts`), from the root; "": none."""

    def __post_init__(self) -> None:
        if min(self.apiservers, self.schedulers, self.controller_managers) < 1:
            raise ValueError("a cluster needs one of each of its control plane at least")
        if self.apiservers > 1 and not self.etcd_members:
            raise ValueError(
                "several API servers need a store that they share: give it etcd members, too"
            )

    @property
    def size(self) -> int:
        """How many nodes there are, hollow ones included."""
        return len(self.nodes) + sum(group.count for group in self.hollow)

    @property
    def all_addons(self) -> tuple[str, ...]:
        """The API server's --addons. Where all nodes are hollow nobody asks for names."""
        return (*(("dns",) if self.dns and self.nodes else ()), *self.addons)

    @property
    def cluster_cidr(self) -> str:
        """The network of all pods, with a /24 for every node: Kubernetes' usual one while it has
        enough of them.
        """
        return self.pod_cidr or (SMALL_CIDR if self.size <= 256 else LARGE_CIDR)


def simple(nodes: int = DEFAULT_NODES) -> Topology:
    """A cluster of like nodes, `node-1` and so on."""
    return Topology(nodes=numbered(nodes))


def named(component: str, count: int) -> tuple[str, ...]:
    """The processes of a component that may be there several times: `apiserver`, or `apiserver-1`
    and so on.
    """
    if count == 1:
        return (component,)
    return tuple(f"{component}-{number}" for number in range(1, count + 1))


def several(topology: "Topology") -> "Topology":
    """The same cluster with a control plane that loses a process without much ado: three members of
    etcd and two of everything else, where it has not more already.
    """
    return replace(
        topology,
        apiservers=max(topology.apiservers, 2),
        schedulers=max(topology.schedulers, 2),
        controller_managers=max(topology.controller_managers, 2),
        etcd_members=topology.etcd_members or 3,
    )


def numbered(count: int, prefix: str = "node") -> tuple[Node, ...]:
    """`count` nodes of the default size, `prefix-1` and so on."""
    return tuple(Node(f"{prefix}-{number}") for number in range(1, count + 1))


def changed(
    topology: Topology,
    *,
    nodes: int | None = None,
    hollow: int | None = None,
    name: str | None = None,
    api_port: int | None = None,
    kubernetes_version: str | None = None,
    scheduler_config: str | None = None,
    image_scripts: str | None = None,
    registry: bool | None = None,
    driver: str | None = None,
    network_backend: str | None = None,
    dns: bool | None = None,
    addons: tuple[str, ...] | None = None,
) -> Topology:
    """The same cluster but for what is given: what flags say beside a cluster file."""
    if nodes is not None:
        topology = replace(topology, nodes=numbered(nodes))
    if hollow is not None:
        topology = replace(topology, hollow=(HollowGroup(hollow),) if hollow else ())
    given: dict[str, Any] = {
        "name": name,
        "api_port": api_port,
        "kubernetes_version": kubernetes_version,
        "scheduler_config": scheduler_config,
        "image_scripts": image_scripts,
        "registry": registry,
        "driver": driver,
        "network_backend": network_backend,
        "dns": dns,
        "addons": addons,
    }
    return replace(topology, **{key: value for key, value in given.items() if value is not None})
