"""A manifest as static pods. Pure. Source: pkg/kubelet/config/common.go.

A static pod's uid is a hash of where it comes from and what it says: a changed manifest is another
pod.
"""

import hashlib
import random as randoms
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from cluster.api import (
    errors,
    identity,
    mirrorpods,
    objects,
    resources,
    rules,
    timestamps,
    yaml_text,
)
from cluster.api.objects import Object
from cluster.kubelet.version import Version

FILE: Final = "file"
HTTP: Final = "http"
LARGEST: Final = 10 << 20
"""maxConfigLength: bytes of a manifest."""
_encode = msgspec.json.Encoder(order="deterministic").encode


@dataclass(frozen=True, slots=True)
class Place:
    """Where a manifest was found: `kind` is FILE or HTTP, `path` a path or a URL."""

    kind: str
    path: str


def read(data: bytes, place: Place, node: str, version: Version, now: float) -> list[Object]:
    """The pods of a manifest for a node; several only in a PodList from a URL. ValueError."""
    if len(data) > LARGEST:
        raise ValueError(f"{place.path} is larger than {LARGEST >> 20} MiB")
    found = _decoded(data)
    if not isinstance(found, dict):
        raise ValueError("invalid pod: the manifest is no object")  # noqa: TRY004
    kind = (found.get("apiVersion"), found.get("kind"))
    if kind == ("v1", "PodList") and place.kind == HTTP:
        items = found.get("items")
        if not isinstance(items, list) or not all(isinstance(one, dict) for one in items):
            raise ValueError("invalid pod list: items is no list of objects")
        return [_pod(one, place, node, version, now) for one in items]
    if kind != ("v1", "Pod"):
        raise ValueError(f"invalid pod: it is {kind[1] or 'without a kind'} of {kind[0] or '?'}")
    return [_pod(found, place, node, version, now)]


def _decoded(data: bytes) -> Any:
    try:
        return yaml_text.read(data.decode())
    except UnicodeDecodeError as error:
        raise ValueError(f"the manifest is no UTF-8 text: {error}") from None


def _pod(found: Object, place: Place, node: str, version: Version, now: float) -> Object:
    meta = found.get("metadata")
    if not isinstance(meta, Mapping) or not meta.get("name"):
        raise ValueError("invalid pod: metadata.name is missing")
    wanted = {"apiVersion": "v1", "kind": "Pod", **found}
    uid = str(meta.get("uid") or _hash(wanted, place, node))
    wanted["metadata"] = {
        **meta,
        "name": f"{meta['name']}-{node.lower()}",
        "namespace": meta.get("namespace") or "default",
    }
    wanted["metadata"].pop("uid", None)
    spec = found.get("spec")
    if isinstance(spec, Mapping):
        wanted["spec"] = _placed(spec, place, node)
    made = _checked(wanted, version, now)
    referred = mirrorpods.referred(objects.spec(made))
    if referred and (version.major, version.minor) >= (1, 34):
        raise ValueError(f"static pods may not reference {referred}")
    return _marked(made, uid, place, now)


def _placed(spec: Mapping[str, Any], place: Place, node: str) -> Object:
    """On its node; from a file it stays there whatever taints come."""
    placed = {**spec, "nodeName": node}
    tolerations = spec.get("tolerations")
    if place.kind == FILE and (tolerations is None or isinstance(tolerations, list)):
        everything = {"operator": "Exists", "effect": "NoExecute"}
        others = [one for one in tolerations or () if one != everything]
        placed["tolerations"] = [*others, everything]
    return placed


def _checked(wanted: Object, version: Version, now: float) -> Object:
    """With the API's defaults, if the API would take it. ValueError."""
    # What is drawn at random (a uid) is not kept: the result depends on the manifest alone.
    request = rules.Request(
        now,
        randoms.Random(0),  # noqa: S311
        identity.User("system:node"),
        version=f"{version.major}.{version.minor}",
    )
    row = resources.built_in().get("pods")
    if row is None:
        raise LookupError("the table of resources has no pods")
    try:
        return rules.for_create(row, wanted, request).object
    except errors.StatusError as error:
        raise ValueError(f"invalid pod: {error}") from None


def _marked(made: Object, uid: str, place: Place, now: float) -> Object:
    meta = dict(made["metadata"])
    for drawn in ("creationTimestamp", "generation", "managedFields", "deletionTimestamp"):
        meta.pop(drawn, None)
    meta["uid"] = uid
    meta["annotations"] = {
        **(meta.get("annotations") or {}),
        mirrorpods.HASH: uid,
        mirrorpods.SEEN: timestamps.encode_micro(now),
        mirrorpods.SOURCE: place.kind,
    }
    meta["annotations"].pop(mirrorpods.MIRROR, None)
    return {**made, "metadata": meta, "status": {"phase": "Pending"}}


def _hash(found: Object, place: Place, node: str) -> str:
    text = f"host:{node}file:{place.path}" if place.kind == FILE else f"url:{place.path}"
    # MD5 as in Kubernetes: it tells manifests apart, it protects nothing.
    return hashlib.md5(text.encode() + _encode(found), usedforsecurity=False).hexdigest()
