"""What becomes of an object that somebody asks to delete. Pure: state and options in, fate out.

Rules: BeforeDelete in k8s.io/apiserver/pkg/registry/rest/delete.go, the finalizers of
pkg/registry/generic/registry/store.go, and the pod and namespace strategies.
"""

import copy
from dataclasses import dataclass
from enum import Enum
from typing import Any

from cluster.api import errors, objects, strategies, timestamps
from cluster.api.crd import names
from cluster.api.objects import Object
from cluster.api.resources import Resource

ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"
POLICIES = ("Orphan", "Background", "Foreground")
LONGEST_GRACE = 2**31 - 1
"""Seconds; sixty-eight years. Longer ones would end when no calendar has a name for it."""
_RETURNS_OBJECT = (
    "pods", "podtemplates", "persistentvolumeclaims", "persistentvolumes", "resourcequotas",
    "serviceaccounts",
)  # fmt: skip


class Fate(Enum):
    """What to do with the object."""

    REMOVE = "remove"
    KEEP = "keep"
    """It is on its way out already: nothing changes."""
    MARK = "mark"
    """It is stored as marked for deletion; someone will finish it."""


@dataclass(frozen=True, slots=True)
class Options:
    """metav1.DeleteOptions. `grace` in seconds; `policy` one of POLICIES or ""."""

    grace: int | None = None
    policy: str = ""
    uid: str = ""
    revision: str = ""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """A fate; for MARK, `object` is what to store."""

    fate: Fate
    object: Object


def options(body: Object) -> Options:
    """The options of a DeleteOptions document. errors.Invalid, errors.BadRequest."""
    grace = body.get("gracePeriodSeconds")
    if grace is not None and (not isinstance(grace, int) or isinstance(grace, bool)):
        raise errors.BadRequest("DeleteOptions.gracePeriodSeconds must be an integer")
    if grace is not None and not -(2**63) <= grace < 2**63:
        raise errors.BadRequest("DeleteOptions.gracePeriodSeconds is out of range")
    policy = body.get("propagationPolicy")
    orphan = body.get("orphanDependents")
    if policy is not None and orphan is not None:
        both = "orphanDependents and deletionPropagation cannot be both set"
        raise _invalid("FieldValueInvalid", f"Invalid value: {_quoted(policy)}: {both}")
    if policy is not None and policy not in POLICIES:
        known = ", ".join(f'"{known}"' for known in ("Background", "Foreground", "Orphan"))
        why = f"Unsupported value: {_quoted(policy)}: supported values: {known}"
        raise _invalid("FieldValueNotSupported", why)
    if orphan is not None:
        policy = "Orphan" if orphan else "Background"
    conditions = body.get("preconditions") or {}
    if not isinstance(conditions, dict):
        raise errors.BadRequest("DeleteOptions.preconditions must be an object")
    return Options(
        grace,
        policy or "",
        str(conditions.get("uid") or ""),
        str(conditions.get("resourceVersion") or ""),
        bool(body.get("dryRun")),
    )


def check_preconditions(resource: str, obj: Object, asked: Options) -> None:
    """errors.Conflict where the object is not the one that was meant."""
    meta = objects.meta(obj)
    if asked.uid and asked.uid != meta.get("uid"):
        why = (
            f"the UID in the precondition ({asked.uid}) does not match the UID in record "
            f"({meta.get('uid')}). The object might have been deleted and then recreated"
        )
        raise errors.conflict(resource, objects.name(obj), why)
    if asked.revision and asked.revision != meta.get("resourceVersion"):
        why = (
            f"the ResourceVersion in the precondition ({asked.revision}) does not match the "
            f"ResourceVersion in record ({meta.get('resourceVersion')}). The object might have "
            "been modified"
        )
        raise errors.conflict(resource, objects.name(obj), why)


def judge(row: Resource, obj: Object, asked: Options, now: float) -> Verdict:
    """The fate of `obj`, which is not changed."""
    if row.id == "namespaces":
        return _judge_namespace(obj, asked, now)
    if row.id == "customresourcedefinitions.apiextensions.k8s.io":
        obj = _with_cleanup(obj, now)
    graceful = False
    marked = obj
    if row.id == "pods":
        pending, shortened = _already_graceful(obj, asked)
        if pending and shortened is None:
            return Verdict(Fate.KEEP, obj)
        if shortened is not None:
            marked, graceful = shortened, True
        elif not objects.deleting(obj):
            marked, graceful = _begin_grace(obj, pod_grace(obj, asked.grace), now), True
    orphans = row.custom is None and strategies.of(row).orphans
    present = objects.meta(obj).get("finalizers") or []
    finalizers = _finalizers(present, asked.policy, orphans=orphans)
    grace = objects.meta(marked).get("deletionGracePeriodSeconds")
    if not finalizers and not (graceful and grace):
        return Verdict(Fate.REMOVE, marked)
    if not graceful:
        marked = _mark(obj, now)
    return _kept(obj, _with_finalizers(marked, finalizers))


def finished(row: Resource, old: Object, new: Object) -> bool:
    """Whether an update that stores `new` lets the object go: its last finalizer left."""
    meta = objects.meta(old)
    if meta.get("deletionTimestamp") is None or objects.meta(new).get("finalizers"):
        return False
    if row.id == "namespaces":
        return not objects.spec(new).get("finalizers")
    return not meta.get("deletionGracePeriodSeconds")


