"""Probes and lifecycle hooks (validateProbe, validateHandler in core validation)."""

from typing import Final

from cluster.api import causes
from cluster.api.objects import Object
from cluster.api.validation import values
from cluster.api.validation.values import Causes

_HANDLERS: Final = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")
_NOT_NEGATIVE: Final = (
    "initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold",
    "failureThreshold",
)  # fmt: skip


def probe(path: str, wanted: Object, *, once: bool) -> Causes:
    """What is wrong with a probe; `once`: one success must be enough (liveness, startup)."""
    found = handler(path, wanted)
    for field in _NOT_NEGATIVE:
        found += values.not_negative(f"{path}.{field}", wanted.get(field))
    if once and wanted.get("successThreshold", 1) != 1:
        at = f"{path}.successThreshold"
        found.append(causes.invalid(at, wanted["successThreshold"], "must be 1"))
    grace = wanted.get("terminationGracePeriodSeconds")
    if grace is not None:
        at = f"{path}.terminationGracePeriodSeconds"
        if not once:
            detail = "must not be set for readinessProbes"
            found.append(causes.invalid(at, grace, detail))
        elif grace <= 0:
            found.append(causes.invalid(at, grace, "must be greater than 0"))
    return found


def handler(path: str, wanted: Object) -> Causes:
    """What is wrong with what a probe or hook does: one thing, and complete."""
    named = [name for name in _HANDLERS if name in wanted]
    if not named:
        return [causes.required(path, "must specify a handler type")]
    found: Causes = [
        causes.forbidden(f"{path}.{name}", "may not specify more than 1 handler type")
        for name in named[1:]
    ]
    return found + _one(f"{path}.{named[0]}", named[0], wanted[named[0]])


def _one(path: str, name: str, action: Object) -> Causes:
    if name == "exec":
        return [] if action.get("command") else [causes.required(f"{path}.command")]
    if name == "sleep":
        return values.not_negative(f"{path}.seconds", action.get("seconds"))
    if name == "grpc":
        return values.port_number(f"{path}.port", action.get("port", 0))
    found = values.port_or_name(f"{path}.port", action.get("port", 0))
    if name == "httpGet":
        if not action.get("path"):
            found.append(causes.required(f"{path}.path"))
        found += values.one_of(f"{path}.scheme", action.get("scheme"), ("HTTP", "HTTPS"))
    return found
