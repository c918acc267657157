"""The group `apiextensions.k8s.io`; the rules are in `cluster.api.crd`."""

from cluster.api import errors
from cluster.api.objects import Object
from cluster.api.validation.family import Creates, Others, Updates

_DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"


def _of_new(obj: Object) -> list[errors.Cause]:
    from cluster.api.crd import definition  # late: most processes never write one

    return definition.of_new(obj)


def _of_update(old: Object, new: Object) -> list[errors.Cause]:
    from cluster.api.crd import definition

    return definition.of_update(old, new)


def _of_status(old: Object, new: Object) -> list[errors.Cause]:
    from cluster.api.crd import definition

    return definition.of_status(old, new)


NEW: Creates = {_DEFINITIONS: _of_new}
UPDATE: Updates = {_DEFINITIONS: _of_update}
STATUS: Updates = {_DEFINITIONS: _of_status}
OTHER: Others = {}
