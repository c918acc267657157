"""Custom resources. Source: generateWarningsFromObj in apiextensions-apiserver."""

from typing import Final

from cluster.api.objects import Object

_STANDARD: Final = frozenset(("foregroundDeletion", "kubernetes", "orphan"))
_PREFER: Final = (
    "prefer a domain-qualified finalizer name including a path (/) to avoid accidental conflicts "
    "with other finalizer writers"
)


def finalizers(new: Object, old: Object | None) -> list[str]:
    """New finalizers whose names could be anybody's."""
    said = new["metadata"].get("finalizers")
    if not said:
        return []
    before = (old or {"metadata": {}})["metadata"].get("finalizers") or ()
    added = sorted(set(said).difference(before))
    return [
        f'metadata.finalizers: "{name}": {_PREFER}'
        for name in added
        if "/" not in name and name not in _STANDARD
    ]
