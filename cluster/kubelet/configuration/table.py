"""The fields of KubeletConfiguration: which setting each is, and which have no effect here. Pure.

Source: staging/src/k8s.io/kubelet/config/v1beta1/types.go.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from cluster.api import durations
from cluster.kubelet.config import TAINT_EFFECTS, Taint

Reader = Callable[[Any], Any]


class Wrong(ValueError):
    """A value is not of its field's type; the message says which one is wanted."""


class Setting(NamedTuple):
    """A field of `config.Config` (or an argument of the command), and how it is read."""

    field: str
    read: Reader


def text(value: Any) -> str:
    """A string."""
    if not isinstance(value, str):
        raise Wrong("a string is wanted")
    return value


def number(value: Any) -> int:
    """An integer."""
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 1 << 31:
        raise Wrong("an integer is wanted")
    return value


def flag(value: Any) -> bool:
    """A boolean."""
    if not isinstance(value, bool):
        raise Wrong("a boolean is wanted")
    return value


def duration(value: Any) -> float:
    """Seconds of a duration, which is a string with units."""
    if not isinstance(value, str) or (value != "0" and value[-1:].isdigit()):
        raise Wrong('a duration such as "10s" is wanted')
    try:
        return durations.parse(value)
    except ValueError as error:
        raise Wrong(str(error)) from None


def texts(value: Any) -> tuple[str, ...]:
    """A list of strings."""
    if not isinstance(value, list):
        raise Wrong("a list of strings is wanted")
    return tuple(map(text, value))


def mapping(value: Any) -> dict[str, str]:
    """A mapping of strings."""
    if not isinstance(value, dict):
        raise Wrong("a mapping of strings to strings is wanted")
    return {text(key): text(each) for key, each in value.items()}


def headers(value: Any) -> dict[str, str]:
    """HTTP headers: to each a list of values."""
    if not isinstance(value, dict):
        raise Wrong("a mapping of strings to lists of strings is wanted")
    return {text(key): ", ".join(texts(each)) for key, each in value.items()}


def taints(value: Any) -> tuple[Taint, ...]:
    """Taints of a Node."""
    if not isinstance(value, list):
        raise Wrong("a list of taints is wanted")
    return tuple(map(_taint, value))


def _taint(value: Any) -> Taint:
    if not isinstance(value, dict) or value.get("effect") not in TAINT_EFFECTS:
        raise Wrong(f"a taint has a key and one of the effects {', '.join(TAINT_EFFECTS)}")
    return Taint(text(value.get("key")), value["effect"], text(value.get("value", "")))


def crash_loop(value: Any) -> float:
    """crashLoopBackOff: maxContainerRestartPeriod is all that it has."""
    if not isinstance(value, dict) or set(value) - {"maxContainerRestartPeriod"}:
        raise Wrong("a mapping with maxContainerRestartPeriod is wanted")
    return duration(value.get("maxContainerRestartPeriod", "5m"))


def gates(value: Any) -> dict[str, bool]:
    """Feature gates."""
    if not isinstance(value, dict):
        raise Wrong("a mapping of strings to booleans is wanted")
    return {text(key): flag(each) for key, each in value.items()}


