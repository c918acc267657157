"""From an operation to its plan: finds the row and the verb, and who plans that."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from cluster.api import errors
from cluster.api.objects import Object
from cluster.api.operations import Operation, Verb
from cluster.api.resources import Resource, Table
from cluster.apiserver import bodies, changes, codec, deleting
from cluster.apiserver.admission.chain import Chain
from cluster.apiserver.outside import Answers
from cluster.apiserver.plan import Call, Plan
from cluster.apiserver.subresources import binding
from cluster.apiserver.subresources import table as subresources
from cluster.apiserver.virtual import table as virtual_table
from cluster.apiserver.virtual.table import Handler, Handlers
from cluster.apiserver.watchcache.entry import Entry

_NAMES = {
    Verb.CREATE: "create", Verb.UPDATE: "update", Verb.PATCH: "patch", Verb.DELETE: "delete",
}  # fmt: skip


_NO_HANDLERS: Handlers = {}


@dataclass(slots=True, eq=False)
class Outside:
    """What the plannings of an operation that asks outside have in common."""

    now: float
    seed: float
    answers: Answers = field(default_factory=Answers)


class Job(msgspec.Struct, eq=False):
    """An operation of a known resource and verb.

    `key` is the storage key of its object, "" while it has no name (one will be generated).
    `plan` makes a plan against the present state; it may be called again when that has changed.
    `outside` is there once planning has asked somebody.
    """

    operation: Operation
    row: Resource
    stored: Resource
    key: str
    plan: Callable[[Call], Plan | Entry]
    attempts: int = 0
    outside: "Outside | None" = None


def job(operation: Operation, table: Table, chain: Chain, virtual: Handlers = _NO_HANDLERS) -> Job:
    """What an operation asks for.

    errors.NotFound for an unknown resource or subresource, errors.MethodNotAllowed for a verb that
    it does not have, errors.BadRequest for a body that is no JSON.
    """
    row = table.get(operation.resource, operation.version)
    if row is None:
        raise unknown()
    stored = table.stored(row)
    if operation.subresource:
        operation, planner = _of_subresource(row, operation)
        key = _key(stored, operation)
        return Job(operation, row, stored, key, lambda call: planner(call, chain))
    verb = _NAMES.get(operation.verb, "")
    if not row.serves(verb):
        raise not_allowed(row, verb)
    if operation.verb is Verb.CREATE:
        handler = virtual.get(row.id)
        if handler is not None:
            return _asked(operation, row, handler, chain)
        if row.id == binding.RESOURCE:
            return job(binding.of_pod(operation), table, chain, virtual)
        return _create(operation, row, stored, chain)
    if not operation.name:
        raise errors.BadRequest("name must be provided")
    planner = _PLANNERS[operation.verb]
    return Job(operation, row, stored, _key(stored, operation), lambda call: planner(call, chain))


def unknown() -> errors.NotFound:
    """What kube-apiserver says at a path that it does not serve."""
    return errors.NotFound("the server could not find the requested resource")


def not_allowed(row: Resource, verb: str) -> errors.MethodNotAllowed:
    """`patch is not supported on resources of kind "bindings"`."""
    return errors.MethodNotAllowed(f'{verb} is not supported on resources of kind "{row.id}"')


_PLANNERS: dict[Verb, subresources.Planner] = {
    Verb.UPDATE: changes.update,
    Verb.PATCH: changes.patch,
    Verb.DELETE: deleting.delete,
}


def _create(operation: Operation, row: Resource, stored: Resource, chain: Chain) -> Job:
    body = bodies.decoded(operation.body, row.kind)
    repeated = bodies.repeated(operation, body)
    metadata = body.get("metadata")
    said = metadata.get("name") if isinstance(metadata, dict) else None
    name = said if isinstance(said, str) else operation.name
    if said and operation.name:
        bodies.check_name(body, operation.name)
    namespace = operation.namespace if row.namespaced else ""
    key = codec.key(stored.id, namespace, name) if name else ""

    def plan(call: Call) -> Plan | Entry:
        call.repeated = repeated
        return changes.create(call, _own(body), chain)

    return Job(operation, row, stored, key, plan)


def _asked(operation: Operation, row: Resource, handler: Handler, chain: Chain) -> Job:
    """A create of a virtual resource, which is answered and never stored."""
    body = bodies.decoded(operation.body, row.kind)
    repeated = bodies.repeated(operation, body)

    def plan(call: Call) -> Plan | Entry:
        call.repeated = repeated
        return virtual_table.planned(handler, call, _own(body), chain)

    return Job(operation, row, row, "", plan)


def _own(body: Object) -> Object:
    """The body for one attempt, which may write to the metadata: the next one starts anew."""
    metadata = body.get("metadata")
    if not isinstance(metadata, dict):
        return dict(body)
    return body | {"metadata": copy.copy(metadata)}


def _of_subresource(row: Resource, operation: Operation) -> tuple[Operation, subresources.Planner]:
    if operation.subresource not in row.subresources:
        raise unknown()
    served = subresources.SUBRESOURCES.get(operation.subresource)
    if served is None:
        raise unknown()
    planner = {
        Verb.CREATE: served.create, Verb.UPDATE: served.update, Verb.PATCH: served.patch,
    }.get(operation.verb)  # fmt: skip
    stepwise = served.prepare if operation.verb is Verb.CREATE else None
    if planner is None and stepwise is None:
        raise not_allowed(row, _NAMES.get(operation.verb, ""))
    if not operation.name:
        raise errors.BadRequest("name must be provided")
    if planner is not None:
        return operation, planner
    assert stepwise is not None
    return stepwise(operation)


def _key(row: Resource, operation: Operation) -> str:
    namespace = operation.namespace if row.namespaced else ""
    return codec.key(row.id, namespace, operation.name)
