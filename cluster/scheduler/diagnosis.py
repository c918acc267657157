"""Why a pod fits nowhere, in kube-scheduler's words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from cluster.scheduler.framework.status import Status
from cluster.scheduler.nodes.columns import Rows

NO_NODES: Final = "no nodes available to schedule pods"
_NOTE_LENGTH_LIMIT: Final = 1024
_CUT: Final = " ..."


@dataclass(slots=True)
class Diagnosis:
    """What an attempt found where no node was left.

    `verdicts` has the rows by verdict; `pre_filter` is set instead where a plugin turned the pod
    down before any node was looked at. `post_filter` is what the last resort said.
    """

    nodes: int
    verdicts: Mapping[Status, Rows] = field(default_factory=dict)
    pre_filter: Status | None = None
    post_filter: str = ""

    @property
    def rejected_by(self) -> tuple[str, ...]:
        """The plugins that turned down the pod or a node, sorted by name."""
        found = {status.plugin for status in self.verdicts if status.plugin}
        if self.pre_filter is not None:
            found.add(self.pre_filter.plugin)
        return tuple(sorted(found))

    def message(self) -> str:
        """The text of the FailedScheduling event and of the PodScheduled condition."""
        if not self.nodes:
            return NO_NODES
        if self.pre_filter is not None:
            text = f"0/{self.nodes} nodes are available: {self.pre_filter.message}."
        else:
            counted = ((status.reasons, len(rows)) for status, rows in self.verdicts.items())
            text = fit_text(self.nodes, counted)
        if self.post_filter:
            text += f" {self.post_filter}"
        return text


def fit_text(nodes: int, counted: Iterable[tuple[Iterable[str], int]]) -> str:
    """`0/3 nodes are available: 1 reason, 2 other reason.`: a histogram, sorted as text."""
    histogram: dict[str, int] = {}
    for reasons, count in counted:
        for reason in reasons:
            histogram[reason] = histogram.get(reason, 0) + count
    parts = sorted(f"{count} {reason}" for reason, count in histogram.items())
    text = f"0/{nodes} nodes are available:"
    return f"{text} {', '.join(parts)}." if parts else text


def cut(text: str) -> str:
    """The text within the length that an event's message may have."""
    if len(text) <= _NOTE_LENGTH_LIMIT:
        return text
    return text[: _NOTE_LENGTH_LIMIT - len(_CUT)] + _CUT
