"""What a process counts for /metrics: dicts on the way, Prometheus' text when it is asked for.

`current` holds the Figures of the process; where it is unset, nothing is counted. It is a context
variable, so that each part of a lab may have its own. Names, help texts and labels are Kubernetes'
own: those here are client-go's and component-base's.
"""

import contextlib
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """A metric: a histogram where it has buckets."""

    help: str
    labels: Labels = ()
    kind: str = "counter"
    buckets: tuple[float, ...] = ()


POWERS_OF_TEN: Final = tuple(10.0**power for power in range(-8, 2))
FAMILIES: Final[Mapping[str, Family]] = {
    "leader_election_master_status": Family(
        "Gauge of if the reporting system is master of the relevant lease, 0 indicates backup, 1 "
        "indicates master. 'name' is the string used to identify the lease.",
        ("name",),
        "gauge",
    ),
    "rest_client_requests_total": Family(
        "Number of HTTP requests, partitioned by status code, method, and host.",
        ("code", "host", "method"),
    ),
    "workqueue_adds_total": Family("Total number of adds handled by workqueue", ("name",)),
    "workqueue_depth": Family("Current depth of workqueue", ("name",), "gauge"),
    "workqueue_retries_total": Family("Total number of retries handled by workqueue", ("name",)),
    "workqueue_work_duration_seconds": Family(
        "How long in seconds processing an item from workqueue takes.",
        ("name",),
        "histogram",
        POWERS_OF_TEN,
    ),
}


class _Histogram:
    """Counts by bucket, the last one without an end; and the sum."""

    __slots__ = ("counts", "sum")

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * (buckets + 1)
        self.sum = 0.0


class Figures:
    """What one process has counted since it began. Labels are few: they come from the code."""

    def __init__(self, *more: Mapping[str, Family]) -> None:
        self._families = dict(FAMILIES)
        for families in more:
            self._families |= families
        self._values: dict[str, dict[Labels, float]] = {}
        self._histograms: dict[str, dict[Labels, _Histogram]] = {}
        self._sources: dict[str, dict[Labels, Callable[[], float]]] = {}

    def count(self, name: str, *labels: str, by: float = 1) -> None:
        """One more."""
        rows = self._values.setdefault(name, {})
        rows[labels] = rows.get(labels, 0) + by

    def set(self, name: str, value: float, *labels: str) -> None:
        """A gauge has this value now."""
        self._values.setdefault(name, {})[labels] = value

    def observe(self, name: str, seconds: float, *labels: str) -> None:
        """One more, that took so long."""
        rows = self._histograms.setdefault(name, {})
        buckets = self._families[name].buckets
        found = rows.get(labels)
        if found is None:
            found = rows[labels] = _Histogram(len(buckets))
        found.counts[bisect_left(buckets, seconds)] += 1
        found.sum += seconds

    def follow(self, name: str, read: Callable[[], float], *labels: str) -> None:
        """Ask `read` for the value when somebody asks; the newest reader of labels counts."""
        self._sources.setdefault(name, {})[labels] = read

    def value(self, name: str) -> float:
        """The sum of all rows of a counter or gauge."""
        told = (read() for read in self._sources.get(name, {}).values())
        return sum(self._values.get(name, {}).values()) + sum(told)

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return "".join(f"{line}\n" for line in self._lines()).encode()

    def _lines(self) -> Iterator[str]:
        for name, family in sorted(self._families.items()):
            rows = dict(self._values.get(name, ()))
            rows |= {labels: read() for labels, read in self._sources.get(name, {}).items()}
            histograms = self._histograms.get(name, {})
            if not rows and not histograms:
                continue
            yield f"# HELP {name} {family.help}"
            yield f"# TYPE {name} {family.kind}"
            for labels, value in rows.items():
                yield f"{name}{_shown(family.labels, labels)} {_number(value)}"
            for labels, histogram in histograms.items():
                yield from _histogram_lines(name, family, labels, histogram)


current: ContextVar[Figures | None] = ContextVar("figures", default=None)


@contextlib.contextmanager
def counting(figures: Figures) -> Iterator[Figures]:
    """What is built and started inside counts in `figures`."""
    token = current.set(figures)
    try:
        yield figures
    finally:
        current.reset(token)


def _histogram_lines(
    name: str, family: Family, labels: Labels, histogram: _Histogram
) -> Iterator[str]:
    total = 0
    ends = [*map(_number, family.buckets), "+Inf"]
    for end, count in zip(ends, histogram.counts, strict=True):
        total += count
        shown = _shown((*family.labels, "le"), (*labels, end))
        yield f"{name}_bucket{shown} {total}"
    shown = _shown(family.labels, labels)
    yield f"{name}_sum{shown} {_number(histogram.sum)}"
    yield f"{name}_count{shown} {total}"


def _shown(names: Labels, values: Labels) -> str:
    if not names:
        return ""
    pairs = zip(names, values, strict=True)
    inside = ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in pairs)
    return f"{{{inside}}}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.9g}"
