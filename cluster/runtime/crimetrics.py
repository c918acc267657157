"""What sandboxes and containers use, as metrics of CRI: cAdvisor's names. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from cluster.pb.cri.v1 import api_pb2 as pb

_LABELS: Final = ("id", "name", "image", "namespace", "pod", "container")
_COUNTER: Final[Any] = pb.COUNTER
_GAUGE: Final[Any] = pb.GAUGE
_KINDS: Final = (
    ("container_cpu_usage_seconds_total", "Cumulative cpu time consumed in seconds.", _COUNTER),
    ("container_memory_usage_bytes", "Current memory usage in bytes, whatever it is used for.",
     _GAUGE),
    ("container_memory_working_set_bytes", "Current working set in bytes.", _GAUGE),
    ("container_memory_rss", "Size of RSS in bytes.", _GAUGE),
    ("container_fs_usage_bytes", "Number of bytes that are consumed by the container.", _GAUGE),
)  # fmt: skip


def descriptors() -> list[pb.MetricDescriptor]:
    """Which metrics there are."""
    return [
        pb.MetricDescriptor(name=name, help=text, label_keys=_LABELS) for name, text, _ in _KINDS
    ]


def of_sandboxes(stats: Iterable[pb.PodSandboxStats]) -> Iterator[pb.PodSandboxMetrics]:
    """The metrics of sandboxes and of the containers in them."""
    for one in stats:
        pod, found = one.attributes, one.linux
        place = (pod.metadata.namespace, pod.metadata.name)
        own = (found.cpu, found.memory, pb.FilesystemUsage())
        yield pb.PodSandboxMetrics(
            pod_sandbox_id=pod.id,
            metrics=_metrics((pod.id, "", "", *place, ""), *own),
            container_metrics=[_of_container(each, place) for each in found.containers],
        )


def _of_container(stats: pb.ContainerStats, place: tuple[str, str]) -> pb.ContainerMetrics:
    told = stats.attributes
    labels = (told.id, told.metadata.name, "", *place, told.metadata.name)
    metrics = _metrics(labels, stats.cpu, stats.memory, stats.writable_layer)
    return pb.ContainerMetrics(container_id=told.id, metrics=metrics)


def _metrics(
    labels: tuple[str, ...], cpu: pb.CpuUsage, memory: pb.MemoryUsage, layer: pb.FilesystemUsage
) -> list[pb.Metric]:
    values = (
        cpu.usage_core_nano_seconds.value // 10**9, memory.usage_bytes.value,
        memory.working_set_bytes.value, memory.rss_bytes.value, layer.used_bytes.value,
    )  # fmt: skip
    return [
        pb.Metric(
            name=name, timestamp=cpu.timestamp, metric_type=kind, label_values=labels,
            value=pb.UInt64Value(value=value),
        )
        for (name, _, kind), value in zip(_KINDS, values, strict=True)
    ]  # fmt: skip
