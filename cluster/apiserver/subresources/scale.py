"""`scale`: how many replicas an object wants and has, as an autoscaling/v1 Scale."""

import copy
from collections.abc import Callable

from cluster.api import decoding, errors, objects, patching, selectors
from cluster.api.objects import Object
from cluster.api.operations import APPLY_PATCH
from cluster.api.resources import Resource
from cluster.apiserver import applies, bodies, changes
from cluster.apiserver.admission.chain import Chain
from cluster.apiserver.admission.plugin import Act, Request
from cluster.apiserver.plan import Call, Plan, document
from cluster.apiserver.watchcache.entry import Entry

ROW = changes.SCALE
_SAID = ("name", "namespace", "uid", "resourceVersion")
_KEPT = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def get(entry: Entry) -> Entry:
    """The Scale of an object."""
    return document(entry, scale_of(entry.document(), entry.shape.row))


def update(call: Call, chain: Chain) -> Plan | Entry:
    """Take the replicas of a Scale. errors.NotFound, errors.Conflict, errors.Invalid."""
    entry = call.entry()
    body = bodies.decoded(call.operation.body, "Scale")
    bodies.check_name(body, call.operation.name)
    return _scaled(call, chain, entry, body)


def patch(call: Call, chain: Chain) -> Plan | Entry:
    """Patch the Scale of an object."""
    entry = call.entry()
    if call.operation.patch_type == APPLY_PATCH:
        return _applied(call, chain, entry)
    before = scale_of(call.document(entry), call.row)
    body, patch_type = call.operation.body, call.operation.patch_type
    after = patching.patched(ROW, before, body, patch_type, call.version)
    try:
        return _scaled(call, chain, entry, after)
    except decoding.Undecodable as error:
        raise patching.unfit(body, patch_type, after, error) from None


def _applied(call: Call, chain: Chain, entry: Entry) -> Plan | Entry:
    """Apply a Scale: it is as if its replicas were applied to the object itself."""
    old = call.document(entry)
    scale = applies.configuration(call, ROW)
    _replicas(call, scale)
    _admit(call, chain, scale, old)
    replicas = _replicas(call, scale)
    config: Object = {
        "apiVersion": call.row.api_version,
        "kind": call.row.kind,
        "metadata": {key: value for key, value in objects.meta(scale).items() if key in _SAID},
    }
    if "replicas" in objects.spec(scale):
        _put(call.row, config, replicas)
    new = applies.later(call, old, config)
    if scale_of(new, call.row)["spec"]["replicas"] != replicas:  # applied no more: it is 0
        new = copy.deepcopy(new)
        _put(call.row, new, replicas)
    return changes.stored(
        call, chain, entry, old, new, subresource="", render=get, owned=True, shown=_shown(call)
    )


def _put(row: Resource, obj: Object, replicas: int) -> None:
    custom = row.custom.scale if row.custom is not None else None
    if custom is not None:
        custom.put(obj, replicas)
    else:
        obj.setdefault("spec", {})["replicas"] = replicas


def scale_of(obj: Object, row: Resource) -> Object:
    """The Scale document of a Deployment, a ReplicaSet, a custom object…"""
    meta = objects.meta(obj)
    custom = row.custom.scale if row.custom is not None else None
    if custom is not None:
        replicas, present, text = (
            custom.wanted(obj), custom.present(obj), custom.selector_text(obj),
        )  # fmt: skip
    else:
        replicas = objects.spec(obj).get("replicas", 0)
        present = objects.status(obj).get("replicas", 0)
        wanted = objects.spec(obj).get("selector")
        text = selectors.as_text(selectors.of(wanted)) if wanted else ""
    status: Object = {"replicas": present} | ({"selector": text} if text else {})
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {field: meta[field] for field in _KEPT if field in meta},
        "spec": {"replicas": replicas},
        "status": status,
    }


def _scaled(call: Call, chain: Chain, entry: Entry, scale: Object) -> Plan | Entry:
    _replicas(call, scale)
    old = call.document(entry)
    scale, _ = decoding.decoded(ROW, scale, call.version, "Ignore")
    _admit(call, chain, scale, old)
    replicas = _replicas(call, scale)
    said = bodies.named_revision(scale)
    if said and said != str(entry.revision):
        raise errors.conflict(call.row.id, call.operation.name, errors.MODIFIED)
    new = call.document(entry)
    if call.row.custom is not None:
        new = copy.deepcopy(new)
    _put(call.row, new, replicas)
    return changes.stored(
        call, chain, entry, old, new, subresource="", render=get, shown=_shown(call)
    )


def _shown(call: Call) -> Callable[[Object], Object]:
    """What admission sees of an object."""
    row = call.row
    return lambda obj: scale_of(obj, row)


def _admit(call: Call, chain: Chain, scale: Object, old: Object) -> None:
    """Let admission change a Scale. errors.StatusError, outside.Ask."""
    chain.mutate(Request(Act.UPDATE, call, scale, scale_of(old, call.row), kind=ROW))


def _replicas(call: Call, scale: Object) -> int:
    found, _ = decoding.decoded(ROW, scale, call.version, "Ignore")
    wanted: int = objects.spec(found).get("replicas", 0)
    if wanted < 0:
        why = f"Invalid value: {wanted}: must be greater than or equal to 0"
        cause = errors.Cause("FieldValueInvalid", why, "spec.replicas")
        raise errors.invalid("Scale", "autoscaling", call.operation.name, [cause])
    return wanted
