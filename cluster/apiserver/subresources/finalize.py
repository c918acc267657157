"""`namespaces/finalize`: who still has work to do before a namespace may go (spec.finalizers)."""

from cluster.api import errors, objects
from cluster.apiserver import bodies, changes, ownership
from cluster.apiserver.admission.chain import Chain
from cluster.apiserver.admission.plugin import Act, Request
from cluster.apiserver.plan import Call, Plan
from cluster.apiserver.watchcache.entry import Entry


def update(call: Call, chain: Chain) -> Plan | Entry:
    """Take spec.finalizers of the body; a namespace on its way out goes with the last of them."""
    body = bodies.decoded(call.operation.body, "Namespace")
    bodies.check_name(body, call.operation.name)
    entry = call.entry()
    old = entry.document()
    said = bodies.named_revision(body)
    if said and said != str(entry.revision):
        raise errors.conflict(call.row.id, call.operation.name, errors.MODIFIED)
    uid = objects.uid(body)
    if uid and uid != objects.uid(old):
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: "
        raise errors.conflict(call.row.id, call.operation.name, why + objects.uid(old))
    spec = body.get("spec")
    wanted = spec.get("finalizers") if isinstance(spec, dict) else None
    if wanted is not None and not _texts(wanted):
        raise errors.BadRequest("spec.finalizers must be a list of strings")
    new = dict(old)
    new["spec"] = {
        field: value for field, value in objects.spec(old).items() if field != "finalizers"
    }
    if wanted:
        new["spec"]["finalizers"] = wanted
    new["metadata"] = dict(objects.meta(old))
    ownership.changed(call, old, new)
    request = Request(Act.UPDATE, call, new, old)
    chain.mutate(request)
    chain.validate(request)
    return changes.settled(call, entry, old, new, firm=bool(said))


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
