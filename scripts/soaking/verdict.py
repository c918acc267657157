"""Whether a process has died, or grown: the last quarter of what was measured against the first, by
medians.

What is measured begins after the warm-up, when all that is bounded has reached its bound.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from soaking.sampling import Sample

MEMORY = 0.05
"""How much of its memory a process may grow by, as a share."""
_FLAT = 0.05
_FEW = 10
"""Descriptors and tasks come and go with the load: so many more are no leak."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one process between the first and the last quarter, by medians."""

    name: str
    pss: tuple[float, float]
    private: tuple[float, float]
    rss: tuple[float, float]
    descriptors: tuple[float, float]
    tasks: tuple[float, float] | None

    @property
    def growth(self) -> float:
        """Of its proportional set size, as a share: 0.05 is five percent."""
        return self.pss[1] / self.pss[0] - 1

    def faults(self, *, memory: bool = True) -> list[str]:
        """What should not be, in words; without `memory`, a larger one is no fault."""
        found = []
        if memory and self.pss[1] > self.pss[0] * (1 + MEMORY):
            found.append(f"its memory grew by {self.growth:.1%}")
        if not _flat(self.descriptors):
            found.append("its descriptors grew from {:.0f} to {:.0f}".format(*self.descriptors))
        if self.tasks and not _flat(self.tasks):
            found.append("its tasks grew from {:.0f} to {:.0f}".format(*self.tasks))
        return found


def judge(name: str, samples: Sequence[Sample]) -> Verdict | None:
    """The verdict on one process, from samples after the warm-up; None where these are too few."""
    if len(samples) < 4:
        return None
    quarter = len(samples) // 4
    first, last = samples[:quarter], samples[-quarter:]
    tasks = None
    if all(sample.tasks is not None for sample in (*first, *last)):
        tasks = (median(s.tasks or 0 for s in first), median(s.tasks or 0 for s in last))
    return Verdict(
        name,
        (median(s.pss for s in first), median(s.pss for s in last)),
        (median(s.private for s in first), median(s.private for s in last)),
        (median(s.rss for s in first), median(s.rss for s in last)),
        (median(s.descriptors for s in first), median(s.descriptors for s in last)),
        tasks,
    )


def deaths(samples: Sequence[Sample], end: float, patience: float) -> list[str]:
    """Whether a process died, from all of its samples and the moment of the last look, in words.

    It may be missed at a look; where it was not seen for longer than `patience`, it is gone.
    """
    found = []
    if len({sample.pid for sample in samples}) > 1:
        found.append("it died and was started again")
    unseen = end - samples[-1].at
    if unseen > patience:
        found.append(f"it died: nothing was seen of it in the last {unseen:.0f} s")
    return found


def _flat(before_and_after: tuple[float, float]) -> bool:
    before, after = before_and_after
    return after <= before * (1 + _FLAT) + _FEW
