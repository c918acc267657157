"""Which of the nodes where preemption would work: the one where it does the least harm."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cluster.scheduler.nodes import residents
from cluster.scheduler.nodes.columns import Ints
from cluster.scheduler.pods import PodInfo

NEVER_NEGATIVE: Final = 1 << 31
"""Added to every priority that is summed up: so that more victims are never the smaller sum."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node on which the pod would fit if these pods were gone, the most important first."""

    node: str
    victims: tuple[PodInfo, ...]
    violations: int
    """How many of the victims are guarded by a disruption budget that has nothing left."""


@dataclass(frozen=True, slots=True)
class Harm:
    """What preemption would do on each of some nodes: parallel arrays.

    `start` is the earliest start time of the victims of the highest priority.
    """

    violations: Ints
    highest: Ints
    total: Ints
    count: Ints
    start: NDArray[np.float64]

    def least(self) -> int:
        """The index of the node to choose; of equals the first.

        Fewest violations; lowest highest priority of a victim; smallest sum of priorities; fewest
        victims; and of those left, where the most important victims have run for the least time.
        """
        keys = (-self.start, self.count, self.total, self.highest, self.violations)
        return int(np.lexsort(keys)[0])


def harm(candidates: Sequence[Candidate]) -> Harm:
    """The harm of each candidate."""

    def ints(values: list[int]) -> Ints:
        return np.array(values, np.int64)

    return Harm(
        ints([one.violations for one in candidates]),
        ints([one.victims[0].priority for one in candidates]),
        ints([sum(pod.priority + NEVER_NEGATIVE for pod in one.victims) for one in candidates]),
        ints([len(one.victims) for one in candidates]),
        np.array([_start(one.victims) for one in candidates], np.float64),
    )


def _start(victims: Sequence[PodInfo]) -> float:
    highest = victims[0].priority
    return min(residents.start_time(pod) for pod in victims if pod.priority == highest)
