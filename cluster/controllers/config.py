"""What a controller manager is told when it is built. Defaults are kube-controller-manager's."""

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cluster.api.tokens.keys import SigningKey
from cluster.client.election import Lease

if TYPE_CHECKING:
    from cluster.controllers.certificates.authority import Authority

# kube-controller-manager's --node-monitor-grace-period: 40 s until 1.31, 50 s from 1.32 on.
_LONGER_GRACE_SINCE = (1, 32)


MOST_NODE_BITS = 16
"""How much longer the prefix of a node's part may be (Kubernetes' own bound)."""


def node_monitor_grace_period(kubernetes_version: str) -> float:
    """The default grace period, in seconds, of an emulated version such as `1.33` or `v1.33.1`."""
    return 50.0 if _parsed(kubernetes_version) >= _LONGER_GRACE_SINCE else 40.0


def _parsed(kubernetes_version: str) -> tuple[int, int]:
    parts = kubernetes_version.removeprefix("v").split(".")
    try:
        return int(parts[0]), int(parts[1])
    except (IndexError, ValueError) as error:
        raise ValueError(f"{kubernetes_version!r} is no Kubernetes version (say 1.33)") from error


@dataclass(frozen=True)
class Config:
    """Settings of the controller manager. Times are in seconds."""

    identity: str = "controller-manager"
    """Names this process in leader election."""
    leader_elect: bool = False
    """Whether to hold the lease before starting the controllers."""
    lease: Lease = field(default_factory=lambda: Lease("kube-controller-manager"))
    """Which one."""
    controllers: tuple[str, ...] = ("*",)
    """Which to run: `*` for all, `name` for one more, `-name` for one less."""

    kubernetes_version: str = ""
    """The version emulated, such as `1.33`; "" is the newest. It says what controllers may do."""

    concurrent_deployment_syncs: int = 5
    concurrent_replicaset_syncs: int = 5
    concurrent_rc_syncs: int = 5
    concurrent_statefulset_syncs: int = 5
    concurrent_daemonset_syncs: int = 2
    concurrent_endpoint_syncs: int = 5
    concurrent_service_endpoint_syncs: int = 5
    mirroring_concurrent_service_endpoint_syncs: int = 5
    mirroring_max_endpoints_per_subset: int = 1000
    concurrent_namespace_syncs: int = 10
    concurrent_gc_syncs: int = 64
    concurrent_resource_quota_syncs: int = 5
    concurrent_ephemeralvolume_syncs: int = 5
    concurrent_job_syncs: int = 5
    concurrent_cron_job_syncs: int = 5
    concurrent_ttl_after_finished_syncs: int = 5
    concurrent_horizontal_pod_autoscaler_syncs: int = 5
    max_endpoints_per_slice: int = 100

    node_monitor_period: float = 5.0
    """How often node health is looked at."""
    node_monitor_grace_period: float = 50.0
    """How long a running node may stay silent. See `node_monitor_grace_period` for versions."""
    node_startup_grace_period: float = 60.0
    """How long a node that never posted a status may stay silent."""
    node_eviction_rate: float = 0.1
    """Nodes a second that get NoExecute taints in a healthy zone."""
    secondary_node_eviction_rate: float = 0.01
    """The same in an unhealthy zone of a large cluster; a small cluster stops."""
    unhealthy_zone_threshold: float = 0.55
    """Share of NotReady nodes (at least three) that makes a zone unhealthy."""
    large_cluster_size_threshold: int = 50

    horizontal_pod_autoscaler_sync_period: float = 15.0
    """How often each autoscaler is looked at."""
    horizontal_pod_autoscaler_tolerance: float = 0.1
    """How far a metric may be off its target, as a share of it, before anything is scaled."""
    horizontal_pod_autoscaler_downscale_stabilization: float = 300.0
    """How long a recommendation keeps the size from being less."""
    horizontal_pod_autoscaler_cpu_initialization_period: float = 300.0
    """After a pod's start, how long its use of CPU counts only while it is ready."""
    horizontal_pod_autoscaler_initial_readiness_delay: float = 30.0
    """After a pod's start, how long changes of its readiness are taken for those of a start."""

    allocate_node_cidrs: bool = True
    cluster_cidr: str = "10.244.0.0/16"
    """The pods' network; for dual stack one of each family, with a comma between."""
    node_cidr_mask_size: int = 0
    """Prefix length of a node's part, where there is one network; 0: by its family."""
    node_cidr_mask_size_ipv4: int = 24
    node_cidr_mask_size_ipv6: int = 64

    load_balancer_pool: str = ""
    """Addresses for Services of type LoadBalancer; "": they get none, as without a cloud."""

    pvclaimbinder_sync_period: float = 15.0
    """How often claims that wait for a volume are looked at."""

    terminated_pod_gc_threshold: int = 12500
    """How many finished pods are kept; 0 keeps all."""
    root_ca: str = ""
    """PEM of the CA that `kube-root-ca.crt` publishes in every namespace; "" publishes none."""
    cluster_signing_authority: "Authority | None" = None
    """What signs approved CertificateSigningRequests; None: nobody does."""
    cluster_signing_duration: float = 365 * 24 * 3600.0
    """The longest life of a certificate that is signed."""
    service_account_key: SigningKey | None = None
    """What signs the tokens in secrets of service accounts; None: nobody fills them."""

    def __post_init__(self) -> None:
        self.emulates(0)  # tells of a version that is none
        self.node_networks()
        if self.load_balancer_pool:
            _network(self.load_balancer_pool, "load_balancer_pool")
        for name in ("node_monitor_period", "node_monitor_grace_period"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be more than 0 seconds")
        if self.node_startup_grace_period < 0 or self.node_eviction_rate < 0:
            raise ValueError("grace periods and eviction rates cannot be negative")
        if self.horizontal_pod_autoscaler_sync_period <= 0:
            raise ValueError("horizontal_pod_autoscaler_sync_period must be more than 0 seconds")
        if self.horizontal_pod_autoscaler_tolerance < 0:
            raise ValueError("horizontal_pod_autoscaler_tolerance cannot be negative")
        if self.cluster_signing_duration <= 0:
            raise ValueError("cluster_signing_duration must be more than 0 seconds")
        if self.pvclaimbinder_sync_period <= 0:
            raise ValueError("pvclaimbinder_sync_period must be more than 0 seconds")
        if not 0 <= self.unhealthy_zone_threshold <= 1:
            raise ValueError("unhealthy_zone_threshold is a share between 0 and 1")
        if not 1 <= self.max_endpoints_per_slice <= 1000:
            raise ValueError("max_endpoints_per_slice must be between 1 and 1000")

    def node_networks(self) -> list[tuple[str, int]]:
        """The pods' networks, and the prefix length of a node's part of each. ValueError."""
        networks = [_network(text) for text in self.cluster_cidr.split(",")]
        if len(networks) > 2 or len({network.version for network in networks}) < len(networks):
            raise ValueError("cluster_cidr: one network, or one of each family (dual stack)")
        if len(networks) > 1 and self.node_cidr_mask_size:
            raise ValueError(
                "node_cidr_mask_size is for one network: with two, say node_cidr_mask_size_ipv4"
                " and node_cidr_mask_size_ipv6"
            )
        return [(str(network), self._node_mask(network)) for network in networks]

    def _node_mask(self, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> int:
        by_family = (
            self.node_cidr_mask_size_ipv4 if network.version == 4 else self.node_cidr_mask_size_ipv6
        )
        size = self.node_cidr_mask_size or by_family
        if not network.prefixlen <= size <= network.max_prefixlen:
            raise ValueError(f"node_cidr_mask_size {size} does not divide cluster_cidr {network}")
        if size - network.prefixlen > MOST_NODE_BITS:
            raise ValueError(
                f"node_cidr_mask_size {size} makes too many parts of cluster_cidr {network}:"
                f" at most {MOST_NODE_BITS} bits longer"
            )
        return size

    def emulates(self, minor: int) -> bool:
        """Whether the version emulated is Kubernetes 1.`minor` or newer."""
        return not self.kubernetes_version or _parsed(self.kubernetes_version) >= (1, minor)

    def enables(self, controller: str) -> bool:
        """Whether the controller of this name is to run."""
        if f"-{controller}" in self.controllers:
            return False
        return "*" in self.controllers or controller in self.controllers


def _network(
    cidr: str, field: str = "cluster_cidr"
) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(cidr)
    except ValueError as error:
        raise ValueError(f"{field}: {error}") from error
