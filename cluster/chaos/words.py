"""A report as text, for people and logs."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from cluster.api import durations
from cluster.chaos import experiment as ex

_TOLD: Final = (
    "begun", "undone", "failed", "nodeNotReady", "nodeReady", "leader", "deploymentShort",
    "deploymentFull", "lost", "held",
)  # fmt: skip
"""Events that are shown; pods are counted."""
_MOST: Final = 60
_MOMENT: Final = 0.5


def text(report: Mapping[str, Any]) -> str:
    """The whole report."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Mapping[str, Any]) -> Iterator[str]:
    yield f"{report['experiment']}: {report['verdict'].upper()}"
    for reason in report["reasons"]:
        yield f"  - {reason}"
    # One that was aborted may have done nothing, and then nothing came of it.
    done = bool(report["faults"]) or report["verdict"] != "aborted"
    span = f"{durations.format(report['seconds'])} from the first fault"
    yield (
        f"  cluster {report['cluster']} ({report['backend']}), "
        f"{span if done else 'no fault was begun'}, seed {report['seed']}"
    )
    for note in report["notes"]:
        yield f"  note: {note}"
    if done:
        yield from ("", *_faults(report), *_probes(report), *_events(report))
    elif any(one.get("requests") for one in report["probes"]):
        yield from ("", *_probes(report))


def _faults(report: Mapping[str, Any]) -> Iterator[str]:
    yield "FAULTS"
    for one in report["faults"]:
        who = ", ".join(one["done to"]) or one["target"] or "the API"
        span = f"at {_time(one['began'])}"
        if one["ended"] is not None and one["ended"] - one["began"] >= _MOMENT:
            span += f" for {durations.format(one['ended'] - one['began'])}"
        if one.get("requests") is not None:
            span += f", to {one['requests']} request{'s' * (one['requests'] != 1)}"
        yield f"  {one['number']}. {one['do']} {who}, {span}"
        if one["error"]:
            yield f"     {one['error']}"
        told = [
            f"{title} after {durations.format(one[mark])}"
            for mark, title in ex.MARK_TITLES.items()
            if one[mark] is not None
        ]
        if told or not one["error"]:
            yield f"     {'; '.join(told) or 'nothing was noticed'}"
    yield ""


def _probes(report: Mapping[str, Any]) -> Iterator[str]:
    if not report["probes"]:
        return
    yield "PROBES"
    width = max(len(one["name"]) for one in report["probes"])
    for one in report["probes"]:
        name = one["name"].ljust(width)
        if "requests" not in one:
            yield f"  {name}  {'held' if one['held'] else 'NOT HELD'} at the end: {one['state']}"
            continue
        if not one["requests"]:
            yield f"  {name}  no request was sent"
            continue
        wanted = f" (wanted: {one['wanted'] * 100:.2f}%)" if one["wanted"] else ""
        yield (
            f"  {name}  {one['requests']} requests, {one['failed']} failed: availability "
            f"{one['availability'] * 100:.2f}%{wanted}, longest outage "
            f"{durations.format(one['longestOutage'])}, p50 {durations.format(one['p50'])}, "
            f"p99 {durations.format(one['p99'])}"
        )
        for error, count in sorted(one["errors"].items(), key=lambda item: (-item[1], item[0])):
            yield f"  {' ' * width}  {count} times: {error}"
    yield ""


def _events(report: Mapping[str, Any]) -> Iterator[str]:
    events = [one for one in report["events"] if one["kind"] in _TOLD and one["at"] >= 0]
    yield "TIME LINE"
    for one in events[:_MOST]:
        more = f" ({one['text']})" if one["text"] else ""
        yield f"  {_time(one['at']):>9}  {one['kind']:<15} {one['subject']}{more}"
    if len(events) > _MOST:
        yield f"  and {len(events) - _MOST} more"
    if counts := _of_pods(report):
        shown = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
        yield f"  of pods: {shown}"
    if left := report.get("eventsLeftOut"):
        yield f"  {left} events are left out of this report"


def _of_pods(report: Mapping[str, Any]) -> Mapping[str, int]:
    """How many events there were of pods; a report of long ago has no more than the events."""
    if "podEvents" in report:
        return dict(report["podEvents"])
    return Counter(
        one["kind"] for one in report["events"] if one["kind"] not in _TOLD and one["at"] >= 0
    )


def _time(seconds: float) -> str:
    return f"{seconds:+.1f}s"
