"""Requests and limits (ValidateContainerResourceRequirements in core validation)."""

from typing import Final

from cluster.api import causes, metadata, quantity
from cluster.api.objects import Object
from cluster.api.validation import values
from cluster.api.validation.values import Causes

_CONTAINER: Final = ("cpu", "memory", "ephemeral-storage")
_HUGE: Final = "hugepages-"


def requirements(path: str, resources: Object) -> Causes:
    """What is wrong with the resources of a container."""
    found: Causes = []
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for name, amount in limits.items():
        found += _amount(f"{path}.limits", name, amount)
    for name, amount in requests.items():
        found += _amount(f"{path}.requests", name, amount)
        found += _against_limit(f"{path}.requests", name, amount, limits.get(name))
    return found


def amounts(path: str, listed: dict[str, str]) -> Causes:
    """What is wrong with a node's capacity or the like: names and negative amounts."""
    found: Causes = []
    for name, amount in listed.items():
        at = f"{path}[{name}]"
        found += values.complaints(at, name, metadata.qualified_name(name))
        if quantity.parse(amount) < 0:
            found.append(causes.invalid(at, amount, values.NOT_NEGATIVE))
    return found


def _amount(path: str, name: str, amount: str) -> Causes:
    found = container_resource(path, name)
    value = quantity.parse(amount)
    if value < 0:
        found.append(causes.invalid(f"{path}[{name}]", amount, values.NOT_NEGATIVE))
    elif not _may_be_fraction(name) and not isinstance(value, int):
        found.append(causes.invalid(f"{path}[{name}]", amount, "must be an integer"))
    return found


def container_resource(path: str, name: str) -> Causes:
    """The name of a resource that containers use."""
    if name in _CONTAINER or name.startswith(_HUGE):
        return []
    found = values.complaints(path, name, metadata.qualified_name(name))
    if found:
        return found
    if "/" not in name:
        return [causes.invalid(path, name, "must be a standard resource for containers")]
    return []


def _against_limit(path: str, name: str, amount: str, limit: str | None) -> Causes:
    if limit is None:
        if overcommits(name):
            return []
        detail = "Limit must be set for non overcommitable resources"
        return [causes.required(path.replace(".requests", ".limits"), detail)]
    wanted, most = quantity.parse(amount), quantity.parse(limit)
    if not overcommits(name) and wanted != most:
        return [causes.invalid(path, amount, f"must be equal to {name} limit of {limit}")]
    if wanted > most:
        detail = f"must be less than or equal to {name} limit of {limit}"
        return [causes.invalid(path, amount, detail)]
    return []


def overcommits(name: str) -> bool:
    """Whether more of the resource may be promised than there is."""
    return "/" not in name and not name.startswith(_HUGE)


def _may_be_fraction(name: str) -> bool:
    return name in _CONTAINER or name.startswith(_HUGE)
