"""Plans for creates, updates and patches: from a body to the bytes to store."""

from collections.abc import Callable

import msgspec

from cluster.api import decoding, errors, json_text, objects, patching, rules, strategies
from cluster.api.managedfields import entries
from cluster.api.objects import Object
from cluster.api.operations import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH
from cluster.api.resources import Resource
from cluster.apiserver import applies, bodies, codec, deletion, ownership, renewals
from cluster.apiserver.admission.chain import Chain
from cluster.apiserver.admission.plugin import Act, Request
from cluster.apiserver.authz import gate
from cluster.apiserver.plan import Call, Plan, Render
from cluster.apiserver.watchcache.entry import Entry

SCALE = Resource("autoscaling", "v1", "Scale", "scales")
"""What the subresource `scale` shows of an object."""
_ENDING = "create not allowed while custom resource definition is terminating"
_PATCHES = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH)


def create(call: Call, body: Object, chain: Chain) -> Plan:
    """A new object. errors.AlreadyExists, and whatever rules and admission complain of."""
    row, operation = call.row, call.operation
    obj = bodies.check_place(row, body, call.namespace)
    if operation.name and isinstance(obj["metadata"], dict):
        obj["metadata"].setdefault("name", operation.name)
    return made(call, obj, chain)


def made(call: Call, obj: Object, chain: Chain, *, owned: bool = False) -> Plan:
    """The plan that makes `obj`, by all the rules; `owned`: it says whose its fields are."""
    row = call.row
    if row.ending:
        raise errors.MethodNotAllowed(_ENDING)

    def mutate(new: Object) -> None:
        if not owned:
            ownership.created(call, new)
        before = new["metadata"].get("managedFields")
        chain.mutate(Request(Act.CREATE, call, new))
        ownership.guard(new, before)

    outcome = rules.for_create(row, obj, call.rules(), mutate)
    call.warnings += outcome.warnings
    new = outcome.object
    name = objects.name(new)
    key = codec.key(call.stored.id, call.namespace, name)
    if call.cache.of(call.stored.id).get(key) is not None:
        raise errors.already_exists(row.id, name)
    request = Request(Act.CREATE, call, new)
    chain.complete(request)
    chain.validate(request)
    return Plan(key, call.storable(new), 0)


def update(call: Call, chain: Chain) -> Plan | Entry:
    """Another state of an object, whole. errors.NotFound, errors.Conflict."""
    body = bodies.decoded(call.operation.body, call.row.kind)
    call.repeated = bodies.repeated(call.operation, body)
    bodies.check_place(call.row, body, call.namespace)
    bodies.check_name(body, call.operation.name)
    makes = strategies.of(call.row).create_on_update and not call.operation.subresource
    if makes and call.found() is None:
        return _created_by_update(call, chain, body)
    entry = call.entry()
    _check_conditional(call, body)
    return stored(call, chain, entry, call.document(entry), body)


def _created_by_update(call: Call, chain: Chain, body: Object) -> Plan:
    """The plan for a PUT of an object that is not there, of a kind whose objects it makes."""
    metadata = body["metadata"] if isinstance(body["metadata"], dict) else {}
    if uid := metadata.get("uid"):
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: "
        raise errors.conflict(call.row.id, call.operation.name, why)
    kept = {field: value for field, value in metadata.items() if field != "resourceVersion"}
    gate.check_creation(call.authz, call.user, call.operation, call.row)
    return made(call, body | {"metadata": kept}, chain)


def _check_conditional(call: Call, body: Object) -> None:
    """errors.Invalid where an update must say which state it was made from, and does not."""
    row = call.row
    free = row.custom is None and strategies.of(row).unconditional
    if free or bodies.named_revision(body):
        return
    # Kubernetes names the resource where an error about an object names the kind.
    detail = "must be specified for an update"
    cause = errors.Cause(
        "FieldValueInvalid", f"Invalid value: 0x0: {detail}", "metadata.resourceVersion"
    )
    raise errors.invalid(row.plural, row.group, call.operation.name, [cause])


def patch(call: Call, chain: Chain) -> Plan | Entry:
    """A change to an object. errors.NotFound, errors.Conflict, errors.UnsupportedMediaType."""
    operation = call.operation
    if operation.patch_type == APPLY_PATCH:
        return _apply(call, chain)
    if renewals.concerns(call):
        return renewals.patch(call, chain, _patch)
    return _patch(call, chain)


