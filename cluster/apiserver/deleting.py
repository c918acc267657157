"""Plans for deletions."""

from cluster.api import objects
from cluster.apiserver import bodies, codec, deletion
from cluster.apiserver.admission.chain import Chain
from cluster.apiserver.admission.plugin import Act, Request
from cluster.apiserver.deletion import Fate
from cluster.apiserver.plan import Call, Plan, document, success
from cluster.apiserver.watchcache.entry import Entry


def delete(call: Call, chain: Chain) -> Plan | Entry:
    """The end of an object, or its beginning. errors.NotFound, errors.Conflict."""
    body = call.operation.body
    asked = deletion.options(bodies.decoded(body, "DeleteOptions") if body else {})
    entry = call.entry()
    obj = entry.document()
    shown = call.document(
        entry
    )  # so nothing goes that its webhook cannot convert, as in Kubernetes
    deletion.check_preconditions(call.row.id, obj, asked)
    request = Request(Act.DELETE, call, shown, shown)
    chain.mutate(request)
    chain.validate(request)
    verdict = deletion.judge(call.row, obj, asked, call.now)
    if verdict.fate is Fate.KEEP:
        return entry
    firm = bool(asked.revision)
    if verdict.fate is Fate.MARK:
        return Plan(entry.key, codec.encode(verdict.object), entry.revision, entry, firm)
    if deletion.returns_object(call.row.id):
        last = codec.encode(verdict.object)
        return Plan(entry.key, None, entry.revision, entry, firm, lambda gone: _as(gone, last))
    status = success(call.row, entry.name, objects.uid(obj))
    return Plan(entry.key, None, entry.revision, entry, firm, lambda gone: document(gone, status))


def _as(gone: Entry, last: bytes) -> Entry:
    """The object that is gone, as it was asked to go."""
    json = codec.with_revision(last, gone.revision)
    return Entry(gone.shape, gone.key, json, gone.revision, gone.created)
