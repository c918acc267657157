"""What a kubelet is told when it is built. Defaults are the kubelet's own."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from cluster.api import quantity
from cluster.kubelet import version
from cluster.kubelet.eviction import thresholds
from cluster.kubelet.node import allocatable

TAINT_EFFECTS: Final = ("NoSchedule", "PreferNoSchedule", "NoExecute")


_ENFORCEABLE: Final = (
    "none", "pods", "system-reserved", "kube-reserved", "system-reserved-compressible",
    "kube-reserved-compressible",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Taint:
    """A taint that the node registers with."""

    key: str
    effect: str
    value: str = ""


def taint(text: str) -> Taint:
    """Of `key[=value]:effect`, as `--register-with-taints` has it. ValueError with a sentence."""
    left, colon, effect = text.rpartition(":")
    key, _, value = left.partition("=")
    if not colon or not key or effect not in TAINT_EFFECTS:
        effects = ", ".join(TAINT_EFFECTS)
        raise ValueError(f"{text!r} is no taint: write key[=value]:effect, effect being {effects}")
    return Taint(key, effect, value)


@dataclass(frozen=True)
class Config:
    """Settings of a kubelet. Times are in seconds. ValueError, with a sentence, for bad ones."""

    node_name: str
    node_ip: str = ""
    """InternalIP of the node; several families are separated by commas."""
    pod_cidr: str = ""
    """Registered as the node's pod CIDR; "" waits until a controller allocates one."""
    cpu: str = "4"
    memory: str = "16Gi"
    ephemeral_storage: str = "100Gi"
    max_pods: int = 110
    labels: Mapping[str, str] = field(default_factory=dict)
    zone: str = ""
    region: str = ""
    taints: tuple[Taint, ...] = ()
    kubernetes_version: str = version.DEFAULT
    architecture: str = "amd64"
    operating_system: str = "linux"
    kubelet_port: int = 10250
    """Where the kubelet's server is reached; what it really listens on takes its place."""
    kubelet_address: str = ""
    """At which address that is, where it is none of the node's: hollow nodes have only made-up
    ones. It is shown by the annotation kubemu.dev/kubelet-address."""

    pod_logs_dir: str = "/var/log/pods"
    """Where the runtime keeps container logs, a folder for each pod."""

    container_log_max_size: str = "10Mi"
    container_log_max_files: int = 5
    """When the logs of a runtime that does not turn them over itself are turned over, and how many
    files of a container there are then. Kubemu's own runtime has flags of its own for it."""

    root_dir: str = ""
    """Where the pods' volumes are kept on the real disk. A runtime in the same process has a disk
    of its own in memory, which is used then; with another one and "" pods have no volumes."""
    host_root: str = ""
    """The directory that stands for the node's root in hostPath and local volumes; "" takes
    `host` under `root_dir`. "/" hands the machine's own root out."""
    cluster_dns: tuple[str, ...] = ("10.96.0.10",)
    cluster_domain: str = "cluster.local"
    resolv_conf: str = ""
    """What the node's own resolv.conf says: pods of the DNS policy Default have it."""

    node_status_report_frequency: float = 300.0
    node_lease_duration: int = 40
    lease_renew_fraction: float = 0.25
    """Share of the lease's duration after which it is renewed."""
    relist_period: float = 300.0
    """How often the runtime is listed, as a net under its events."""
    runtime_down_threshold: float = 30.0
    """How long the runtime may be away before the node says so."""
    runtime_request_timeout: float = 120.0
    interim_status_delay: float = 0.05
    """How long work on a pod may last before its status is written halfway."""
    eviction_hard: Mapping[str, str] = field(default_factory=lambda: thresholds.DEFAULT_HARD)
    """Thresholds by signal, as text: at once."""
    eviction_soft: Mapping[str, str] = field(default_factory=dict)
    eviction_soft_grace_period: Mapping[str, str] = field(default_factory=dict)
    eviction_minimum_reclaim: Mapping[str, str] = field(default_factory=dict)
    eviction_pressure_transition_period: float = 300.0
    """How long a pressure is told of after it was seen last."""
    eviction_max_pod_grace_period: int = 0
    """Grace of a pod that a soft threshold evicts."""
    kube_reserved: Mapping[str, str] = field(default_factory=dict)
    system_reserved: Mapping[str, str] = field(default_factory=dict)
    """What pods cannot have of the node."""
    enforce_node_allocatable: tuple[str, ...] = ("pods",)
    """With `pods` in it, what pods use together is held against what is not reserved."""
    pods_per_core: int = 0
    """With a number, the node takes no more than so many pods for each of its cores."""
    cpu_cfs_quota: bool = True
    cpu_cfs_quota_period: float = 0.1
    """Whether limits of CPU are enforced, and over which period."""
    max_container_restart_period: float = 300.0
    """The longest back-off of a container that keeps ending."""
    reduced_crash_loop: bool = False
    """The feature ReduceDefaultCrashLoopBackOffDecay: back-offs from 1 to 60 seconds."""
    provider_id: str = ""
    image_gc_high_threshold_percent: int = 85
    image_gc_low_threshold_percent: int = 80
    image_minimum_gc_age: float = 120.0
    image_maximum_gc_age: float = 0.0
    """At which use of the disk unused images go, down to which, and how old they have to be; 0:
    they do not go because of their age alone."""
    node_status_max_images: int = 50
    """How many images the Node lists; -1: all."""
    serialize_image_pulls: bool = True
    max_parallel_image_pulls: int = 0
    """How many pulls go on at once where they are not serialized; 0: any number."""
    registry_pull_qps: int = 0
    registry_burst: int = 10
    """Pulls a second; 0: any number, for the registries here are not the world's (a kubelet's own
    default is 5)."""
    pod_manifest_path: str = ""
    """A directory, or one file, of static pods."""
    file_check_frequency: float = 20.0
    manifest_url: str = ""
    manifest_url_header: Mapping[str, str] = field(default_factory=dict)
    http_check_frequency: float = 20.0
    """Where static pods come from besides, and how often each is read again."""
    normal_events: bool = True
    """Whether Normal events are written; Warnings always are."""

    def __post_init__(self) -> None:
        if not self.node_name or self.node_name != self.node_name.lower():
            raise ValueError(f"node_name is {self.node_name!r}: a node's name is in lower case")
        for name in ("cpu", "memory", "ephemeral_storage"):
            text = getattr(self, name)
            try:
                amount = quantity.parse(text)
            except ValueError as error:
                raise ValueError(f"{name} is {text!r}: {error}") from error
            if amount <= 0:
                raise ValueError(f"{name} is {text!r}: it must be positive")
        for name, addresses in (("node_ip", self.addresses), ("cluster_dns", self.cluster_dns)):
            _check_addresses(name, addresses)
        if self.max_pods < 1:
            raise ValueError(f"max_pods is {self.max_pods}: it must be positive")
        if self.node_lease_duration < 1 or not 0 < self.lease_renew_fraction < 1:
            raise ValueError("a node lease lasts at least a second and is renewed before its end")
        version.parse(self.kubernetes_version)
        self._check_logs()
        self._check_eviction()
        self._check_images()
        self._check_limits()
        for path in (self.root_dir, self.host_root):
            if path and not path.startswith("/"):
                raise ValueError(f"{path!r} is no absolute path")

    def _check_logs(self) -> None:
        try:
            size = quantity.value(self.container_log_max_size)
        except ValueError as error:
            text = f"container_log_max_size is {self.container_log_max_size!r}: {error}"
            raise ValueError(text) from error
        if size <= 0:
            raise ValueError("container_log_max_size must be positive")
        if self.container_log_max_files <= 1:
            count = self.container_log_max_files
            raise ValueError(f"container_log_max_files is {count}: it must be greater than 1")

    def _check_eviction(self) -> None:
        thresholds.parse(
            self.eviction_hard, self.eviction_soft, self.eviction_soft_grace_period,
            self.eviction_minimum_reclaim,
        )  # fmt: skip
        if self.eviction_pressure_transition_period < 0 or self.eviction_max_pod_grace_period < 0:
            raise ValueError("periods of eviction cannot be negative")
        for reserved in (self.kube_reserved, self.system_reserved):
            for name, text in reserved.items():
                if name not in allocatable.RESERVABLE:
                    raise ValueError(f'cannot reserve "{name}" resource')
                if quantity.parse(text) < 0:
                    raise ValueError(f"reserved {name} is {text!r}: it cannot be negative")

    def _check_images(self) -> None:
        low, high = self.image_gc_low_threshold_percent, self.image_gc_high_threshold_percent
        if not 0 <= low < high <= 100:
            raise ValueError(
                f"image GC thresholds are {low} and {high}: the low one is less than the high one,"
                " both between 0 and 100"
            )
        if self.node_status_max_images < -1 or self.max_parallel_image_pulls < 0:
            raise ValueError("numbers of images cannot be negative")
        if self.serialize_image_pulls and self.max_parallel_image_pulls > 1:
            raise ValueError(
                "max_parallel_image_pulls cannot be larger than 1 unless "
                "serialize_image_pulls is false"
            )
        if self.registry_pull_qps < 0 or self.registry_burst < 0:
            raise ValueError("registry_pull_qps and registry_burst cannot be negative")

    def _check_limits(self) -> None:
        if self.pods_per_core < 0:
            raise ValueError(f"pods_per_core is {self.pods_per_core}: it cannot be negative")
        if not 0.001 <= self.cpu_cfs_quota_period <= 1:
            raise ValueError("cpu_cfs_quota_period has to be between 1ms and 1s")
        if not 1 <= self.max_container_restart_period <= 300:
            raise ValueError("max_container_restart_period has to be between 1s and 300s")
        for name in self.enforce_node_allocatable:
            if name not in _ENFORCEABLE:
                raise ValueError(
                    f"{name!r} cannot be enforced: valid options are {', '.join(_ENFORCEABLE)}"
                )

    @property
    def pod_limit(self) -> int:
        """How many pods the node takes."""
        if not self.pods_per_core:
            return self.max_pods
        return min(self.max_pods, self.pods_per_core * quantity.milli(self.cpu) // 1000)

    @property
    def restart_delays(self) -> tuple[float, float]:
        """The first and the longest back-off of a container that keeps ending."""
        first, most = (1.0, 60.0) if self.reduced_crash_loop else (10.0, 300.0)
        most = min(most, self.max_container_restart_period)
        return min(first, most), most

    @property
    def parallel_pulls(self) -> int:
        """How many pulls go on at once; 0: any number."""
        return 1 if self.serialize_image_pulls else self.max_parallel_image_pulls

    @property
    def capacity(self) -> dict[str, str]:
        """What the node has."""
        return {
            "cpu": self.cpu,
            "ephemeral-storage": self.ephemeral_storage,
            "memory": self.memory,
            "pods": str(self.pod_limit),
        }

    @property
    def allocatable(self) -> dict[str, str]:
        """What of it pods can have."""
        reserved = (self.kube_reserved, self.system_reserved)
        return allocatable.of(self.capacity, reserved, self.eviction_hard)

    @property
    def reserved_memory_left(self) -> int:
        """Bytes that pods may use before the node's own reserves are touched."""
        reserved = (self.kube_reserved, self.system_reserved)
        return allocatable.unreserved(self.capacity, reserved, "memory")

    @property
    def addresses(self) -> tuple[str, ...]:
        """The node's addresses."""
        return tuple(part.strip() for part in self.node_ip.split(",") if part.strip())

    @property
    def version(self) -> version.Version:
        """The emulated version."""
        return version.parse(self.kubernetes_version)


def _check_addresses(name: str, addresses: tuple[str, ...]) -> None:
    for address in addresses:
        try:
            ipaddress.ip_address(address)
        except ValueError as error:
            raise ValueError(f"{name} is {','.join(addresses)!r}: {error}") from error
