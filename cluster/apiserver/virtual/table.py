"""How a create of a virtual resource is answered: decoded as any body is, handled, never stored."""

from collections.abc import Callable, Mapping

from cluster.api import decoding, objects
from cluster.api.objects import Object
from cluster.apiserver import bodies, codec
from cluster.apiserver.admission.chain import Chain
from cluster.apiserver.admission.plugin import Act, Request
from cluster.apiserver.plan import Call
from cluster.apiserver.watchcache.entry import Entry

Handler = Callable[[Call, Object], Object]
"""From the call and the object as it was sent to the object as it is answered.

Raises errors.StatusError. It may change the object that it is given.
"""
Handlers = Mapping[str, Handler]
"""Handlers by resource id."""


def planned(handler: Handler, call: Call, body: Object, chain: Chain) -> Entry:
    """The answer of a virtual resource. errors.StatusError, outside.Ask."""
    operation, row = call.operation, call.row
    obj = bodies.check_place(row, body, call.namespace)
    decoded, warnings = decoding.decoded(
        row, obj, call.version, operation.field_validation or "Warn", call.repeated
    )
    call.warnings += warnings
    request = Request(Act.CREATE, call, decoded)
    chain.mutate(request)
    chain.validate(request)
    answer = handler(call, decoded)
    key = codec.key(row.id, call.namespace, objects.name(answer) or "-")
    return Entry(call.cache.of(row.id).shape, key, codec.document(answer), 0, 0)
