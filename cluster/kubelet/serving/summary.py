"""/stats/summary. Pure. Source: staging/src/k8s.io/kubelet/pkg/apis/stats/v1alpha1/types.go.

What a simulated machine does not count (bytes of the network, page faults) is 0.
"""

from typing import Any, Final

from cluster.api import objects, quantity, timestamps
from cluster.kubelet.agent import NodeAgent
from cluster.kubelet.eviction import measuring, signals
from cluster.kubelet.eviction.picture import ContainerUse, PodUse
from cluster.kubelet.pods import Pod
from cluster.kubelet.serving import usage
from cluster.kubelet.serving.facts import Facts, live, running

_INTERFACE: Final = "eth0"
_NOTHING: Final = PodUse()


def summary(agent: NodeAgent, facts: Facts, *, short: bool = False) -> dict[str, Any]:
    """The whole document; `short`: of processors and memory alone (only_cpu_and_memory)."""
    stamp = timestamps.encode(facts.now)
    pods = [_pod(agent, one, stamp, facts, short=short) for one in live(agent)]
    return {"node": _node(agent, stamp, facts, short=short), "pods": pods}


def _node(agent: NodeAgent, stamp: str, facts: Facts, *, short: bool) -> dict[str, Any]:
    total = usage.together([*facts.used.values(), usage.system(agent, facts.now)])
    free = max(quantity.value(agent.config.memory) - total.memory, 0)
    found: dict[str, Any] = {
        "nodeName": agent.config.node_name,
        "startTime": timestamps.encode(agent.began),
        "cpu": cpu(stamp, total),
        "memory": memory(stamp, total) | {"availableBytes": free},
    }
    if short:
        return found
    processes = facts.seen[signals.PID]
    images = _file_system(stamp, facts, used=facts.images[0], inodes=facts.images[1])
    return found | {
        "network": _network(stamp),
        "fs": _file_system(stamp, facts),
        "runtime": {"imageFs": images, "containerFs": images},
        "rlimit": {
            "time": stamp,
            "maxpid": measuring.PID_MAX,
            "curproc": processes.capacity - processes.available,
        },
        "swap": _swap(stamp),
    }


def _pod(agent: NodeAgent, pod: Pod, stamp: str, facts: Facts, *, short: bool) -> dict[str, Any]:
    meta = objects.meta(pod.object)
    inside = running(pod, facts.used)
    machines = [facts.used[one.id] for one in pod.seen.sandboxes if one.id in facts.used]
    together = usage.together([its for _, its in inside] + machines)
    its = facts.pods.get(pod.uid, _NOTHING)
    containers = []
    for one, used in inside:
        shown: dict[str, Any] = {
            "name": one.name,
            "startTime": timestamps.encode(one.started),
            "cpu": cpu(stamp, used),
            "memory": memory(stamp, used),
        }
        if not short:
            disk = its.containers.get(one.name, ContainerUse())
            shown["rootfs"] = _file_system(stamp, facts, used=disk.rootfs)
            shown["logs"] = _file_system(stamp, facts, used=disk.logs)
            shown["swap"] = _swap(stamp)
        containers.append(shown)
    found = {
        "podRef": {key: meta.get(key, "") for key in ("name", "namespace", "uid")},
        "startTime": (pod.status or {}).get("startTime"),
        "containers": containers,
        "cpu": cpu(stamp, together),
        "memory": memory(stamp, together),
    }
    if short:
        return found
    return found | {
        "network": _network(stamp),
        "volume": _volumes(agent, pod, stamp, facts),
        "ephemeral-storage": _file_system(stamp, facts, used=its.disk),
        "process_stats": {"process_count": its.processes},
        "swap": _swap(stamp),
    }


def _volumes(agent: NodeAgent, pod: Pod, stamp: str, facts: Facts) -> list[dict[str, Any]]:
    found = []
    claims = agent.disk_use.claims(pod)
    for name, used in agent.disk_use.every(pod).items():
        shown = {"name": name, **_file_system(stamp, facts, used=used)}
        if name in claims:
            namespace = objects.namespace(pod.object)
            shown["pvcRef"] = {"name": claims[name], "namespace": namespace}
        found.append(shown)
    return found


def cpu(stamp: str, used: usage.Used) -> dict[str, Any]:
    """CPUStats."""
    found: dict[str, Any] = {"time": stamp, "usageCoreNanoSeconds": used.total}
    if used.cpu is not None:
        found["usageNanoCores"] = used.cpu
    return found


def memory(stamp: str, used: usage.Used) -> dict[str, Any]:
    """MemoryStats."""
    amounts = dict.fromkeys(("usageBytes", "workingSetBytes", "rssBytes"), used.memory)
    return {"time": stamp, **amounts, "pageFaults": 0, "majorPageFaults": 0}


def _file_system(
    stamp: str, facts: Facts, *, used: int | None = None, inodes: int | None = None
) -> dict[str, Any]:
    """FsStats of the one disk of the node; `used` is the share of whom it is told of."""
    disk, free = facts.seen[signals.NODE_FS], facts.seen[signals.NODE_FS_INODES]
    found = {
        "time": stamp,
        "availableBytes": disk.available,
        "capacityBytes": disk.capacity,
        "usedBytes": disk.capacity - disk.available if used is None else used,
        "inodesFree": free.available,
        "inodes": free.capacity,
    }
    if used is None or inodes is not None:
        found["inodesUsed"] = free.capacity - free.available if inodes is None else inodes
    return found


def _network(stamp: str) -> dict[str, Any]:
    counted = {"name": _INTERFACE, "rxBytes": 0, "rxErrors": 0, "txBytes": 0, "txErrors": 0}
    return {"time": stamp, **counted, "interfaces": [counted]}


def _swap(stamp: str) -> dict[str, Any]:
    return {"time": stamp, "swapAvailableBytes": 0, "swapUsageBytes": 0}
