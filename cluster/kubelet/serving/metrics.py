"""/metrics, /metrics/resource, /metrics/cadvisor and /metrics/probes in Kubernetes' names. Pure."""

from collections.abc import Iterator
from typing import Any, Final

from cluster.api import objects, quantity
from cluster.kubelet.agent import NodeAgent
from cluster.kubelet.eviction import signals
from cluster.kubelet.lifecycle import podspec
from cluster.kubelet.lifecycle.model import Container, State
from cluster.kubelet.pods import Pod
from cluster.kubelet.serving import usage
from cluster.kubelet.serving.exposition import Page, Row
from cluster.kubelet.serving.facts import Facts, live, running

_STATES: Final = {"created": State.CREATED, "running": State.RUNNING, "exited": State.EXITED}
_VOLUMES: Final = (
    ("capacity_bytes", "Capacity in bytes of the volume"),
    ("available_bytes", "Number of available bytes in the volume"),
    ("used_bytes", "Number of used bytes in the volume"),
    ("inodes", "Maximum number of inodes in the volume"),
    ("inodes_free", "Number of free inodes in the volume"),
    ("inodes_used", "Number of used inodes in the volume"),
)


def kubelet(agent: NodeAgent, facts: Facts) -> bytes:
    """The kubelet's own."""
    page, pods = Page(), live(agent)
    node = {"node": agent.config.node_name}
    page.family("kubelet_node_name", "The node's name. The count is always 1.", [(node, 1)])
    version = agent.config.version
    build = {"git_version": str(version), "major": str(version.major), "minor": str(version.minor)}
    page.family("kubernetes_build_info", "The version that is emulated.", [(build, 1)])
    started: list[Row] = [({}, agent.began)]
    page.family("process_start_time_seconds", "Start time of the process.", started)
    _pods(page, agent, pods)
    page.figures(agent.figures)
    _volumes(page, agent, pods, facts)
    return page.data()


def _pods(page: Page, agent: NodeAgent, pods: list[Pod]) -> None:
    sandboxes = sum(pod.seen.sandbox is not None for pod in pods)
    page.family(
        "kubelet_running_pods", "Number of pods that have a running pod sandbox", [({}, sandboxes)]
    )
    page.family(
        "kubelet_running_containers",
        "Number of containers currently running",
        (({"container_state": name}, _count(pods, state)) for name, state in _STATES.items()),
    )
    static = sum(pod.static for pod in pods)
    shares = [({"static": ""}, len(pods) - static), ({"static": "true"}, static)]
    page.family(
        "kubelet_desired_pods", "The number of pods the kubelet is being instructed to run", shares
    )
    active = [pod for pod in pods if (pod.status or {}).get("phase") in ("Pending", "Running")]
    static = sum(pod.static for pod in active)
    shares = [({"static": ""}, len(active) - static), ({"static": "true"}, static)]
    page.family(
        "kubelet_active_pods",
        "The number of pods the kubelet considers active and which are being considered when "
        "admitting new pods",
        shares,
    )
    mirrors = sum(pod.mirror is not None for pod in pods)
    page.family(
        "kubelet_mirror_pods",
        "The number of mirror pods the kubelet will try to create (one per admitted static pod)",
        [({}, mirrors)],
    )


def _count(pods: list[Pod], state: State) -> int:
    return sum(one.state is state for pod in pods for one in pod.seen.containers)


def _volumes(page: Page, agent: NodeAgent, pods: list[Pod], facts: Facts) -> None:
    totals: dict[str, int] = {}
    rows: dict[str, list[Row]] = {name: [] for name, _ in _VOLUMES}
    disk, free = facts.seen[signals.NODE_FS], facts.seen[signals.NODE_FS_INODES]
    for pod in pods:
        for plugin in agent.disk_use.plugins(pod):
            totals[plugin] = totals.get(plugin, 0) + 1
        held = agent.disk_use.claimed(pod)
        for claim, used in held.items():
            labels = {
                "namespace": objects.namespace(pod.object),
                "persistentvolumeclaim": claim,
            }
            values = (disk.capacity, disk.available, used, free.capacity, free.available, 0)
            for (name, _), value in zip(_VOLUMES, values, strict=True):
                rows[name].append((labels, value))
    states = ("actual_state_of_world", "desired_state_of_world")
    page.family(
        "volume_manager_total_volumes",
        "Number of volumes in Volume Manager",
        [
            ({"plugin_name": f"kubernetes.io/{name}", "state": state}, count)
            for name, count in totals.items()
            for state in states
        ],
    )
    for name, help_text in _VOLUMES:
        if rows[name]:
            page.family(f"kubelet_volume_stats_{name}", help_text, rows[name])


def resources(agent: NodeAgent, facts: Facts) -> bytes:
    """What metrics-server reads."""
    page, at = Page(), int(facts.now * 1000)
    total = usage.together([*facts.used.values(), usage.system(agent, facts.now)])
    held = list(_containers(agent, facts.used))
    page.family(
        "container_cpu_usage_seconds_total",
        "Cumulative cpu time consumed by the container in core-seconds",
        [(labels, used.total / 1e9) for labels, _, used in held], "counter", at,
    )  # fmt: skip
    page.family(
        "container_memory_working_set_bytes",
        "Current working set of the container in bytes",
        [(labels, used.memory) for labels, _, used in held], at=at,
    )  # fmt: skip
    page.family(
        "container_start_time_seconds",
        "Start time of the container since unix epoch in seconds",
        [(labels, one.started) for labels, one, _ in held], at=at,
    )  # fmt: skip
    page.family(
        "node_cpu_usage_seconds_total",
        "Cumulative cpu time consumed by the node in core-seconds",
        [({}, total.total / 1e9)], "counter", at,
    )  # fmt: skip
    page.family(
        "node_memory_working_set_bytes", "Current working set of the node in bytes",
        [({}, total.memory)], at=at,
    )  # fmt: skip
    pods = [(_pod_labels(pod), _together(pod, facts.used)) for pod in live(agent)]
    page.family(
        "pod_cpu_usage_seconds_total",
        "Cumulative cpu time consumed by the pod in core-seconds",
        [(labels, used.total / 1e9) for labels, used in pods], "counter", at,
    )  # fmt: skip
    page.family(
        "pod_memory_working_set_bytes", "Current working set of the pod in bytes",
        [(labels, used.memory) for labels, used in pods], at=at,
    )  # fmt: skip
    page.family("resource_scrape_error", "1 if there was an error while getting metrics", [({}, 0)])
    return page.data()


