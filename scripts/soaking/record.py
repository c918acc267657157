"""What a soak has measured, and what is wrong with it: pure."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from statistics import median

from soaking import verdict
from soaking.sampling import Sample

SAMPLE_SECONDS = 5.0
"""From one look to the next."""
_UNSEEN_SECONDS = 2 * SAMPLE_SECONDS


@dataclass(slots=True)
class Record:
    """All that was seen at each look. `rate` was asked for; `warm_up` is in seconds, and what comes
    after it is judged, memory only where `memory` says so.
    """

    rate: float
    warm_up: float
    memory: bool
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    alive: list[tuple[float, int]] = field(default_factory=list)
    """How many pods there were, by seconds since the beginning: one entry for each look."""
    counts: dict[str, int] = field(default_factory=dict)
    """What had happened by the last look."""
    judged_from: float | None = None
    _counts_then: dict[str, int] = field(default_factory=dict)

    def look(
        self, at: float, alive: int, counts: Mapping[str, int], found: Mapping[str, Sample]
    ) -> None:
        """Enter what was seen `at` seconds since the beginning."""
        self.alive.append((at, alive))
        self.counts = dict(counts)
        for name, sample in found.items():
            self.samples.setdefault(name, []).append(sample)
        if at >= self.warm_up and self.judged_from is None:
            self.judged_from = at
            self._counts_then = self.counts

    def rates(self) -> tuple[float, float]:
        """Pods that were created and deleted a second, after the warm-up."""
        seconds = self._end - (self.judged_from or 0.0)
        created, deleted = (
            (self.counts.get(what, 0) - self._counts_then.get(what, 0)) / max(seconds, 1)
            for what in ("created", "deleted")
        )
        return created, deleted

    def quarters(self) -> tuple[float, float] | None:
        """How many pods there were in the first and the last quarter, by medians."""
        counts = [count for at, count in self.alive if self._judged(at)]
        quarter = len(counts) // 4
        return (median(counts[:quarter]), median(counts[-quarter:])) if quarter else None

    def verdicts(self) -> list[verdict.Verdict]:
        """Of each process, from what came after the warm-up; of none where that is too little."""
        found = (self._verdict(name) for name in self.samples)
        return [judged for judged in found if judged is not None]

    def faults(self) -> list[str]:
        """What should not be, in words."""
        if not self.samples:
            return ["no process was seen"]
        return [f"{name}: {fault}" for name in self.samples for fault in self._faults(name)]

    def _faults(self, name: str) -> list[str]:
        found = verdict.deaths(self.samples[name], self._end, _UNSEEN_SECONDS)
        judged = self._verdict(name)
        if judged is not None:
            return found + judged.faults(memory=self.memory)
        seen = len(self._judgeable(name))
        return found or [f"it was seen too few times to be judged ({seen})"]

    def _verdict(self, name: str) -> verdict.Verdict | None:
        return verdict.judge(name, self._judgeable(name))

    def _judgeable(self, name: str) -> list[Sample]:
        return [sample for sample in self.samples[name] if self._judged(sample.at)]

    @property
    def _end(self) -> float:
        """The moment of the last look, whatever it saw: a cluster that is dead has no samples."""
        return self.alive[-1][0] if self.alive else 0.0

    def missed(self) -> bool:
        """Whether less than nine tenths of the rate was held."""
        return min(self.rates()) < 0.9 * self.rate

    def document(self) -> dict[str, object]:
        """Everything, for JSON."""
        return {
            "rates": self.rates(),
            "counts": self.counts,
            "alive": self.alive,
            "verdicts": [asdict(v) | {"growth": v.growth} for v in self.verdicts()],
            "samples": {n: [asdict(s) for s in all_] for n, all_ in self.samples.items()},
        }

    def _judged(self, at: float) -> bool:
        return self.judged_from is not None and at >= self.judged_from
