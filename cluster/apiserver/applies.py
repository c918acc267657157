"""Server-side apply: from the body of a patch to the object that it makes.

Words: applyPatcher in k8s.io/apiserver/pkg/endpoints/handlers/patch.go.
"""

from cluster.api import errors
from cluster.api.managedfields import applying
from cluster.api.managedfields.applying import Apply
from cluster.api.objects import Object
from cluster.api.resources import Resource
from cluster.apiserver import bodies, ownership
from cluster.apiserver.plan import Call, Plan
from cluster.apiserver.watchcache.entry import Entry


def configuration(call: Call, row: Resource) -> Object:
    """The configuration that the body holds: of the version and kind of `row`, or it is refused."""
    operation = call.operation
    config = bodies.decoded(operation.body, row.kind)
    call.repeated = bodies.repeated(operation, config)
    version, said = config.get("apiVersion"), config.get("kind")
    if version != row.api_version or said != row.kind:
        group, _, short = str(version or "").rpartition("/")
        raise errors.BadRequest(f"invalid object type: {group}/{short}, Kind={said or ''}")
    if not isinstance(config.get("metadata"), dict | None):
        raise errors.BadRequest("metadata must be an object")
    return config


def laid_over(call: Call, live: Object, config: Object) -> Object:
    """The object that an apply makes of `live`; {}: there is none."""
    asked = Apply(config, ownership.writer(call), call.operation.force, ownership.versions(call))
    return applying.apply(ownership.type_of(call), live, asked)


def existing(plan: Plan | Entry) -> Plan | Entry:
    """The plan for an object that was there before, though it may not have changed since."""
    if isinstance(plan, Entry):
        return Entry(plan.shape, plan.key, plan.json, plan.revision, 0)
    return plan


def first(call: Call, config: Object) -> Object:
    """The object that an apply makes where there is none.

    errors.NotFound for a subresource of nothing, errors.Conflict where one was expected.
    """
    name = call.operation.name
    if call.operation.subresource:
        raise errors.not_found(call.row.id, name)
    metadata = config.get("metadata") or {}
    if metadata.get("uid"):
        why = f"uid mismatch: the provided object specified uid {metadata['uid']}"
        raise errors.conflict(call.row.id, name, f"{why}, and no existing object was found")
    if bodies.named_revision(config):
        raise errors.conflict(call.row.id, name, errors.MODIFIED)
    bodies.check_name(config, name)
    new = laid_over(call, {}, config)
    return new | {"metadata": dict(new["metadata"])}


def later(call: Call, old: Object, config: Object) -> Object:
    """The object that an apply makes of `old`.

    errors.BadRequest, errors.Conflict where the configuration names another object.
    """
    said, meta = config.get("metadata") or {}, old["metadata"]
    if said.get("namespace") and said["namespace"] != meta.get("namespace"):
        raise errors.BadRequest(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    if said.get("name"):
        bodies.check_name(config, call.operation.name)
    if said.get("uid") and said["uid"] != meta.get("uid"):
        why = f"UID in precondition: {said['uid']}, UID in object meta: {meta.get('uid')}"
        raise errors.conflict(call.row.id, call.operation.name, f"Precondition failed: {why}")
    return laid_over(call, old, config)
