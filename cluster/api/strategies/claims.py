"""PersistentVolume and PersistentVolumeClaim (pkg/registry/core, pkg/api/persistentvolumeclaim)."""

from collections.abc import Mapping
from typing import Any, Final

from cluster.api.objects import Object
from cluster.api.strategies.strategy import Strategy

_CLAIM: Final = "PersistentVolumeClaim"
_SNAPSHOT: Final = ("snapshot.storage.k8s.io", "VolumeSnapshot")


def new_claim(obj: Object) -> None:
    """dataSource and dataSourceRef say the same."""
    _sources(obj.get("spec") or {})


def changed_claim(old: Object, new: Object) -> None:
    """As at its creation, where an old claim has not both already."""
    _sources(new.get("spec") or {}, old.get("spec") or {})


def _sources(spec: Object, before: Object | None = None) -> None:
    _drop_unknown(spec, before)
    old, new = spec.get("dataSource"), spec.get("dataSourceRef")
    if old and not new:
        spec["dataSourceRef"] = _copy(old)
    elif new and not old and not new.get("namespace") and _known(new):
        spec["dataSource"] = _copy(new)


def _drop_unknown(spec: Object, before: Object | None) -> None:
    """dataSource holds claims and snapshots alone; anything else in it is left out silently."""
    source = spec.get("dataSource")
    kept = (before or {}).get("dataSource")
    if source and not kept and not _known(source):
        del spec["dataSource"]


def _known(source: dict[str, Any]) -> bool:
    group, kind = source.get("apiGroup") or "", source.get("kind")
    return (group, kind) == ("", _CLAIM) or (group, kind) == _SNAPSHOT


def _copy(source: dict[str, Any]) -> Object:
    return {field: value for field, value in source.items() if field != "namespace"}


BY_RESOURCE: Final[Mapping[str, Strategy]] = {
    "persistentvolumeclaims": Strategy(
        generations=False,
        empty_status={"phase": "Pending"},
        on_create=new_claim,
        on_update=changed_claim,
    ),
    "persistentvolumes": Strategy(generations=False, empty_status={"phase": "Pending"}),
}
