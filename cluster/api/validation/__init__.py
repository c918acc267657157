"""Validation, one file a kind: required fields, values, ranges, and what may not change.

Each function gives errors.Causes with Kubernetes' reasons, messages and field paths. Sources:
k8s.io/kubernetes pkg/apis/*/validation. The types of all fields are right when they run.
"""

from collections.abc import Callable, Mapping
from typing import Final

from cluster.api import errors
from cluster.api.objects import Object
from cluster.api.resources import Resource

_Creates = Mapping[str, Callable[[Object], list[errors.Cause]]]
_Updates = Mapping[str, Callable[[Object, Object], list[errors.Cause]]]

_NEW: Final[_Creates] = {}
_UPDATE: Final[_Updates] = {}
_STATUS: Final[_Updates] = {}


def of_new(resource: Resource, obj: Object) -> list[errors.Cause]:
    """What is wrong with an object about to be created, its metadata apart."""
    check = _NEW.get(resource.id)
    return check(obj) if check is not None else []


def of_update(resource: Resource, old: Object, new: Object, subresource: str) -> list[errors.Cause]:
    """What is wrong with an object about to replace `old`, its metadata apart."""
    if subresource not in ("", "scale", "status"):
        return []
    check = (_STATUS if subresource == "status" else _UPDATE).get(resource.id)
    return check(old, new) if check is not None else []
