"""How many replicas each metric of an autoscaler calls for, and all of them together. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from cluster.api import quantity
from cluster.api.objects import Object
from cluster.controllers.podautoscaler import questions, replicas
from cluster.controllers.podautoscaler.model import Reading, Samples, Unavailable
from cluster.controllers.podautoscaler.replicas import Found, Situation


@dataclass(frozen=True, slots=True)
class Proposal:
    """`replicas` because of the metric that is called `name`; `status` is its currentMetrics."""

    replicas: int
    name: str
    status: Object


class Failed(Exception):
    """A metric could not be had. `reason` and `told` are for its event and condition; the message
    is for the list of what went wrong.
    """

    def __init__(self, reason: str, told: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.told = told


@dataclass(frozen=True, slots=True)
class Agreed:
    """What all metrics call for: `replicas` because of `name`; None where too many are missing."""

    replicas: int | None
    name: str
    statuses: tuple[Object, ...]
    failures: tuple[Failed, ...]

    @property
    def problem(self) -> str:
        """What went wrong, "" where nothing did."""
        if not self.failures:
            return ""
        count, total = len(self.failures), len(self.statuses)
        what = f"invalid metrics ({count} invalid out of {total})"
        return f"{what}, first error is: {self.failures[0]}"


_UNKNOWN: Final[Object] = {"type": ""}
"""currentMetrics of a metric that could not be had: Kubernetes writes an empty one."""


def agreed(at: Situation, metrics: Sequence[Object], readings: Sequence[Reading]) -> Agreed:
    """The most that any metric calls for. With a metric missing nothing is scaled down, for the
    missing one might call for more.
    """
    best: Proposal | None = None
    failures: list[Failed] = []
    statuses: list[Object] = []
    for metric, reading in zip(metrics, readings, strict=True):
        try:
            proposal = proposed(at, metric, reading)
        except Failed as failure:
            failures.append(failure)
            statuses.append(_UNKNOWN)
            continue
        statuses.append(proposal.status)
        if best is None or best.replicas == 0 or proposal.replicas > best.replicas:
            best = proposal
    if best is None or (failures and best.replicas < at.wanted):
        return Agreed(None, "", tuple(statuses), tuple(failures))
    return Agreed(best.replicas, best.name, tuple(statuses), tuple(failures))


def proposed(at: Situation, metric: Object, reading: Reading) -> Proposal:
    """What one metric calls for. Failed."""
    kind = metric.get("type") or ""
    propose = _KINDS.get(kind)
    if propose is None:
        text = f'unknown metric source type "{kind}"'
        raise Failed("InvalidMetricSourceType", text, text)
    source = metric.get(kind[:1].lower() + kind[1:]) or {}
    return propose(at, source, reading)


class _Propose(Protocol):
    def __call__(self, at: Situation, source: Object, reading: Reading) -> Proposal: ...


def _resource(at: Situation, source: Object, reading: Reading) -> Proposal:
    name = source.get("name") or ""
    try:
        found, text = _used(at, source, reading, "resource")
    except Unavailable as error:
        raise Failed(
            "FailedGetResourceMetric", str(error),
            f"failed to get {name} resource metric value: {error}",
        ) from None  # fmt: skip
    status = {"name": name, "current": _current(found)}
    return Proposal(found.replicas, text, {"type": "Resource", "resource": status})


def _container(at: Situation, source: Object, reading: Reading) -> Proposal:
    name, container = source.get("name") or "", source.get("container") or ""
    try:
        found, text = _used(at, source, reading, "container resource")
    except Unavailable as error:
        raise Failed(
            "FailedGetContainerResourceMetric", str(error),
            f"failed to get {container} container metric value: {error}",
        ) from None  # fmt: skip
    status = {"name": name, "container": container, "current": _current(found)}
    return Proposal(
        found.replicas, text, {"type": "ContainerResource", "containerResource": status}
    )


def _used(at: Situation, source: Object, reading: Reading, title: str) -> tuple[Found, str]:
    """What pods use of a resource, and what that is called. Unavailable."""
    name, container = source.get("name") or "", source.get("container") or ""
    target = source.get("target") or {}
    average, percent = target.get("averageValue"), target.get("averageUtilization")
    if average is None and percent is None:
        raise Unavailable(
            "invalid resource metric source: neither an average utilization target nor an average "
            "value (usage) target was set"
        )
    try:
        samples = _samples(reading, f"unable to get metrics for resource {name}: ")
        if average is not None:
            found = replicas.by_average(at, samples, name, quantity.milli(average))
            return found, f"{name} resource"
        found = replicas.by_utilization(at, samples, name, container, int(percent or 0))
    except Unavailable as error:
        what = "usage" if average is not None else "utilization"
        raise Unavailable(f"failed to get {name} {what}: {error}") from None
    return found, f"{name} {title} utilization (percentage of request)"


def _pods(at: Situation, source: Object, reading: Reading) -> Proposal:
    metric = source.get("metric") or {}
    name = metric.get("name") or ""
    target = (source.get("target") or {}).get("averageValue") or "0"
    try:
        samples = _samples(reading, f"unable to get metric {name}: ")
        found = replicas.by_average(at, samples, "", max(quantity.milli(target), 1))
    except Unavailable as error:
        why = f"failed to get pods metric value: {error}"
        raise Failed("FailedGetPodsMetric", str(error), why) from None
    status = {"metric": _identified(metric), "current": _current(found)}
    return Proposal(found.replicas, f"pods metric {name}", {"type": "Pods", "pods": status})


def _object(at: Situation, source: Object, reading: Reading) -> Proposal:
    metric, described = source.get("metric") or {}, source.get("describedObject") or {}
    name, kind = metric.get("name") or "", described.get("kind") or ""
    target = source.get("target") or {}
    whole = target.get("type") == "Value" and target.get("value") is not None
    told, why = "", ""
    try:
        # The order of the words is a slip of Kubernetes' own.
        where = f"{kind} on {at.namespace} {described.get('name') or ''}"
        value = sum(_values(reading, f"unable to get metric {name}: {where}/"))
        found = _number(at, value, target, whole=whole)
    except Unavailable as error:
        told = str(error)
        why = told if whole else f"failed to get {name} object metric: {told}"
        raise Failed(
            "FailedGetObjectMetric", told, f"failed to get object metric value: {why}"
        ) from None
    status: Object = {"metric": _identified(metric), "current": _current(found, whole=whole)}
    # Kubernetes leaves the object out for averages, though its own API asks for it.
    status["describedObject"] = described
    text = f"{kind} metric {name}" if whole else _external_name(metric)
    return Proposal(found.replicas, text, {"type": "Object", "object": status})


def _external(at: Situation, source: Object, reading: Reading) -> Proposal:
    metric, target = source.get("metric") or {}, source.get("target") or {}
    name = metric.get("name") or ""
    whole = target.get("averageValue") is None
    selector = questions.shown_selector(metric.get("selector"))
    lead = f"unable to get external metric {at.namespace}/{name}/{selector}: "
    try:
        found = _number(at, sum(_values(reading, lead)), target, whole=whole)
    except Unavailable as error:
        told = str(error)
        what = f"external metric {name}" if whole else f"{name} external metric"
        why = f"failed to get {name} external metric value: failed to get {what}: {told}"
        raise Failed("FailedGetExternalMetric", told, why) from None
    status = {"metric": _identified(metric), "current": _current(found, whole=whole)}
    text = _external_name(metric)
    return Proposal(found.replicas, text, {"type": "External", "external": status})


def _number(at: Situation, value: int, target: Mapping[str, Any], *, whole: bool) -> Found:
    """For one number: by itself, or shared among the pods."""
    wanted = quantity.milli(target.get("value" if whole else "averageValue") or "0")
    if wanted <= 0:
        raise Unavailable("the target is not more than 0")
    find = replicas.by_value if whole else replicas.by_share
    return find(at, value, wanted)


def _samples(reading: Reading, lead: str) -> Samples:
    if isinstance(reading, Unavailable):
        raise Unavailable(f"{lead}{reading}")
    assert isinstance(reading, Mapping)
    return reading


def _values(reading: Reading, lead: str) -> Sequence[int]:
    if isinstance(reading, Unavailable):
        raise Unavailable(f"{lead}{reading}")
    assert not isinstance(reading, Mapping)
    return reading


def _external_name(metric: Mapping[str, Any]) -> str:
    selector = questions.shown_selector(metric.get("selector"))
    return f"external metric {metric.get('name') or ''}({selector})"


def _identified(metric: Mapping[str, Any]) -> Object:
    return {key: metric[key] for key in ("name", "selector") if metric.get(key) is not None}


def _current(found: Found, *, whole: bool = False) -> Object:
    current: Object = {"value" if whole else "averageValue": quantity.format_milli(found.value)}
    if found.percent is not None:
        current["averageUtilization"] = found.percent
    return current


_KINDS: Final[Mapping[str, _Propose]] = {
    "Resource": _resource,
    "ContainerResource": _container,
    "Pods": _pods,
    "Object": _object,
    "External": _external,
}
