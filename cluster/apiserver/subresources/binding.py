"""`pods/binding`: the scheduler's decision. A pod is bound to a node once and for ever."""

from typing import Final

import msgspec

from cluster.api import conditions, errors, objects
from cluster.api.objects import Object
from cluster.api.operations import Operation
from cluster.api.resources import Resource
from cluster.apiserver import bodies, changes, codec
from cluster.apiserver.admission.chain import Chain
from cluster.apiserver.admission.plugin import Act, Request
from cluster.apiserver.plan import Call, Plan, document, success
from cluster.apiserver.watchcache.entry import Entry


class _Target(msgspec.Struct):
    kind: str = ""
    name: str = ""


class _Meta(msgspec.Struct):
    uid: str = ""
    resourceVersion: str = ""
    annotations: dict[str, str] = {}


class _Binding(msgspec.Struct):
    target: _Target = msgspec.field(default_factory=_Target)
    metadata: _Meta = msgspec.field(default_factory=_Meta)


RESOURCE: Final = "bindings"
"""The old way to bind: a Binding that is created by itself, named like its pod."""

_ROW: Final = Resource("", "v1", "Binding", RESOURCE)

_NOMINATION_ENDS_SINCE: Final = 35
"""The minor version from which a bound pod is promised no node any more
(ClearingNominatedNodeNameAfterBinding)."""

_binding = msgspec.json.Decoder(_Binding).decode


def of_pod(operation: Operation) -> Operation:
    """The creation of a Binding as that of its pod's subresource. errors.BadRequest."""
    body = bodies.decoded(operation.body, "Binding")
    metadata = body.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(name, str) or not name:
        raise errors.BadRequest("name must be provided")
    return msgspec.structs.replace(
        operation, resource="pods", name=name, subresource="binding", version=""
    )


def create(call: Call, chain: Chain) -> Plan | Entry:
    """Set spec.nodeName and the PodScheduled condition. errors.Conflict where a pod is bound
    already, is being deleted, or is not the one that was meant.
    """
    binding = _admitted(call, chain)
    entry = call.entry()
    old = entry.document()
    _check(call, binding, old)
    new = dict(old)
    new["spec"] = objects.spec(old) | {"nodeName": binding.target.name}
    if binding.metadata.annotations:
        annotations = objects.annotations(old) | binding.metadata.annotations
        new["metadata"] = objects.meta(old) | {"annotations": annotations}
    status = dict(objects.status(old))
    found = [dict(condition) for condition in status.get("conditions") or []]
    conditions.put(found, {"type": "PodScheduled", "status": "True"}, call.now)
    status["conditions"] = found
    if int(call.version.partition(".")[2]) >= _NOMINATION_ENDS_SINCE:
        status.pop("nominatedNodeName", None)
    new["status"] = status
    return changes.settled(call, entry, old, new, render=_bound)


def _bound(entry: Entry) -> Entry:
    return document(entry, success(entry.shape.row, entry.name, "", code=201))


def _admitted(call: Call, chain: Chain) -> _Binding:
    """The binding, as admission leaves it. errors.StatusError, outside.Ask."""
    binding = _decoded(call)
    body = codec.decode(call.operation.body)
    named = {"name": call.operation.name, "namespace": call.namespace}
    obj = {"apiVersion": "v1", "kind": "Binding", "metadata": named}
    obj |= {key: value for key, value in body.items() if key not in obj}
    obj["metadata"] = (body.get("metadata") or {}) | named
    before = codec.document(obj)
    request = Request(Act.CREATE, call, obj, kind=_ROW)
    chain.mutate(request)
    chain.validate(request)
    after = codec.document(obj)
    return binding if after == before else _binding(after)


def _decoded(call: Call) -> _Binding:
    try:
        return _binding(call.operation.body)
    except msgspec.ValidationError as error:
        raise errors.BadRequest(
            f'Binding in version "v1" cannot be handled as a Binding: json: {error}'
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        bodies.decoded(call.operation.body, "Binding")
        raise


def _check(call: Call, binding: _Binding, pod: Object) -> None:
    name = call.operation.name
    if binding.target.kind not in ("", "Node"):
        why = f'Unsupported value: "{binding.target.kind}": supported values: "Node", "<empty>"'
        cause = errors.Cause("FieldValueNotSupported", why, "target.kind")
        raise errors.invalid("Binding", "", name, [cause])
    if not binding.target.name:
        cause = errors.Cause("FieldValueRequired", "Required value", "target.name")
        raise errors.invalid("Binding", "", name, [cause])
    meta = objects.meta(pod)
    wanted = binding.metadata
    if wanted.uid and wanted.uid != meta.get("uid"):
        why = f"UID in precondition: {wanted.uid}, UID in object meta: {meta.get('uid')}"
        raise errors.conflict("pods/binding", name, f"Precondition failed: {why}")
    if wanted.resourceVersion and wanted.resourceVersion != meta.get("resourceVersion"):
        raise errors.conflict("pods/binding", name, errors.MODIFIED)
    if objects.deleting(pod):
        why = f"pod {name} is being deleted, cannot be assigned to a host"
        raise errors.conflict("pods/binding", name, why)
    host = objects.spec(pod).get("nodeName")
    if host:
        why = f'pod {name} is already assigned to node "{host}"'
        raise errors.conflict("pods/binding", name, why)
