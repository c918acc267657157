"""`pods/eviction`: the deletion of a pod, if its disruption budget has room for it.

Source: pkg/registry/core/pod/storage/eviction.go. An eviction is up to three writes: the budget
gives up one disruption, the pod is told why it goes, the pod is deleted. Each is planned when the
one before has been made, on what is there then.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec

from cluster.api import conditions, decoding, errors, objects, selectors, timestamps
from cluster.api.objects import Object
from cluster.api.operations import Operation
from cluster.api.resources import Resource
from cluster.apiserver import bodies, codec, deletion
from cluster.apiserver.admission.chain import Chain
from cluster.apiserver.admission.plugin import Act, Request
from cluster.apiserver.deletion import Fate, Options
from cluster.apiserver.plan import Call, Plan, document, success
from cluster.apiserver.watchcache.entry import Entry

BUDGETS: Final = "poddisruptionbudgets.policy"
MAX_DISRUPTED: Final = 2000
"""Evictions that the disruption controller has not seen the end of: MaxDisruptedPodSize."""
RETRY_SECONDS: Final = 10
_ROW: Final = Resource("policy", "v1", "Eviction", "evictions")
_OLD: Final = "policy/v1beta1"  # the same shape, and accepted as well
_VIOLATED: Final = "Cannot evict pod as it would violate the pod's disruption budget."
_SEVERAL: Final = (
    "This pod has more than one PodDisruptionBudget, which the eviction subresource does not "
    "support."
)
_FREE_PHASES: Final = ("Succeeded", "Failed", "Pending")


def prepare(operation: Operation) -> tuple[Operation, Callable[[Call, Chain], Plan | Entry]]:
    """The operation, dry where its body says so, and what plans it step by step.

    errors.BadRequest, errors.Invalid.
    """
    body = bodies.decoded(operation.body, "Eviction")
    if body.get("apiVersion") == _OLD:
        body = body | {"apiVersion": _ROW.api_version}
    wanted = body.get("deleteOptions")
    if wanted is not None and not isinstance(wanted, dict):
        decoding.decoded(_ROW, body, "1.37", "Ignore")
    asked = deletion.options(wanted or {})
    if asked.dry_run:
        operation = msgspec.structs.replace(operation, dry_run=True)
    return operation, _Eviction(body, asked).plan


@dataclass(slots=True, eq=False)
class _Eviction:
    """One eviction: what it asks for, and how far it is."""

    body: Object
    asked: Options
    granted: bool = False
    admitted: bool = False

    def plan(self, call: Call, chain: Chain) -> Plan | Entry:
        """The next write. errors.TooManyRequests, errors.NotFound, errors.Conflict."""
        eviction = self._checked(call)
        if not self.admitted:
            self._admit(call, chain, eviction)
        entry = call.entry()
        pod = entry.document()
        deletion.check_preconditions(call.row.id, pod, self.asked)
        free = objects.deleting(pod) or objects.status(pod).get("phase") in _FREE_PHASES
        if not free and not self.granted:
            budget = _budget_of(call, pod)
            if budget is not None and _guards(budget.document(), pod):
                return self._grant(call, budget, entry.name) or self._evict(call, entry, pod)
        return self._evict(call, entry, pod)

    def _admit(self, call: Call, chain: Chain, eviction: Object) -> None:
        """Show it to admission, once. errors.StatusError, outside.Ask."""
        request = Request(Act.CREATE, call, eviction, kind=_ROW)
        chain.mutate(request)
        chain.validate(request)
        self.asked = deletion.options(eviction.get("deleteOptions") or {})
        self.admitted = True

    def _checked(self, call: Call) -> Object:
        eviction, _ = decoding.decoded(_ROW, self.body, call.version, "Ignore")
        if objects.name(eviction) != call.operation.name:
            raise errors.BadRequest("name in URL does not match name in Eviction object")
        space = objects.namespace(eviction)
        if space and space != call.namespace:
            raise errors.BadRequest(
                "the namespace of the provided object does not match the namespace sent on the "
                "request"
            )
        return eviction

    def _grant(self, call: Call, budget: Entry, pod: str) -> Plan | None:
        """The budget's loss of one disruption; None for a dry run, which only looks."""
        obj = budget.document()
        _check_budget(obj)
        if call.operation.dry_run:
            return None
        status = dict(objects.status(obj))
        status["disruptionsAllowed"] = status["disruptionsAllowed"] - 1
        since = timestamps.encode(call.now)
        status["disruptedPods"] = (status.get("disruptedPods") or {}) | {pod: since}
        if not status["disruptionsAllowed"]:
            found = [dict(condition) for condition in status.get("conditions") or ()]
            conditions.put(found, _exhausted(obj), call.now)
            status["conditions"] = found
        new = codec.encode(obj | {"status": status})
        return Plan(budget.key, new, budget.revision, budget, then=self._was_granted)

    def _was_told(self) -> None:
        self.asked = replace(self.asked, revision="")  # the pod has another by now

    def _was_granted(self) -> None:
        self.granted = True

    def _evict(self, call: Call, entry: Entry, pod: Object) -> Plan | Entry:
        told = _with_condition(pod, call.now)
        if told is not None and not call.operation.dry_run:
            firm = bool(self.asked.revision)
            new = codec.encode(told)
            return Plan(entry.key, new, entry.revision, entry, firm, then=self._was_told)
        verdict = deletion.judge(call.row, pod, self.asked, call.now)
        if verdict.fate is Fate.KEEP:
            return _done(entry)
        value = codec.encode(verdict.object) if verdict.fate is Fate.MARK else None
        return Plan(entry.key, value, entry.revision, entry, bool(self.asked.revision), _done)


