"""The names of a custom resource: which it asks for, which it is given, and its conditions.

Rules and words: apiextensions-apiserver pkg/controller/status, establish, apiapproval.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cluster.api import causes, objects, timestamps
from cluster.api.objects import Object

NAMES_ACCEPTED: Final = "NamesAccepted"
ESTABLISHED: Final = "Established"
TERMINATING: Final = "Terminating"
APPROVAL: Final = "KubernetesAPIApprovalPolicyConformant"
APPROVED_ANNOTATION: Final = "api-approved.kubernetes.io"
FINALIZER: Final = "customresourcecleanup.apiextensions.k8s.io"
_PROTECTED: Final = ("k8s.io", "kubernetes.io")


@dataclass(frozen=True, slots=True)
class Taken:
    """Names that other definitions of a group have been given."""

    resources: frozenset[str]
    kinds: frozenset[str]


def taken(others: Iterable[Object]) -> Taken:
    """What the definitions `others` have been given."""
    resources: list[Any] = []
    kinds: list[Any] = []
    for other in others:
        given = objects.status(other).get("acceptedNames") or {}
        resources += [given.get("plural"), given.get("singular"), *(given.get("shortNames") or ())]
        kinds += [given.get("kind"), given.get("listKind")]
    return Taken(frozenset(filter(None, resources)), frozenset(filter(None, kinds)))


def accepted(definition: Object, others: Taken) -> tuple[Object, Object]:
    """The names that a definition is given, and its NamesAccepted condition, timeless."""
    wanted = objects.spec(definition).get("names") or {}
    given = dict(objects.status(definition).get("acceptedNames") or {})
    refused = ("", "")
    for field, reason, used in (
        ("plural", "PluralConflict", others.resources),
        ("singular", "SingularConflict", others.resources),
        ("shortNames", "ShortNamesConflict", others.resources),
        ("kind", "KindConflict", others.kinds),
        ("listKind", "ListKindConflict", others.kinds),
    ):
        why = _conflict(wanted.get(field), given.get(field), used)
        if why:
            refused = (reason, why)
        else:
            _put(given, field, wanted.get(field))
    _put(given, "categories", wanted.get("categories"))
    given = {"plural": "", "kind": ""} | given
    if refused[0]:
        return given, _condition(NAMES_ACCEPTED, "False", *refused)
    return given, _condition(NAMES_ACCEPTED, "True", "NoConflicts", "no conflicts found")


def _conflict(wanted: Any, given: Any, used: frozenset[str]) -> str:
    if isinstance(wanted, list):
        known = given or ()
        clashes = [name for name in wanted if name not in known and name in used]
        texts = [f"{causes.quoted(name)} is already in use" for name in clashes]
        return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]" if texts else ""
    return (
        f"{causes.quoted(wanted)} is already in use" if wanted != given and wanted in used else ""
    )


def _put(given: dict[str, Any], field: str, value: Any) -> None:
    if value:
        given[field] = value
    else:
        given.pop(field, None)


def established(definition: Object, names: Object) -> Object:
    """The Established condition that goes with a NamesAccepted condition, timeless.

    Once it is true it stays so.
    """
    if is_true(definition, ESTABLISHED):
        return _condition(
            ESTABLISHED, "True", "InitialNamesAccepted", "the initial names have been accepted"
        )
    if names["status"] == "True":
        return _condition(
            ESTABLISHED, "True", "InitialNamesAccepted", "the initial names have been accepted"
        )
    return _condition(ESTABLISHED, "False", "NotAccepted", "not all names are accepted")


def terminating(status: str, reason: str, message: str) -> Object:
    """A Terminating condition, timeless."""
    return _condition(TERMINATING, status, reason, message)


def protected(group: str) -> bool:
    """Whether a group belongs to Kubernetes' community, which approves what is in it."""
    return group in _PROTECTED or group.endswith(tuple(f".{name}" for name in _PROTECTED))


def approval(annotations: Mapping[str, str]) -> tuple[str, str]:
    """The state of the approval annotation, and why: Invalid, Bypassed, Approved or Missing."""
    text = annotations.get(APPROVED_ANNOTATION, "")
    if text.startswith("unapproved"):
        return "Bypassed", f"not approved: {causes.quoted(text)}"
    if text.startswith(("https://", "http://")) and len(text) > len("https://"):
        return "Approved", f"approved in {text}"
    if text:
        why = (
            f"protected groups must have approval annotation {causes.quoted(APPROVED_ANNOTATION)} "
            'with either a URL or a reason starting with "unapproved", see '
            "https://github.com/kubernetes/enhancements/pull/1111"
        )
        return "Invalid", why
    why = (
        f"protected groups must have approval annotation {causes.quoted(APPROVED_ANNOTATION)}, see "
        "https://github.com/kubernetes/enhancements/pull/1111"
    )
    return "Missing", why


_CONFORMS: Final = {
    "Approved": ("True", "ApprovedAnnotation"),
    "Bypassed": ("False", "UnapprovedAnnotation"),
    "Invalid": ("False", "InvalidAnnotation"),
    "Missing": ("False", "MissingAnnotation"),
}


def conformance(definition: Object) -> Object | None:
    """The KubernetesAPIApprovalPolicyConformant condition; None for groups that need none."""
    if not protected(str(objects.spec(definition).get("group") or "")):
        return None
    state, why = approval(objects.annotations(definition))
    return _condition(APPROVAL, *_CONFORMS[state], why)


def is_true(definition: Object, kind: str) -> bool:
    """Whether a condition of a definition is true."""
    found = objects.status(definition).get("conditions") or ()
    return any(one.get("type") == kind and one.get("status") == "True" for one in found)


def has_reason(definition: Object, kind: str, reasons: tuple[str, ...]) -> bool:
    """Whether a condition of a definition gives one of these reasons."""
    found = objects.status(definition).get("conditions") or ()
    return any(one.get("type") == kind and one.get("reason") in reasons for one in found)


def with_conditions(
    definition: Object, wanted: Iterable[Object | None], now: float
) -> list[Object]:
    """The definition's conditions with `wanted` put in; the time of one changes with its status."""
    found: dict[str, Object] = {
        str(one.get("type")): dict(one)
        for one in objects.status(definition).get("conditions") or ()
    }
    for one in wanted:
        if one is None:
            continue
        known = found.get(one["type"])
        moved = known is None or known.get("status") != one["status"]
        since = timestamps.encode(now) if moved or known is None else known["lastTransitionTime"]
        found[one["type"]] = {"lastTransitionTime": since, **one}
    return list(found.values())


def _condition(kind: str, status: str, reason: str, message: str) -> Object:
    return {"message": message, "reason": reason, "status": status, "type": kind}
