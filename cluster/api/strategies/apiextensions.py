"""The group `apiextensions.k8s.io`: pkg/registry/customresourcedefinition/strategy.go."""

from cluster.api import objects
from cluster.api.objects import Object
from cluster.api.strategies.strategy import Strategy


def _on_create(obj: Object) -> None:
    obj["status"] = {}
    _note_storage(obj)


def _on_update(old: Object, new: Object) -> None:
    _note_storage(new)


def _note_storage(obj: Object) -> None:
    """A version in which objects are stored is remembered in status.storedVersions."""
    status = objects.status(obj)
    stored = list(status.get("storedVersions") or ())
    for version in objects.spec(obj).get("versions") or ():
        if version.get("storage") and version.get("name") not in stored:
            stored.append(version["name"])
    obj["status"] = status | {"storedVersions": stored}


BY_RESOURCE = {
    "customresourcedefinitions.apiextensions.k8s.io": Strategy(
        generations=True, on_create=_on_create, on_update=_on_update
    )
}
