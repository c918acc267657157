"""What a kubelet counts on its way, for /metrics: plain dicts, written down when somebody asks.

Names, help texts, labels and buckets are those of pkg/kubelet/metrics.
"""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

Labels = tuple[str, ...]
_USUAL: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_STARTS: Final = (
    0.5, 1, 2, 3, 4, 5, 6, 8, 10, 20, 30, 45, 60, 120, 180, 240, 300, 360, 480, 600, 900, 1200,
    1800, 2700, 3600,
)  # fmt: skip
_RUNTIME: Final = tuple(0.005 * 2.5**power for power in range(14))
_PULLS: Final = (1, 5, 10, 20, 30, 60, 180, 300, 600, 900, 1200, 1800, 2700, 3600)


@dataclass(frozen=True, slots=True)
class Family:
    """A metric that is counted: its help, its labels, and its buckets where it is a histogram."""

    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


FAMILIES: Final[Mapping[str, Family]] = {
    "kubelet_admission_rejections_total": Family(
        "Cumulative number pod admission rejections by the Kubelet.", ("reason",)
    ),
    "kubelet_evictions": Family(
        "Cumulative number of pod evictions by eviction signal", ("eviction_signal",)
    ),
    "kubelet_image_garbage_collected_total": Family(
        "Total number of images garbage collected by the kubelet, whether through disk usage or "
        "image age.",
        ("reason",),
    ),
    "kubelet_image_pull_duration_seconds": Family(
        "Duration in seconds to pull an image.", ("image_size_in_bytes",), _PULLS
    ),
    "kubelet_pod_start_duration_seconds": Family(
        "Duration in seconds from kubelet seeing a pod for the first time to the pod starting to "
        "run",
        (),
        _STARTS,
    ),
    "kubelet_pod_worker_duration_seconds": Family(
        "Duration in seconds to sync a single pod. Broken down by operation type: create, update, "
        "or sync",
        ("operation_type",),
        _USUAL,
    ),
    "kubelet_runtime_operations_duration_seconds": Family(
        "Duration in seconds of runtime operations. Broken down by operation type.",
        ("operation_type",),
        _RUNTIME,
    ),
    "kubelet_runtime_operations_errors_total": Family(
        "Cumulative number of runtime operation errors by operation type.", ("operation_type",)
    ),
    "kubelet_runtime_operations_total": Family(
        "Cumulative number of runtime operations by operation type.", ("operation_type",)
    ),
    "kubelet_started_containers_errors_total": Family(
        "Cumulative number of errors when starting containers", ("container_type", "code")
    ),
    "kubelet_started_containers_total": Family(
        "Cumulative number of containers started", ("container_type",)
    ),
    "kubelet_started_pods_errors_total": Family("Cumulative number of errors when starting pods"),
    "kubelet_started_pods_total": Family("Cumulative number of pods started"),
}


class _Histogram:
    """Counts by bucket, the last one without an end; and the sum."""

    __slots__ = ("counts", "sum")

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * (buckets + 1)
        self.sum = 0.0


class Figures:
    """What one kubelet has counted since it began. Labels are few: they come from the code."""

    def __init__(self) -> None:
        self.counters: dict[str, dict[Labels, float]] = {}
        self.histograms: dict[str, dict[Labels, _Histogram]] = {}

    def count(self, name: str, *labels: str) -> None:
        """One more."""
        rows = self.counters.setdefault(name, {})
        rows[labels] = rows.get(labels, 0) + 1

    def observe(self, name: str, seconds: float, *labels: str) -> None:
        """One more, that took so long."""
        rows = self.histograms.setdefault(name, {})
        found = rows.get(labels)
        buckets = FAMILIES[name].buckets
        if found is None:
            found = rows[labels] = _Histogram(len(buckets))
        found.counts[bisect_left(buckets, seconds)] += 1
        found.sum += seconds
