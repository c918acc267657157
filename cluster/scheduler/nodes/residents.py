"""The pods of a node in columns, the most important first: what preemption looks at.

Built when preemption first looks at a node, and kept until a pod of that node changes.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cluster.api import objects, timestamps
from cluster.scheduler.nodes.columns import Ints
from cluster.scheduler.nodes.table import PODS_COLUMN, NodeTable
from cluster.scheduler.pods import PodInfo


@dataclass(frozen=True, slots=True)
class Residents:
    """`pods` by importance; the arrays are parallel to it.

    `requests` is of shape (pods, resources), in the node table's columns; `starts` are wall
    seconds, infinity for a pod that has not started.
    """

    pods: tuple[PodInfo, ...]
    priorities: Ints
    starts: NDArray[np.float64]
    requests: Ints


def of(pods: Iterable[PodInfo], table: NodeTable) -> Residents:
    """The columns of these pods."""
    ordered = sorted(pods, key=importance)
    requests = np.zeros((len(ordered), len(table.resources)), np.int64)
    for at, pod in enumerate(ordered):
        requests[at, PODS_COLUMN] = 1
        for name, amount in pod.requests.amounts:
            requests[at, table.resources[name]] = amount
    return Residents(
        tuple(ordered),
        np.array([pod.priority for pod in ordered], np.int64),
        np.array([start_time(pod) for pod in ordered], np.float64),
        requests,
    )


def importance(pod: PodInfo) -> tuple[int, float]:
    """Orders pods by importance: higher priority first, then whoever has run longer."""
    return (-pod.priority, start_time(pod))


def start_time(pod: PodInfo) -> float:
    """When the pod started, wall seconds; infinity before (Kubernetes takes the present)."""
    text = objects.status(pod.object).get("startTime")
    try:
        return timestamps.decode(text) if text else math.inf
    except ValueError:
        return math.inf
