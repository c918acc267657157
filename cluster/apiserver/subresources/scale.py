"""`scale`: how many replicas an object wants and has, as an autoscaling/v1 Scale."""

import msgspec

from cluster.api import errors, objects, patching, selectors
from cluster.api.objects import Object
from cluster.api.resources import Resource
from cluster.apiserver import bodies, changes, codec
from cluster.apiserver.admission.chain import Chain
from cluster.apiserver.plan import Call, Plan, document
from cluster.apiserver.watchcache.entry import Entry

_ROW = Resource("autoscaling", "v1", "Scale", "scales")
_KEPT = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def get(entry: Entry) -> Entry:
    """The Scale of an object."""
    return document(entry, scale_of(entry.document()))


def update(call: Call, chain: Chain) -> Plan | Entry:
    """Take the replicas of a Scale. errors.NotFound, errors.Conflict, errors.Invalid."""
    entry = call.entry()
    body = bodies.decoded(call.operation.body, "Scale")
    bodies.check_name(body, call.operation.name)
    return _scaled(call, chain, entry, body)


def patch(call: Call, chain: Chain) -> Plan | Entry:
    """Patch the Scale of an object."""
    entry = call.entry()
    before = scale_of(entry.document())
    after = patching.patched(
        _ROW, before, call.operation.body, call.operation.patch_type, call.version
    )
    return _scaled(call, chain, entry, after)


def scale_of(obj: Object) -> Object:
    """The Scale document of a Deployment, a ReplicaSet, …"""
    meta = objects.meta(obj)
    status: Object = {"replicas": objects.status(obj).get("replicas", 0)}
    wanted = objects.spec(obj).get("selector")
    if wanted:
        status["selector"] = selectors.as_text(selectors.of(wanted))
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {field: meta[field] for field in _KEPT if field in meta},
        "spec": {"replicas": objects.spec(obj).get("replicas", 0)},
        "status": status,
    }


def _scaled(call: Call, chain: Chain, entry: Entry, scale: Object) -> Plan | Entry:
    replicas = _replicas(scale, call.operation.name)
    old = entry.document()
    said = bodies.named_revision(scale)
    if said and said != str(entry.revision):
        raise errors.conflict(call.row.id, call.operation.name, errors.MODIFIED)
    new = codec.decode(entry.json)
    new.setdefault("spec", {})["replicas"] = replicas
    return changes.stored(call, chain, entry, old, new, subresource="", render=get)


def _replicas(scale: Object, name: str) -> int:
    try:
        wanted = msgspec.convert(scale.get("spec") or {}, _Spec).replicas
    except msgspec.ValidationError as error:
        raise errors.BadRequest(
            f'Scale in version "v1" cannot be handled as a Scale: json: {error}'
        ) from None
    if wanted < 0:
        why = f"Invalid value: {wanted}: must be greater than or equal to 0"
        cause = errors.Cause("FieldValueInvalid", why, "spec.replicas")
        raise errors.invalid("Scale", "autoscaling", name, [cause])
    return wanted


class _Spec(msgspec.Struct):
    replicas: int = 0
