"""`scale`: how many replicas an object wants and has, as an autoscaling/v1 Scale."""

from cluster.api import decoding, errors, objects, patching, selectors
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
    body, patch_type = call.operation.body, call.operation.patch_type
    after = patching.patched(_ROW, before, body, patch_type, call.version)
    try:
        return _scaled(call, chain, entry, after)
    except decoding.Undecodable as error:
        raise patching.unfit(body, patch_type, after, error) from None


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
    replicas = _replicas(call, scale)
    old = entry.document()
    said = bodies.named_revision(scale)
    if said and said != str(entry.revision):
        raise errors.conflict(call.row.id, call.operation.name, errors.MODIFIED)
    new = codec.decode(entry.json)
    new.setdefault("spec", {})["replicas"] = replicas
    return changes.stored(call, chain, entry, old, new, subresource="", render=get)


def _replicas(call: Call, scale: Object) -> int:
    found, _ = decoding.decoded(_ROW, scale, call.version, "Ignore")
    wanted: int = objects.spec(found).get("replicas", 0)
    if wanted < 0:
        why = f"Invalid value: {wanted}: must be greater than or equal to 0"
        cause = errors.Cause("FieldValueInvalid", why, "spec.replicas")
        raise errors.invalid("Scale", "autoscaling", call.operation.name, [cause])
    return wanted
