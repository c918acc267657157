"""Prometheus' text format, as far as the kubelet's pages need it. Pure."""

from collections.abc import Iterable, Mapping
from typing import Final

from cluster.kubelet.figures import FAMILIES, Figures

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
Row = tuple[Mapping[str, str], float]


class Page:
    """Gathers families; `data` is the page."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def family(
        self, name: str, help: str, rows: Iterable[Row], kind: str = "gauge", at: int = 0
    ) -> None:
        """One metric with its rows; `at` in milliseconds since the epoch, 0 for none."""
        self._head(name, help, kind)
        stamp = f" {at}" if at else ""
        for labels, value in rows:
            self._lines.append(f"{name}{_labels(labels)} {_number(value)}{stamp}")

    def figures(self, figures: Figures) -> None:
        """Everything that was counted."""
        for name, family in FAMILIES.items():
            if family.buckets:
                self._histogram(name, figures)
                continue
            rows = figures.counters.get(name)
            if rows is None:
                if family.labels:
                    continue  # nothing is known of its labels yet
                rows = {(): 0}
            named = ((dict(zip(family.labels, each, strict=True)), n) for each, n in rows.items())
            self.family(name, family.help, named, "counter")

    def data(self) -> bytes:
        """The page."""
        return ("\n".join(self._lines) + "\n").encode()

    def _histogram(self, name: str, figures: Figures) -> None:
        family, rows = FAMILIES[name], figures.histograms.get(name, {})
        if not rows:
            return
        self._head(name, family.help, "histogram")
        for labels, found in rows.items():
            named = dict(zip(family.labels, labels, strict=True))
            total = 0
            ends = [*map(_number, family.buckets), "+Inf"]
            for end, count in zip(ends, found.counts, strict=True):
                total += count
                self._lines.append(f"{name}_bucket{_labels({**named, 'le': end})} {total}")
            self._lines.append(f"{name}_sum{_labels(named)} {_number(found.sum)}")
            self._lines.append(f"{name}_count{_labels(named)} {total}")

    def _head(self, name: str, help: str, kind: str) -> None:
        self._lines += [f"# HELP {name} {help}", f"# TYPE {name} {kind}"]


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    inside = ",".join(f'{key}="{value.translate(_ESCAPES)}"' for key, value in labels.items())
    return f"{{{inside}}}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.9g}"
