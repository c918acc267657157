"""Puts the bootstrap policy into a cluster: at its first start all, later what is missing."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from cluster.api import errors, identity, objects
from cluster.api.objects import Object
from cluster.api.operations import Operation, Verb
from cluster.apiserver import codec
from cluster.apiserver.authz import rules
from cluster.apiserver.authz.policy.objects import wanted
from cluster.apiserver.authz.policy.reconciliation import amended

if TYPE_CHECKING:
    from cluster.apiserver.registry import Registry

_PLURALS = {
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "Role": "roles",
    "RoleBinding": "rolebindings",
}


async def ensure(registry: "Registry", user: identity.User) -> None:
    """Make and mend, as `user`, in one batch. What somebody changes meanwhile is left as it is."""
    log = structlog.get_logger().bind(component="apiserver")
    batch: list[Operation] = []
    for obj in wanted():
        resource = f"{_PLURALS[obj['kind']]}.rbac.authorization.k8s.io"
        entry = registry.cache.get(resource, objects.namespace(obj), objects.name(obj))
        if entry is None:
            batch.append(_operation(Verb.CREATE, resource, obj))
            continue
        try:
            changed = amended(entry.document(), obj)
        except rules.TooLarge as error:
            log.warning("an RBAC object is left as it is", name=objects.name(obj), error=str(error))
            continue
        if changed is None:
            continue
        log.info("reconciling an RBAC object", resource=resource, name=objects.name(obj))
        if changed.get("roleRef") != entry.document().get("roleRef"):
            batch.append(_operation(Verb.DELETE, resource, obj, _nothing))
            batch.append(_operation(Verb.CREATE, resource, changed))
        else:
            batch.append(_operation(Verb.UPDATE, resource, changed))
    for result in await registry.write(batch, user):
        # Another server that starts at the same time does the same.
        if isinstance(result, errors.StatusError) and not isinstance(
            result, errors.AlreadyExists | errors.Conflict | errors.NotFound
        ):
            log.warning("cannot make an RBAC object", error=result.message)


def _nothing(_obj: Object) -> bytes:
    return b""


def _operation(
    verb: Verb, resource: str, obj: Object, body: Callable[[Object], bytes] = codec.document
) -> Operation:
    return Operation(
        verb,
        resource,
        objects.namespace(obj),
        objects.name(obj),
        body=body(obj),
        want_object=False,
    )