def _patch(call: Call, chain: Chain) -> Plan | Entry:
    operation = call.operation
    if len(operation.body) > bodies.MAX_BODY:
        raise errors.RequestEntityTooLarge(f"Request entity too large: limit is {bodies.MAX_BODY}")
    if operation.patch_type not in _PATCHES:  # whether the object is there or not
        patching.patched(call.row, {}, operation.body, operation.patch_type, call.version)
    entry = call.entry()
    old = call.document(entry)
    new = patching.patched(call.row, old, operation.body, operation.patch_type, call.version)
    if isinstance(new.get("metadata"), dict):  # else the rules say what it is not
        bodies.check_name(new, operation.name)
    if operation.patch_type != JSON_PATCH:
        call.repeated = bodies.repeated(operation, codec.decode(operation.body))
    try:
        return stored(call, chain, entry, old, new)
    except decoding.Undecodable as error:
        raise patching.unfit(operation.body, operation.patch_type, new, error) from None


def _apply(call: Call, chain: Chain) -> Plan | Entry:
    """A configuration applied to an object, which need not be there yet."""
    config = applies.configuration(call, call.row)
    entry = call.cache.get(call.stored.id, call.namespace, call.operation.name)
    if entry is None:
        new = bodies.check_place(call.row, applies.first(call, config), call.namespace)
        gate.check_creation(call.authz, call.user, call.operation, call.row)
        return made(call, new, chain, owned=True)
    old = call.document(entry)
    new = applies.later(call, old, config)
    bodies.check_name(new, call.operation.name)
    return applies.existing(stored(call, chain, entry, old, new, owned=True))


def stored(
    call: Call,
    chain: Chain,
    entry: Entry,
    old: Object,
    new: Object,
    *,
    subresource: str | None = None,
    render: Render | None = None,
    owned: bool = False,
    shown: Callable[[Object], Object] | None = None,
) -> Plan | Entry:
    """The plan that puts `new` in the place of `entry` (`old` decoded), by all the rules.

    `subresource` says whose rules; by default those of the operation's. `owned`: `new` says
    already whose its fields are. `shown` makes of an object what admission is to see of it (a
    Scale), which has been asked what it would change. An entry instead of a plan: nothing would
    change.
    """
    operation, row = call.operation, call.row
    said = bodies.named_revision(new)
    if said and said != str(entry.revision):
        raise errors.conflict(row.id, operation.name, errors.MODIFIED)
    kind = operation.subresource if subresource is None else subresource

    def mutate(wanted: Object) -> None:
        if not owned:
            ownership.changed(call, old, wanted)
        if shown is None:
            before = wanted["metadata"].get("managedFields")
            chain.mutate(Request(Act.UPDATE, call, wanted, old))
            ownership.guard(wanted, before)

    outcome = rules.for_update(row, old, new, call.rules(), kind, mutate=mutate)
    call.warnings += outcome.warnings
    wanted = outcome.object
    if shown is None:
        request = Request(Act.UPDATE, call, wanted, old)
        chain.complete(request)
    else:
        request = Request(Act.UPDATE, call, shown(wanted), shown(old), kind=SCALE)
    chain.validate(request)
    return settled(call, entry, old, wanted, firm=_names_revision(operation.body), render=render)


def settled(
    call: Call,
    entry: Entry,
    old: Object,
    wanted: Object,
    *,
    firm: bool = False,
    render: Render | None = None,
) -> Plan | Entry:
    """The plan for an object that is ready to be stored: a change, none, or the object's end."""
    if deletion.finished(call.row, old, wanted):
        return Plan(entry.key, None, entry.revision, entry, firm, render)
    if _same(old, wanted) and not call.cache.stale(entry.key):
        return render(entry) if render is not None else entry.unmoved()
    return Plan(entry.key, call.storable(wanted), entry.revision, entry, firm, render)


def _same(old: Object, wanted: Object) -> bool:
    """Whether two states differ in their revision, and the times of their managers, alone."""
    if len(old) != len(wanted):
        return False
    for field, value in wanted.items():
        if field == "metadata":
            continue
        if old.get(field) != value:
            return False
    meta = dict(old["metadata"])
    meta.pop("resourceVersion", None)
    managers = meta.pop("managedFields", None) or []
    new_meta = dict(wanted["metadata"])
    new_meta.pop("resourceVersion", None)
    new_managers = new_meta.pop("managedFields", None) or []
    return meta == new_meta and entries.same_but_for_times(managers, new_managers)


class _Meta(msgspec.Struct):
    resourceVersion: str = ""


class _Body(msgspec.Struct):
    metadata: _Meta | None = None


_peek = json_text.reader(_Body)


def _names_revision(body: bytes) -> bool:
    """Whether a body or a patch says which revision it was made from."""
    if b'"resourceVersion"' not in body:
        return False
    try:
        found = _peek(body)
    except json_text.Malformed:
        # A JSON patch, which is a list: its tests are made anew each time.
        return False
    return found.metadata is not None and found.metadata.resourceVersion not in ("", "0")