SETTINGS: Final[Mapping[str, Setting]] = {
    "staticPodPath": Setting("pod_manifest_path", text),
    "fileCheckFrequency": Setting("file_check_frequency", duration),
    "staticPodURL": Setting("manifest_url", text),
    "staticPodURLHeader": Setting("manifest_url_header", headers),
    "httpCheckFrequency": Setting("http_check_frequency", duration),
    "port": Setting("kubelet_port", number),
    "registryPullQPS": Setting("registry_pull_qps", number),
    "registryBurst": Setting("registry_burst", number),
    "serializeImagePulls": Setting("serialize_image_pulls", flag),
    "maxParallelImagePulls": Setting("max_parallel_image_pulls", number),
    "clusterDomain": Setting("cluster_domain", text),
    "clusterDNS": Setting("cluster_dns", texts),
    "nodeStatusReportFrequency": Setting("node_status_report_frequency", duration),
    "nodeLeaseDurationSeconds": Setting("node_lease_duration", number),
    "imageMinimumGCAge": Setting("image_minimum_gc_age", duration),
    "imageMaximumGCAge": Setting("image_maximum_gc_age", duration),
    "imageGCHighThresholdPercent": Setting("image_gc_high_threshold_percent", number),
    "imageGCLowThresholdPercent": Setting("image_gc_low_threshold_percent", number),
    "nodeStatusMaxImages": Setting("node_status_max_images", number),
    "containerLogMaxSize": Setting("container_log_max_size", text),
    "containerLogMaxFiles": Setting("container_log_max_files", number),
    "runtimeRequestTimeout": Setting("runtime_request_timeout", duration),
    "maxPods": Setting("max_pods", number),
    "podsPerCore": Setting("pods_per_core", number),
    "podCIDR": Setting("pod_cidr", text),
    "cpuCFSQuota": Setting("cpu_cfs_quota", flag),
    "cpuCFSQuotaPeriod": Setting("cpu_cfs_quota_period", duration),
    "evictionHard": Setting("eviction_hard", mapping),
    "evictionSoft": Setting("eviction_soft", mapping),
    "evictionSoftGracePeriod": Setting("eviction_soft_grace_period", mapping),
    "evictionPressureTransitionPeriod": Setting("eviction_pressure_transition_period", duration),
    "evictionMaxPodGracePeriod": Setting("eviction_max_pod_grace_period", number),
    "evictionMinimumReclaim": Setting("eviction_minimum_reclaim", mapping),
    "mergeDefaultEvictionSettings": Setting("merge_default_eviction_settings", flag),
    "systemReserved": Setting("system_reserved", mapping),
    "kubeReserved": Setting("kube_reserved", mapping),
    "enforceNodeAllocatable": Setting("enforce_node_allocatable", texts),
    "registerWithTaints": Setting("taints", taints),
    "crashLoopBackOff": Setting("max_container_restart_period", crash_loop),
    "featureGates": Setting("feature_gates", gates),
    "providerID": Setting("provider_id", text),
}
"""By field: those that are settings of a kubelet here."""

COMMAND: Final[Mapping[str, Setting]] = {
    "address": Setting("address", text),
    "resolvConf": Setting("resolv_conf", text),
    "containerRuntimeEndpoint": Setting("container_runtime_endpoint", text),
    "rotateCertificates": Setting("rotate_certificates", flag),
    "serverTLSBootstrap": Setting("rotate_server_certificates", flag),
}
"""Fields that stand for a flag of the command, by the name of its argument."""

WITHOUT_EFFECT: Final = frozenset(
    [
        "enableServer",
        "syncFrequency",
        "podLogsDir",
        "readOnlyPort",
        "tlsCertFile",
        "tlsPrivateKeyFile",
        "tlsCipherSuites",
        "tlsMinVersion",
        "tlsCurvePreferences",
        "authentication",
        "authorization",
        "eventRecordQPS",
        "eventBurst",
        "enableDebuggingHandlers",
        "enableContentionProfiling",
        "healthzPort",
        "healthzBindAddress",
        "oomScoreAdj",
        "streamingConnectionIdleTimeout",
        "nodeStatusUpdateFrequency",
        "imageServiceEndpoint",
        "imagePullCredentialsVerificationPolicy",
        "preloadedImagesVerificationAllowlist",
        "volumeStatsAggPeriod",
        "kubeletCgroups",
        "systemCgroups",
        "cgroupRoot",
        "cgroupsPerQOS",
        "cgroupDriver",
        "cpuManagerPolicy",
        "cpuManagerPolicyOptions",
        "cpuManagerReconcilePeriod",
        "memoryManagerPolicy",
        "topologyManagerPolicy",
        "topologyManagerScope",
        "topologyManagerPolicyOptions",
        "singleProcessOOMKill",
        "qosReserved",
        "hairpinMode",
        "podPidsLimit",
        "runOnce",
        "maxOpenFiles",
        "contentType",
        "kubeAPIQPS",
        "kubeAPIBurst",
        "enableControllerAttachDetach",
        "protectKernelDefaults",
        "makeIPTablesUtilChains",
        "iptablesMasqueradeBit",
        "iptablesDropBit",
        "failSwapOn",
        "memorySwap",
        "containerLogMaxWorkers",
        "containerLogMonitorInterval",
        "configMapAndSecretChangeDetectionStrategy",
        "reservedSystemCPUs",
        "showHiddenMetricsForVersion",
        "systemReservedCgroup",
        "kubeReservedCgroup",
        "allowedUnsafeSysctls",
        "volumePluginDir",
        "kernelMemcgNotification",
        "logging",
        "enableSystemLogHandler",
        "enableSystemLogQuery",
        "shutdownGracePeriod",
        "shutdownGracePeriodCriticalPods",
        "shutdownGracePeriodByPodPriority",
        "reservedMemory",
        "enableProfilingHandler",
        "enableDebugFlagsHandler",
        "seccompDefault",
        "memoryThrottlingFactor",
        "registerNode",
        "tracing",
        "localStorageCapacityIsolation",
        "userNamespaces",
    ]
)
"""Fields that Kubernetes has, and that change nothing here: a warning names them."""
