"""One reconciliation of an autoscaler, but for what has to be asked and written. Pure.

`needs_metrics` tells whether the metrics matter; `decide` gives a verdict; where that has a size,
the size is written, and `scaled` or `refused` makes the verdict whole by how that went.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cluster.api import conditions, timestamps
from cluster.api.objects import Object
from cluster.controllers.podautoscaler import normalizing, proposals
from cluster.controllers.podautoscaler.history import History
from cluster.controllers.podautoscaler.model import Reading, Scale, Settings, tolerances
from cluster.controllers.podautoscaler.replicas import Situation

NORMAL, WARNING = "Normal", "Warning"
ABLE: Final = "AbleToScale"
ACTIVE: Final = "ScalingActive"
LIMITED: Final = "ScalingLimited"
_ABOVE: Final = "Current number of replicas above Spec.MaxReplicas"
_BELOW: Final = "Current number of replicas below Spec.MinReplicas"


@dataclass(slots=True)
class Verdict:
    """`status` is what the autoscaler's should be; `events` are (type, reason, message). A `size`
    is to be written, `why` being the reason; None: the size stays.
    """

    status: Object
    events: list[tuple[str, str, str]] = field(default_factory=list)
    size: int | None = None
    why: str = ""

    def say(self, kind: str, status: str, said: normalizing.Said, now: float) -> None:
        """Set a condition to a reason and a message."""
        reason, message = said
        condition = {"type": kind, "status": status, "reason": reason, "message": message}
        conditions.put(self.status["conditions"], condition, now)


@dataclass(frozen=True, slots=True)
class Measured:
    """The pods that an autoscaler selects, and what its metrics are, in the order of its spec."""

    pods: Sequence[Object]
    readings: Sequence[Reading]


@dataclass(frozen=True, slots=True)
class Basis:
    """What is decided by, beside what there is: what was recommended before, and when it is."""

    history: History
    settings: Settings
    now: float


@dataclass(frozen=True, slots=True)
class NoSelector:
    """The pods cannot be told: `event` and `condition` are reasons."""

    event: str
    condition: str
    message: str
    told: str = ""
    """What the condition says, where that is not the message."""


SELECTOR_MISSING: Final = NoSelector(
    "SelectorRequired", "InvalidSelector", "selector is required",
    "the HPA target's scale is missing a selector",
)  # fmt: skip


def selector_wrong(why: object) -> NoSelector:
    """The selector of a Scale cannot be read."""
    text = f"couldn't convert selector into a corresponding internal selector object: {why}"
    return NoSelector("InvalidSelector", "InvalidSelector", text)


def selector_shared(selector: str, keys: Sequence[str]) -> NoSelector:
    """Several autoscalers select the same pods."""
    keys = sorted(keys)
    text = f"pods by selector {selector} are controlled by multiple HPAs: [{' '.join(keys)}]"
    return NoSelector("AmbiguousSelector", "AmbiguousSelector", text)


def bounds(spec: Object) -> tuple[int, int]:
    """The least and the most replicas."""
    least = spec.get("minReplicas")
    return 1 if least is None else int(least), int(spec.get("maxReplicas") or 0)


def needs_metrics(spec: Object, scale: Scale) -> bool:
    """Whether what metrics say can change anything."""
    least, most = bounds(spec)
    return not (scale.wanted == 0 and least != 0) and least <= scale.wanted <= most


def no_scale(hpa: Object, why: object, now: float) -> Verdict:
    """The Scale of the target is not to be had."""
    verdict = _begun(hpa)
    text = f"the HPA controller was unable to get the target's current scale: {why}"
    verdict.events.append((WARNING, "FailedGetScale", str(why)))
    verdict.say(ABLE, "False", ("FailedGetScale", text), now)
    return verdict


def decide(
    hpa: Object,
    scale: Scale,
    measured: Measured | NoSelector | None,
    basis: Basis,
) -> Verdict:
    """What to do. `measured` is None where `needs_metrics` says that nobody needs it."""
    verdict, now = _begun(hpa), basis.now
    text = "the HPA controller was able to get the target's current scale"
    verdict.say(ABLE, "True", ("SucceededGetScale", text), now)
    basis.history.began(scale.wanted, now)
    if isinstance(measured, NoSelector):
        return _blind(verdict, scale, measured, now)
    if measured is not None:
        return _by_metrics(verdict, hpa, scale, measured, basis)
    least, most = bounds(hpa.get("spec") or {})
    if scale.wanted == 0:
        text = "scaling is disabled since the replica count of the target is zero"
        verdict.say(ACTIVE, "False", ("ScalingDisabled", text), now)
        _report(verdict, scale.wanted, scale.wanted, ())
        return verdict
    verdict.size, verdict.why = (most, _ABOVE) if scale.wanted > most else (least, _BELOW)
    _report(verdict, scale.wanted, verdict.size, ())
    return verdict


def scaled(verdict: Verdict, hpa: Object, scale: Scale, history: History, now: float) -> None:
    """The size has been written."""
    size = verdict.size
    assert size is not None
    text = f"the HPA controller was able to update the target scale to {size}"
    verdict.say(ABLE, "True", ("SucceededRescale", text), now)
    said = f"New size: {size}; reason: {verdict.why}"
    verdict.events.append((NORMAL, "SuccessfulRescale", said))
    verdict.status["lastScaleTime"] = timestamps.encode(now)
    behavior = (hpa.get("spec") or {}).get("behavior")
    if behavior is not None:
        period = normalizing.longest_period(behavior)
        history.scaled(scale.wanted, size, now, period)


def refused(verdict: Verdict, hpa: Object, why: object, now: float) -> None:
    """The size could not be written."""
    said = f"New size: {verdict.size}; reason: {verdict.why}; error: {why}"
    verdict.events.append((WARNING, "FailedRescale", said))
    text = f"the HPA controller was unable to update the target scale: {why}"
    verdict.say(ABLE, "False", ("FailedUpdateScale", text), now)
    before = (hpa.get("status") or {}).get("desiredReplicas") or 0
    verdict.status["desiredReplicas"] = before


def _by_metrics(
    verdict: Verdict, hpa: Object, scale: Scale, measured: Measured, basis: Basis
) -> Verdict:
    spec: Object = hpa.get("spec") or {}
    settings, now = basis.settings, basis.now
    at = Situation(
        namespace=(hpa.get("metadata") or {}).get("namespace") or "",
        wanted=scale.wanted,
        present=scale.present,
        pods=measured.pods,
        settings=settings,
        tolerances=tolerances(spec, settings.tolerance),
        now=now,
    )
    agreed = proposals.agreed(at, spec.get("metrics") or (), measured.readings)
    verdict.events += [(WARNING, failure.reason, failure.told) for failure in agreed.failures]
    if agreed.replicas is None:
        _unmeasured(verdict, scale, agreed, now)
        return verdict
    text = f"the HPA was able to successfully calculate a replica count from {agreed.name}"
    verdict.say(ACTIVE, "True", ("ValidMetricFound", text), now)
    wish = normalizing.Wish(scale.wanted, max(agreed.replicas, 0), *bounds(spec))
    normal = normalizing.normalized(
        wish, spec.get("behavior"), basis.history, now, settings.downscale_stabilization
    )
    verdict.say(ABLE, "True", normal.able, now)
    verdict.say(LIMITED, "True" if normal.limited else "False", normal.limit, now)
    if normal.replicas != scale.wanted:
        verdict.size = normal.replicas
        if wish.desired > wish.current:
            verdict.why = f"{agreed.name} above target"
        elif wish.desired < wish.current:
            verdict.why = "All metrics below target"
    _report(verdict, scale.wanted, normal.replicas, agreed.statuses)
    return verdict


def _unmeasured(verdict: Verdict, scale: Scale, agreed: proposals.Agreed, now: float) -> None:
    """No size follows from the metrics."""
    if agreed.failures:
        first = agreed.failures[0]
        text = f"the HPA was unable to compute the replica count: {first.told}"
        verdict.say(ACTIVE, "False", (first.reason, text), now)
    verdict.events.append((WARNING, "FailedComputeMetricsReplicas", agreed.problem))
    _report(verdict, scale.wanted, None, agreed.statuses)


def _blind(verdict: Verdict, scale: Scale, problem: NoSelector, now: float) -> Verdict:
    """No metrics can be asked for."""
    verdict.events.append((WARNING, problem.event, problem.message))
    said = (problem.condition, problem.told or problem.message)
    verdict.say(ACTIVE, "False", said, now)
    verdict.events.append((WARNING, "FailedComputeMetricsReplicas", problem.message))
    _report(verdict, scale.wanted, None, ())
    return verdict


def _begun(hpa: Object) -> Verdict:
    """A verdict that changes nothing yet."""
    status: dict[str, Any] = dict(hpa.get("status") or {})
    status["conditions"] = [dict(condition) for condition in status.get("conditions") or ()]
    return Verdict(status)


def _report(verdict: Verdict, current: int, desired: int | None, metrics: Sequence[Object]) -> None:
    """Put what is and what should be into the status; None: what should be is not known anew."""
    status = verdict.status
    status["currentReplicas"] = current
    if desired is not None:
        status["desiredReplicas"] = desired
    status.setdefault("desiredReplicas", 0)
    if metrics:
        status["currentMetrics"] = list(metrics)
    else:
        status.pop("currentMetrics", None)
