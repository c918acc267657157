"""Counts and durations of requests. Pure: the times are arguments."""

from bisect import bisect_left
from typing import Protocol

from cluster.api.resources import Resource

BUCKETS = (
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0,
    10.0, 15.0, 20.0, 30.0, 45.0, 60.0,
)  # fmt: skip
"""Upper bounds, in seconds, of apiserver_request_duration_seconds."""


class Durations:
    """How requests of one kind were answered, and how long they took."""

    __slots__ = ("codes", "counts", "total")

    def __init__(self) -> None:
        self.codes: dict[int, int] = {}
        self.counts = [0] * (len(BUCKETS) + 1)
        self.total = 0.0


class Aimed(Protocol):
    """What of a request is counted; `rest.paths.Target` has it all."""

    @property
    def resource(self) -> Resource:
        """Its resource."""
        ...

    @property
    def namespace(self) -> str:
        """Where, "" for everywhere."""
        ...

    @property
    def name(self) -> str:
        """Of what object, "" for many."""
        ...

    @property
    def subresource(self) -> str:
        """Which part of it."""
        ...


class RequestMetrics:
    """What has been asked and answered since the start.

    Their number is bounded by that of resources, verbs and codes: nothing that a client chooses
    freely becomes a label.
    """

    def __init__(self) -> None:
        self.took: dict[tuple[str, str, str, str, str], Durations] = {}
        self.mutating = 0
        self.reading = 0

    def begin(self, mutating: bool) -> None:
        """A request is being carried out."""
        if mutating:
            self.mutating += 1
        else:
            self.reading += 1

    def end(self, mutating: bool) -> None:
        """It is done."""
        if mutating:
            self.mutating -= 1
        else:
            self.reading -= 1

    def observe(self, verb: str, target: Aimed | None, code: int, seconds: float) -> None:
        """Count an answer and, unless it was a watch, how long it took."""
        if target is None:
            kind = (verb if verb in _METHODS else "other", "", "", "", "")
        else:
            row = target.resource
            scope = "resource" if target.name else "namespace" if target.namespace else "cluster"
            kind = (verb, row.id, row.version, target.subresource, scope)
        durations = self.took.get(kind)
        if durations is None:
            durations = self.took[kind] = Durations()
        durations.codes[code] = durations.codes.get(code, 0) + 1
        if verb == "watch":
            return
        durations.counts[bisect_left(BUCKETS, seconds)] += 1
        durations.total += seconds


_METHODS = frozenset(("get", "head", "post", "put", "patch", "delete", "options"))
