"""Conditions of the common kind (k8s.io/apimachinery/pkg/apis/meta/v1/validation)."""

import re
from typing import Final

from cluster.api import causes, metadata
from cluster.api.objects import Object
from cluster.api.validation import values
from cluster.api.validation.values import Causes

STATUSES: Final = ("False", "True", "Unknown")
_REASON_FORM: Final = "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?"
_REASON: Final = re.compile(_REASON_FORM)
_REASON_MESSAGE: Final = (
    "a condition reason must start with alphabetic character, optionally followed by a string of "
    "alphanumeric characters or '_,:', and must end with an alphanumeric character or '_' (e.g. "
    "'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex "
    f"used for validation is '{_REASON_FORM}')"
)
_REASON_SIZE: Final = 1024
_MESSAGE_SIZE: Final = 32 * 1024


def conditions(path: str, listed: list[Object]) -> Causes:
    """What is wrong with a list of conditions."""
    found: Causes = []
    seen: set[str] = set()
    for index, condition in enumerate(listed):
        at, kind = f"{path}[{index}]", condition.get("type") or ""
        if kind in seen:
            found.append(causes.duplicate(f"{at}.type", kind))
        seen.add(kind)
        found += _condition(at, condition)
    return found


def _condition(path: str, condition: Object) -> Causes:
    kind, status = condition.get("type") or "", condition.get("status") or ""
    found = values.complaints(f"{path}.type", kind, metadata.qualified_name(kind))
    if status not in STATUSES:
        found.append(causes.not_supported(f"{path}.status", status, STATUSES))
    generation = condition.get("observedGeneration") or 0
    if generation < 0:
        detail = "must be greater than or equal to zero"
        found.append(causes.invalid(f"{path}.observedGeneration", generation, detail))
    if not condition.get("lastTransitionTime"):
        found.append(causes.required(f"{path}.lastTransitionTime", "must be set"))
    reason = condition.get("reason") or ""
    if not reason:
        found.append(causes.required(f"{path}.reason", "must be set"))
    else:
        if _REASON.fullmatch(reason) is None:
            found.append(causes.invalid(f"{path}.reason", reason, _REASON_MESSAGE))
        if len(reason.encode()) > _REASON_SIZE:
            found.append(causes.too_long(f"{path}.reason", _REASON_SIZE))
    if len((condition.get("message") or "").encode()) > _MESSAGE_SIZE:
        found.append(causes.too_long(f"{path}.message", _MESSAGE_SIZE))
    return found