def _done(entry: Entry) -> Entry:
    row = entry.shape.row
    return document(entry, success(row, entry.name, "", code=201))


def _with_condition(pod: Object, now: float) -> Object | None:
    """The pod with the condition that says why it goes; None where it has that."""
    status = dict(objects.status(pod))
    found = [dict(condition) for condition in status.get("conditions") or ()]
    why = {
        "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
    }  # fmt: skip
    if not conditions.put(found, why, now):
        return None
    status["conditions"] = found
    return pod | {"status": status}


def _budget_of(call: Call, pod: Object) -> Entry | None:
    """The budget that the pod is of. errors.InternalError for several, as Kubernetes has it."""
    labels = objects.labels(pod)
    found = [
        budget
        for budget in call.cache.of(BUDGETS).scan(codec.prefix(BUDGETS, call.namespace))
        if _selects(objects.spec(budget.document()).get("selector"), labels)
    ]
    if len(found) > 1:
        raise errors.InternalError(_SEVERAL)
    return found[0] if found else None


def _selects(selector: Object | None, labels: dict[str, str]) -> bool:
    if selector is None:
        return False
    try:
        return selectors.of(selector).matches(labels)
    except ValueError:
        return False


def _guards(budget: Object, pod: Object) -> bool:
    """Whether the eviction counts: that of an unready pod may not."""
    if conditions.is_true(pod, "Ready"):
        return True
    if objects.spec(budget).get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return False
    status = objects.status(budget)
    desired = status.get("desiredHealthy") or 0
    return not ((status.get("currentHealthy") or 0) >= desired > 0)


def _check_budget(budget: Object) -> None:
    """errors.TooManyRequests, errors.Forbidden where the budget has no disruption to give."""
    status, name = objects.status(budget), objects.name(budget)
    seen = status.get("observedGeneration") or 0
    if seen < (objects.meta(budget).get("generation") or 0):
        why = f"The disruption budget {name} is still being processed by the server."
        raise _refused(why, RETRY_SECONDS)
    allowed = status.get("disruptionsAllowed") or 0
    if allowed < 0:
        raise errors.forbidden(BUDGETS, name, "pdb disruptions allowed is negative")
    if len(status.get("disruptedPods") or ()) > MAX_DISRUPTED:
        why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        raise errors.forbidden(BUDGETS, name, why)
    if allowed == 0:
        raise _refused(_why_none(budget, name, status), 0)


def _why_none(budget: Object, name: str, status: Object) -> str:
    condition = conditions.find(budget, "DisruptionAllowed") or {}
    if condition.get("reason") == "SyncFailed":
        return (
            f"The disruption budget {name} does not allow evicting pods currently because it "
            f"failed sync: {condition.get('message') or ''}"
        )
    needed, healthy = status.get("desiredHealthy") or 0, status.get("currentHealthy") or 0
    return f"The disruption budget {name} needs {needed} healthy pods and has {healthy} currently"


def _refused(why: str, seconds: int) -> errors.TooManyRequests:
    cause: dict[str, Any] = {"reason": "DisruptionBudget", "message": why}
    after = seconds or None
    return errors.TooManyRequests(_VIOLATED, details={"causes": [cause]}, retry_after=after)


def _exhausted(budget: Object) -> Object:
    return {
        "type": "DisruptionAllowed", "status": "False", "reason": "InsufficientPods",
        "message": "", "observedGeneration": objects.meta(budget).get("generation") or 0,
    }  # fmt: skip
