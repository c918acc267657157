"""A kubelet's /stats/summary, as far as metrics.k8s.io tells of it. Pure.

Source: k8s.io/kubelet/pkg/apis/stats/v1alpha1. A kubelet is not believed more than it has to be:
amounts are bounded, and what cannot be read is left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from cluster.api import timestamps

Amount = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
MAX_PODS: Final = 10_000
MAX_CONTAINERS: Final = 1000


@dataclass(frozen=True, slots=True)
class Usage:
    """Cores in billionths, memory in bytes."""

    cpu: int
    memory: int


@dataclass(frozen=True, slots=True)
class PodUsage:
    """The containers of a pod, by name; observed at `at` (seconds since the epoch)."""

    uid: str
    at: float
    containers: Mapping[str, Usage]


@dataclass(frozen=True, slots=True)
class NodeUsage:
    """A node and its pods, these by namespace and name."""

    at: float
    usage: Usage
    pods: Mapping[tuple[str, str], PodUsage]


class Unreadable(Exception):
    """A summary that is none."""


class _Cpu(msgspec.Struct):
    time: str = ""
    usageNanoCores: Amount | None = None


class _Memory(msgspec.Struct):
    workingSetBytes: Amount | None = None


class _Container(msgspec.Struct):
    name: str = ""
    cpu: _Cpu | None = None
    memory: _Memory | None = None


class _Reference(msgspec.Struct):
    name: str = ""
    namespace: str = ""
    uid: str = ""


class _Pod(msgspec.Struct):
    podRef: _Reference
    containers: Annotated[list[_Container], msgspec.Meta(max_length=MAX_CONTAINERS)] | None = None


class _Node(msgspec.Struct):
    cpu: _Cpu | None = None
    memory: _Memory | None = None


class _Summary(msgspec.Struct):
    node: _Node
    pods: Annotated[list[_Pod], msgspec.Meta(max_length=MAX_PODS)] | None = None


_decode = msgspec.json.Decoder(_Summary).decode


def read(body: bytes) -> NodeUsage:
    """The usage that a summary tells. Unreadable.

    A pod counts only when all its containers are known, as with metrics-server.
    """
    try:
        found = _decode(body)
        usage = _usage(found.node.cpu, found.node.memory)
        if usage is None or found.node.cpu is None:
            raise Unreadable("it does not tell what the node uses")
        at = timestamps.decode(found.node.cpu.time)
        pods = {}
        for pod in found.pods or ():
            its = _pod(pod, at)
            if its is not None:
                pods[pod.podRef.namespace, pod.podRef.name] = its
    except (ValueError, OverflowError, RecursionError) as error:
        raise Unreadable(str(error)) from error
    return NodeUsage(at, usage, pods)


def _pod(pod: _Pod, at: float) -> PodUsage | None:
    containers: dict[str, Usage] = {}
    for one in pod.containers or ():
        usage = _usage(one.cpu, one.memory)
        if usage is None:
            return None
        containers[one.name] = usage
        if one.cpu is not None and one.cpu.time:
            at = min(at, timestamps.decode(one.cpu.time))
    return PodUsage(pod.podRef.uid, at, containers) if containers else None


def _usage(cpu: _Cpu | None, memory: _Memory | None) -> Usage | None:
    if cpu is None or memory is None:
        return None
    if cpu.usageNanoCores is None or memory.workingSetBytes is None:
        return None
    return Usage(cpu.usageNanoCores, memory.workingSetBytes)
