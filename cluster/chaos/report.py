"""The report of an experiment: what was done, what came of it, and whether that is good enough.

A report is a JSON document from its birth; `words` and `picture` show what such a document says, so
a report of long ago is shown as one of now.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from cluster.api import durations
from cluster.chaos import experiment as ex
from cluster.chaos.asking import Tally
from cluster.chaos.marks import Span
from cluster.chaos.observing import NODE_LOST, NODE_READY, OF_PODS, Event

KIND: Final = "ChaosReport"
PASSED, FAILED, ABORTED = "passed", "failed", "aborted"
EXIT_CODES: Final = {PASSED: 0, FAILED: 1, ABORTED: 3}
_MOST_EVENTS: Final = 2000
_MOST_OUTAGES: Final = 200


@dataclass(slots=True)
class Outcome:
    """What an experiment has seen. Times are seconds since the faults began."""

    made: ex.Experiment
    cluster: str
    backend: str
    started: float
    """Wall time at which the faults began."""
    seconds: float = 0.0
    """How long it was looked at from then on."""
    spans: list[Span] = field(default_factory=list)
    tallies: dict[str, Tally] = field(default_factory=dict)
    states: dict[str, tuple[bool, str]] = field(default_factory=dict)
    """Whether each probe of a state held at the end, and how it was."""
    events: Sequence[Event] = ()
    nodes: Mapping[str, bool] = field(default_factory=dict)
    """All nodes, and whether they are Ready at the end."""
    ready_pods: Sequence[tuple[float, int]] = ()
    recovered: bool = True
    failing: Mapping[str, str] = field(default_factory=dict)
    """Where it has not: the probes whose requests failed at last, and how."""
    aborted: str = ""
    """Why it was not carried to its end."""
    notes: list[str] = field(default_factory=list)


def verdict(seen: Outcome) -> tuple[str, list[str]]:
    """The verdict, and all that speaks against it."""
    if seen.aborted:
        return ABORTED, [seen.aborted]
    made = seen.made
    reasons = [
        f"fault {span.number} ({span.action}): {span.error}" for span in seen.spans if span.error
    ]
    for probe in made.probes:
        tally = seen.tallies.get(probe.name)
        if tally is None:
            continue
        if tally.availability < probe.availability:
            reasons.append(
                f"{probe.name}: {_percent(tally.availability)} of requests were answered well, "
                f"less than {_percent(probe.availability)}"
            )
        slow = tally.percentile(0.99)
        if probe.p99 and slow > probe.p99:
            reasons.append(
                f"{probe.name}: 99% of answers took up to {durations.format(slow)}, "
                f"more than {durations.format(probe.p99)}"
            )
    if seen.spans:
        reasons += _unmet(made.expect, seen.spans)
    if not seen.recovered:
        ill = [f"{name} ({how})" for name, (held, how) in seen.states.items() if not held]
        ill += [f"{name} ({how})" for name, how in seen.failing.items()]
        within = durations.format(made.recovery_within)
        never = f"never for {durations.format(ex.WELL_FOR)} on end"
        reasons.append(f"not well again within {within}: {', '.join(ill) or never}")
    return (FAILED if reasons else PASSED), reasons


def _unmet(expect: Mapping[str, float], spans: Sequence[Span]) -> list[str]:
    found = []
    for mark, within in expect.items():
        came = next((span.marks[mark] for span in spans if mark in span.marks), None)
        if within == ex.NEVER:
            if came is not None:
                found.append(f"{mark} came after {durations.format(came)}, and never should have")
        elif came is None:
            found.append(f"{mark} did not come (within {durations.format(within)})")
        elif came > within:
            found.append(
                f"{mark} came after {durations.format(came)}, later than {durations.format(within)}"
            )
    return found


def document(seen: Outcome) -> dict[str, Any]:
    """The report as a JSON document."""
    word, reasons = verdict(seen)
    made = seen.made
    kept = _kept(seen.events)
    return {
        "apiVersion": ex.API_VERSION,
        "kind": KIND,
        "experiment": made.name,
        "description": made.description,
        "seed": made.seed,
        "cluster": seen.cluster,
        "backend": seen.backend,
        "started": datetime.fromtimestamp(seen.started, UTC).isoformat(timespec="milliseconds"),
        "seconds": _round(seen.seconds),
        "verdict": word,
        "reasons": reasons,
        "notes": list(seen.notes),
        "faults": [_fault(span) for span in seen.spans],
        "probes": [_probe(probe, seen) for probe in made.probes],
        "nodes": _nodes(seen),
        "readyPods": [[_round(at), count] for at, count in _thinned(seen.ready_pods)],
        "events": [
            {"at": _round(one.at), "kind": one.kind, "subject": one.subject, "text": one.text}
            for one in kept
        ],
        "eventsLeftOut": len(seen.events) - len(kept),
        "podEvents": dict(sorted(_of_pods(seen.events).items())),
    }


def _kept(events: Sequence[Event]) -> Sequence[Event]:
    """Those that a report has room for: of pods there are many, and they are counted as well."""
    others = sum(one.kind not in OF_PODS for one in events)
    room = max(_MOST_EVENTS - others, 0)
    kept = []
    for one in events:
        if one.kind in OF_PODS:
            room -= 1
        if one.kind not in OF_PODS or room >= 0:
            kept.append(one)
    return kept[:_MOST_EVENTS]


def _thinned(changes: Sequence[tuple[float, int]]) -> Sequence[tuple[float, int]]:
    """Those that a report has room for: each of so many, with the last one."""
    step = -(-len(changes) // _MOST_EVENTS) or 1
    return changes[::-1][::step][::-1]


def _of_pods(events: Sequence[Event]) -> Counter[str]:
    """How many events of pods there were of each kind since the faults began."""
    return Counter(one.kind for one in events if one.kind in OF_PODS and one.at >= 0)


def _fault(span: Span) -> dict[str, Any]:
    return {
        "number": span.number,
        "do": span.action,
        "target": span.whom,
        "done to": list(span.targets),
        "began": _round(span.began),
        "ended": None if span.ended is None else _round(span.ended),
        "error": span.error,
        "requests": span.requests,
        **{mark: _round(span.marks[mark]) if mark in span.marks else None for mark in ex.MARKS},
    }


def _probe(probe: ex.Probe, seen: Outcome) -> dict[str, Any]:
    tally = seen.tallies.get(probe.name)
    if tally is None:
        held, how = seen.states.get(probe.name, (False, "was not looked at"))
        return {"name": probe.name, "type": probe.kind, "held": held, "state": how}
    return {
        "name": probe.name,
        "type": probe.kind,
        "requests": tally.sent,
        "failed": tally.failed,
        "availability": round(tally.availability, 6),
        "wanted": probe.availability,
        "p50": _round(tally.percentile(0.5)),
        "p99": _round(tally.percentile(0.99)),
        "longestOutage": _round(tally.worst),
        "outages": [
            [_round(one.began), None if one.ended is None else _round(one.ended), one.failed]
            for one in tally.outages.found()[:_MOST_OUTAGES]
        ],
        "errors": dict(sorted(tally.errors.items())),
        "bySecond": [[second, *tally.seconds[second]] for second in sorted(tally.seconds)],
    }


def _nodes(seen: Outcome) -> dict[str, list[list[Any]]]:
    """For each node when it became Ready and NotReady; first how it was before."""
    found: dict[str, list[list[Any]]] = {}
    for name in sorted(seen.nodes):
        mine = [
            event
            for event in seen.events
            if event.subject == name and event.kind in (NODE_LOST, NODE_READY)
        ]
        before = mine[0].kind == NODE_LOST if mine else seen.nodes[name]
        found[name] = [[None, before]]
        found[name] += [[_round(event.at), event.kind == NODE_READY] for event in mine]
    return found


def _round(seconds: float) -> float:
    return round(seconds, 3)


def _percent(share: float) -> str:
    return f"{share * 100:.2f}%"
