"""The rules for a write: decode, default, stamp, prepare, validate. Pure functions.

They do what k8s.io/apiserver does between the body of a request and the store: check the type,
prune unknown fields, fill in defaults and metadata, split spec from status, validate. An object
that comes in is never changed; the object that goes out is new, has apiVersion, kind and metadata
first, and no resourceVersion (the store gives it one).
"""

from collections.abc import Callable
from random import Random
from typing import Any, Literal

import msgspec

from cluster.api import (
    completion,
    errors,
    identity,
    objectmeta,
    schema,
    strategies,
    validation,
)
from cluster.api import warnings as advice
from cluster.api.objects import Object
from cluster.api.resources import Resource

FieldValidation = Literal["Warn", "Strict", "Ignore"]
Mutate = Callable[[Object], None]
"""What admission does to an object between decoding and validation; it changes it in place."""


class Request(msgspec.Struct, frozen=True):
    """What a rule needs to know of the request. `now` is in seconds since the epoch.

    `version` is the Kubernetes version emulated (`1.37`), which chooses the schemas. `repeated` are
    paths of fields that the body gave more than once.
    """

    now: float
    random: Random
    user: identity.User
    field_validation: FieldValidation = "Warn"
    version: str = schema.NEWEST
    repeated: tuple[str, ...] = ()


class Outcome(msgspec.Struct, frozen=True):
    """The object to store, and what the user should be warned of."""

    object: Object
    warnings: tuple[str, ...] = ()


def _nothing(_obj: Object) -> None:
    pass


def for_create(
    resource: Resource, obj: Any, request: Request, mutate: Mutate = _nothing
) -> Outcome:
    """The object to store for a create.

    metadata.namespace is the request's already. errors.BadRequest, errors.Invalid, and whatever
    `mutate` raises.
    """
    new, warnings = _completed(resource, obj, request)
    meta = new["metadata"]
    if meta.get("resourceVersion"):
        raise errors.BadRequest("resourceVersion should not be set on objects to be created")
    mutate(new)
    meta = new["metadata"]
    objectmeta.stamp(meta, namespaced=resource.namespaced, now=request.now, random=request.random)
    strategies.prepare_for_create(resource, new, request.user)
    found = objectmeta.check(
        meta, namespaced=resource.namespaced, name_rule=strategies.name_rule(resource)
    )
    found += validation.of_new(resource, new)
    _refuse(resource, meta, found)
    return Outcome(new, warnings + advice.of(resource, new))


def for_update(
    resource: Resource,
    old: Object,
    new: Any,
    request: Request,
    subresource: str = "",
    *,
    mutate: Mutate = _nothing,
) -> Outcome:
    """The object to store in place of `old`.

    `subresource` `status` takes only status (and metadata) from `new`; the main resource takes
    all but status. resourceVersion is the caller's to compare. errors.BadRequest, errors.Invalid,
    errors.Conflict where `new` names another uid.
    """
    wanted, warnings = _completed(resource, new, request)
    meta = wanted["metadata"]
    _same_uid(resource, old, meta)
    mutate(wanted)
    meta = wanted["metadata"]
    objectmeta.keep(meta, old.get("metadata") or {})
    strategies.prepare_for_update(resource, old, wanted, subresource, request.now)
    found = objectmeta.check_update(meta, old.get("metadata") or {})
    found += validation.of_update(resource, old, wanted, subresource)
    _refuse(resource, meta, found)
    if not subresource:
        warnings += advice.of(resource, wanted, old)
    return Outcome(wanted, warnings)


def _completed(resource: Resource, obj: Any, request: Request) -> tuple[Object, tuple[str, ...]]:
    return completion.completed(
        resource, obj, request.version, request.field_validation, request.repeated
    )


def _same_uid(resource: Resource, old: Object, meta: Object) -> None:
    wanted, found = meta.get("uid"), (old.get("metadata") or {}).get("uid")
    if wanted and found and wanted != found:
        why = f"Precondition failed: UID in precondition: {wanted}, UID in object meta: {found}"
        raise errors.conflict(resource.id, (old.get("metadata") or {}).get("name", ""), why)


def _refuse(resource: Resource, meta: Object, found: list[errors.Cause]) -> None:
    if found:
        name = meta.get("name") or meta.get("generateName") or ""
        raise errors.invalid(resource.kind, resource.group, name, found)