def returns_object(resource: str) -> bool:
    """Whether a deletion answers with the object instead of a Status."""
    return resource in _RETURNS_OBJECT


def pod_grace(pod: Object, asked: int | None) -> int:
    """Seconds that a pod gets to stop. 0: nobody runs it, or nobody wants to wait."""
    if not objects.spec(pod).get("nodeName"):
        return 0
    if objects.status(pod).get("phase") in ("Failed", "Succeeded"):
        return 0
    period = objects.spec(pod).get("terminationGracePeriodSeconds") if asked is None else asked
    if period is None:
        return 0
    return 1 if period < 0 else min(int(period), LONGEST_GRACE)


def _already_graceful(obj: Object, asked: Options) -> tuple[bool, Object | None]:
    """Whether a grace period runs already, and the object with a shorter one if that is asked."""
    meta = objects.meta(obj)
    current = meta.get("deletionGracePeriodSeconds")
    if not objects.deleting(obj) or not current:
        return False, None
    if asked.grace is None or asked.grace >= current:
        return True, None
    period = max(asked.grace, 0)
    end = timestamps.decode(meta["deletionTimestamp"]) - current + period
    shortened = copy.copy(obj)
    shortened["metadata"] = meta | {
        "deletionTimestamp": timestamps.encode(end),
        "deletionGracePeriodSeconds": period,
    }
    return True, shortened


def _begin_grace(obj: Object, period: int, now: float) -> Object:
    marked = copy.copy(obj)
    marked["metadata"] = _next_generation(objects.meta(obj)) | {
        "deletionTimestamp": timestamps.encode(now + period),
        "deletionGracePeriodSeconds": period,
    }
    return marked


def _mark(obj: Object, now: float) -> Object:
    """Marked for deletion without a grace period: it waits for finalizers only."""
    meta = objects.meta(obj)
    if meta.get("deletionTimestamp") is not None and meta.get("deletionGracePeriodSeconds") == 0:
        return obj
    marked = copy.copy(obj)
    if meta.get("deletionGracePeriodSeconds") is None:
        meta = _next_generation(meta)
    marked["metadata"] = meta | {
        "deletionTimestamp": meta.get("deletionTimestamp") or timestamps.encode(now),
        "deletionGracePeriodSeconds": 0,
    }
    return marked


def _next_generation(meta: Object) -> Object:
    generation = meta.get("generation")
    return meta | {"generation": generation + 1} if generation else dict(meta)


def _finalizers(present: list[str], policy: str, *, orphans: bool = False) -> list[str]:
    """The finalizers that a propagation policy leaves and adds; "" leaves what is there, but of a
    kind that `orphans` if nothing else is said.
    """
    if not policy:
        if not orphans or ORPHAN in present or FOREGROUND in present:
            return present
        policy = "Orphan"
    kept = [name for name in present if name not in (ORPHAN, FOREGROUND)]
    if policy == "Orphan":
        kept.append(ORPHAN)
    elif policy == "Foreground":
        kept.append(FOREGROUND)
    return present if sorted(kept) == sorted(present) else kept


def _with_finalizers(obj: Object, finalizers: list[str]) -> Object:
    meta = objects.meta(obj)
    if (meta.get("finalizers") or []) == finalizers:
        return obj
    changed = copy.copy(obj)
    changed["metadata"] = meta | {"finalizers": finalizers}
    if not finalizers:
        del changed["metadata"]["finalizers"]
    return changed


def _kept(old: Object, new: Object) -> Verdict:
    return Verdict(Fate.KEEP if new == old else Fate.MARK, new)


def _judge_namespace(obj: Object, asked: Options, now: float) -> Verdict:
    """A namespace stays, Terminating, until `finalize` has emptied spec.finalizers."""
    finalizers = _finalizers(objects.meta(obj).get("finalizers") or [], asked.policy)
    if not finalizers and not objects.spec(obj).get("finalizers"):
        return Verdict(Fate.REMOVE, obj)
    marked = _with_finalizers(_mark(obj, now), finalizers)
    if objects.status(marked).get("phase") != "Terminating":
        marked = marked | {"status": objects.status(marked) | {"phase": "Terminating"}}
    return _kept(obj, marked)


def _with_cleanup(definition: Object, now: float) -> Object:
    """A definition goes only after its custom objects, whose clean-up this asks for."""
    meta = objects.meta(definition)
    if meta.get("deletionTimestamp"):
        return definition
    finalizers = [*(meta.get("finalizers") or ())]
    if names.FINALIZER not in finalizers:
        finalizers.append(names.FINALIZER)
    pending = names.terminating(
        "True",
        "InstanceDeletionPending",
        "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
    )
    conditions = names.with_conditions(definition, (pending,), now)
    return definition | {
        "metadata": meta | {"finalizers": finalizers},
        "status": objects.status(definition) | {"conditions": conditions},
    }


def _quoted(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _invalid(reason: str, message: str) -> errors.Invalid:
    cause = errors.Cause(reason, message, "propagationPolicy")
    return errors.invalid("DeleteOptions", "meta.k8s.io", "", [cause])
