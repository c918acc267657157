"""What became of writes whose answer was lost together with the API server that was to give it.

Nobody knows whether they were carried out. They are not repeated blindly: a repeated patch may undo
what somebody else has written meanwhile, and a repeated create may make a second object. Each is
looked up by way of another server, whose reads are not older than anything that was acknowledged:

- where the object shows what was to be written, it was written, and the object is the answer;
- where it is certain that repeating is harmless (a create by a name that is free, an update of the
  very revision that was read, a deletion that names the uid), it is repeated;
- the rest is the writer's to decide: errors.ServiceUnavailable, as before.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec

from cluster.api import errors
from cluster.api.operations import MERGE_PATCH, STRATEGIC_PATCH, Operation, Verb
from cluster.client.transport import Outcome, Raw

_decode = msgspec.json.Decoder().decode
_SERVERS_OWN: Final = (
    "resourceVersion", "managedFields", "generation", "creationTimestamp", "selfLink",
)  # fmt: skip


class Reaches(Protocol):
    """The part of a Transport that is needed."""

    async def get(self, resource: str, namespace: str, name: str) -> Raw:
        """See `Transport.get`."""
        ...

    async def write(self, batch: Sequence[Operation]) -> Sequence[Outcome]:
        """See `Transport.write`."""
        ...


async def settled(batch: Sequence[Operation], transport: Reaches) -> list[Outcome]:
    """The outcomes of a batch, in order."""
    found: list[Outcome] = [await _looked_up(operation, transport) for operation in batch]
    again = [index for index, outcome in enumerate(found) if outcome is _REPEAT]
    if again:
        for index, outcome in zip(
            again, await transport.write([batch[index] for index in again]), strict=True
        ):
            found[index] = outcome
    return found


_REPEAT: Final = errors.ServiceUnavailable("repeat")


async def _looked_up(operation: Operation, transport: Reaches) -> Outcome:
    if not operation.name or operation.dry_run:
        return _unknown(operation)
    try:
        raw = await transport.get(operation.resource, operation.namespace, operation.name)
    except errors.NotFound as error:
        return absent(operation, error)
    except errors.StatusError as error:
        return error
    outcome = present(operation, _decode(raw.json))
    if outcome is not None:
        return outcome
    return raw if operation.want_object else None


def absent(operation: Operation, error: errors.NotFound) -> Outcome:
    """What follows where the object is not there."""
    if operation.verb is Verb.CREATE and not operation.subresource:
        return _REPEAT
    if operation.verb is Verb.DELETE:
        return None if not operation.want_object else _unknown(operation)
    return error


def present(operation: Operation, obj: Mapping[str, Any]) -> errors.StatusError | None:
    """What follows from the object that is there; None: it is as it was to be."""
    body = _body(operation)
    if body is None:
        return _unknown(operation)
    if operation.verb is Verb.DELETE:
        return _deleted(body, obj, operation)
    if operation.subresource == "binding":
        node = (body.get("target") or {}).get("name")
        return None if (obj.get("spec") or {}).get("nodeName") == node else _REPEAT
    if operation.subresource not in ("", "status"):
        return _unknown(operation)
    if operation.verb is Verb.PATCH:
        plain = operation.patch_type in (MERGE_PATCH, STRATEGIC_PATCH)
        return None if plain and shows(obj, body) else _unknown(operation)
    if shows(obj, body):
        return None
    if operation.verb is Verb.UPDATE:
        said = (body.get("metadata") or {}).get("resourceVersion")
        return _REPEAT if said else _unknown(operation)
    return _REPEAT  # a create: the API says that the name is taken


def shows(obj: Any, wanted: Any) -> bool:
    """Whether everything in `wanted` is in `obj`, but for what the server decides."""
    if isinstance(wanted, Mapping):
        if not isinstance(obj, Mapping):
            return False
        return all(
            field in _SERVERS_OWN
            or (field not in obj if value is None else field in obj and shows(obj[field], value))
            for field, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(obj, list) and len(obj) == len(wanted) and all(map(shows, obj, wanted))
    return bool(obj == wanted)


def _deleted(
    body: Mapping[str, Any], obj: Mapping[str, Any], operation: Operation
) -> errors.StatusError | None:
    metadata = obj.get("metadata") or {}
    uid = (body.get("preconditions") or {}).get("uid")
    if uid and metadata.get("uid") != uid:
        return None  # that object is gone, and another has its name
    if metadata.get("deletionTimestamp"):
        return None
    return _REPEAT if uid else _unknown(operation)


def _body(operation: Operation) -> Mapping[str, Any] | None:
    try:
        found = _decode(operation.body) if operation.body else {}
    except msgspec.DecodeError:
        return None
    return found if isinstance(found, dict) else None


def _unknown(operation: Operation) -> errors.ServiceUnavailable:
    return errors.ServiceUnavailable(
        f"the API server was lost before it answered: nobody knows whether {operation.resource} "
        f'"{operation.name}" was written'
    )
