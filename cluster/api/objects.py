"""Objects as the wire has them, and the accessors everybody needs.

Accessors never insert: reading an absent field gives an empty value and leaves the object alone.
"""

from collections.abc import Mapping
from typing import Any, Final

Object = dict[str, Any]

# What an object without metadata is asked instead. The accessors are called so often, tens of times
# for each write, that those below do without a call of `meta`.
_NONE: Final[Object] = {}


def meta(obj: Mapping[str, Any]) -> Object:
    """The object's metadata, or an empty dict (not attached to the object)."""
    return obj.get("metadata") or {}


def name(obj: Mapping[str, Any]) -> str:
    """metadata.name, or ""."""
    return (obj.get("metadata") or _NONE).get("name") or ""


def namespace(obj: Mapping[str, Any]) -> str:
    """metadata.namespace, or "" for an object without one."""
    return (obj.get("metadata") or _NONE).get("namespace") or ""


def uid(obj: Mapping[str, Any]) -> str:
    """metadata.uid, or ""."""
    return (obj.get("metadata") or _NONE).get("uid") or ""


def key(obj: Mapping[str, Any]) -> str:
    """`namespace/name`, or `name` where there is no namespace: what work queues hold."""
    metadata = obj.get("metadata") or _NONE
    space, called = metadata.get("namespace"), metadata.get("name") or ""
    return f"{space}/{called}" if space else called


def split_key(item: str) -> tuple[str, str]:
    """The (namespace, name) of a key; namespace is "" for a cluster-scoped object."""
    space, slash, rest = item.partition("/")
    return (space, rest) if slash else ("", space)


def revision(obj: Mapping[str, Any]) -> int:
    """metadata.resourceVersion as a number; 0 where it is absent."""
    return int((obj.get("metadata") or _NONE).get("resourceVersion") or 0)


def labels(obj: Mapping[str, Any]) -> dict[str, str]:
    """metadata.labels, or an empty dict."""
    return (obj.get("metadata") or _NONE).get("labels") or {}


def annotations(obj: Mapping[str, Any]) -> dict[str, str]:
    """metadata.annotations, or an empty dict."""
    return meta(obj).get("annotations") or {}


def spec(obj: Mapping[str, Any]) -> Object:
    """The object's spec, or an empty dict."""
    return obj.get("spec") or {}


def status(obj: Mapping[str, Any]) -> Object:
    """The object's status, or an empty dict."""
    return obj.get("status") or {}


def deleting(obj: Mapping[str, Any]) -> bool:
    """Whether deletion was asked for (metadata.deletionTimestamp is set)."""
    return bool((obj.get("metadata") or _NONE).get("deletionTimestamp"))


def controller_of(obj: Mapping[str, Any]) -> Object | None:
    """The owner reference with `controller: true`, or None."""
    for owner in (obj.get("metadata") or _NONE).get("ownerReferences") or ():
        if owner.get("controller"):
            return dict(owner)
    return None