def cadvisor(agent: NodeAgent, facts: Facts) -> bytes:
    """What cAdvisor tells of containers and of the machine."""
    page, at, config = Page(), int(facts.now * 1000), agent.config
    page.family(
        "machine_cpu_cores", "Number of logical CPU cores.",
        [({}, quantity.milli(config.cpu) / 1000)],
    )  # fmt: skip
    page.family(
        "machine_memory_bytes", "Amount of memory installed on the machine.",
        [({}, quantity.value(config.memory))],
    )  # fmt: skip
    held = [
        ({**labels, "id": f"/kubepods/pod{pod.uid}/{one.id}", "image": one.image, "name": one.id},
         one, used, pod)
        for pod in live(agent)
        for one, used in running(pod, facts.used)
        for labels in [{"container": one.name, **_pod_labels(pod)}]
    ]  # fmt: skip
    for name, help_text, value in _CADVISOR:
        kind = "counter" if name.endswith("_total") else "gauge"
        more = {"cpu": "total"} if name == "container_cpu_usage_seconds_total" else {}
        rows: list[Row] = [
            ({**labels, **more}, value(one, used, facts)) for labels, one, used, _ in held
        ]
        page.family(name, help_text, rows, kind, at)
    _specs(page, held, at)
    pods = [{**_pod_labels(pod), "interface": "eth0"} for pod in live(agent) if pod.seen.sandbox]
    for name in ("receive_bytes", "receive_errors", "transmit_bytes", "transmit_errors"):
        rows = [(labels, 0) for labels in pods]
        text = f"Cumulative count of {name.replace('_', ' ')}"
        page.family(f"container_network_{name}_total", text, rows, "counter", at)
    return page.data()


_CADVISOR: Final[tuple[tuple[str, str, Any], ...]] = (
    (
        "container_cpu_usage_seconds_total", "Cumulative cpu time consumed in seconds.",
        lambda _one, used, _facts: used.total / 1e9,
    ),
    (
        "container_fs_usage_bytes",
        "Number of bytes that are consumed by the container on this filesystem.",
        lambda _one, used, _facts: used.rootfs,
    ),
    ("container_last_seen", "Last time a container was seen by the exporter",
     lambda _one, _used, facts: int(facts.now)),
    ("container_memory_cache", "Number of bytes of page cache memory.",
     lambda _one, _used, _facts: 0),
    ("container_memory_rss", "Size of RSS in bytes.", lambda _one, used, _facts: used.memory),
    ("container_memory_usage_bytes", "Current memory usage in bytes, including all memory.",
     lambda _one, used, _facts: used.memory),
    ("container_memory_working_set_bytes", "Current working set in bytes.",
     lambda _one, used, _facts: used.memory),
    ("container_start_time_seconds", "Start time of the container since unix epoch in seconds.",
     lambda one, _used, _facts: one.started),
)  # fmt: skip


def _specs(page: Page, held: list[Any], at: int) -> None:
    """What containers may use, as their cgroups say it."""
    memory: list[Row] = []
    quota: list[Row] = []
    for labels, one, _, pod in held:
        limits = podspec.limits(pod.object, one.name)
        memory.append((labels, quantity.value(limits["memory"]) if "memory" in limits else 0))
        if "cpu" in limits:
            quota.append((labels, quantity.milli(limits["cpu"]) * 100))
    page.family(
        "container_spec_memory_limit_bytes", "Memory limit for the container.", memory, at=at
    )
    page.family("container_spec_cpu_quota", "CPU quota of the container.", quota, at=at)
    page.family(
        "container_spec_cpu_period", "CPU period of the container.",
        [(labels, 100_000) for labels, _ in quota], at=at,
    )  # fmt: skip


def probes(agent: NodeAgent, _facts: Facts) -> bytes:
    """What probes found."""
    page = Page()
    rows = [
        (
            {
                "probe_type": kind, "result": result, "container": name, "pod": key[1],
                "namespace": key[0], "pod_uid": uid,
            },
            count,
        )
        for uid, (key, found) in agent.probe_results().items()
        for (kind, name, result), count in found.items()
    ]  # fmt: skip
    text = "Cumulative number of a liveness, readiness or startup probe for a container by result."
    page.family("prober_probe_total", text, rows, "counter")
    return page.data()


def _containers(
    agent: NodeAgent, used: usage.Usage
) -> Iterator[tuple[dict[str, str], Container, usage.Used]]:
    for pod in live(agent):
        labels = _pod_labels(pod)
        for one, its in running(pod, used):
            yield {"container": one.name, **labels}, one, its


def _pod_labels(pod: Pod) -> dict[str, str]:
    return {"namespace": objects.namespace(pod.object), "pod": objects.name(pod.object)}


def _together(pod: Pod, used: usage.Usage) -> usage.Used:
    machines = [used[one.id] for one in pod.seen.sandboxes if one.id in used]
    return usage.together([its for _, its in running(pod, used)] + machines)
