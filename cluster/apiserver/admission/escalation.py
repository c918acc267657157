"""Nobody grants more than he has: the checks of kube-apiserver's storage of roles and bindings.

Sources: k8s.io/kubernetes pkg/registry/rbac/*/policybased and pkg/registry/rbac/validation.
"""

from typing import ClassVar, Final

from cluster.api import errors, identity, objects
from cluster.api.objects import Object
from cluster.apiserver.admission.plugin import Act, Plugin, Request
from cluster.apiserver.authz import rules
from cluster.apiserver.authz.attributes import Attributes
from cluster.apiserver.authz.modes import Built
from cluster.apiserver.authz.rbac import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    GROUP,
    ROLE_BINDINGS,
    ROLES,
)

_ROLE_KINDS: Final = {"Role": "roles", "ClusterRole": "clusterroles"}
_KEPT_BY_COLLECTOR: Final = ("ownerReferences", "finalizers", "resourceVersion", "managedFields")


class RbacEscalation(Plugin):
    """Refuses roles with rights that their author does not have, and bindings to such roles.

    The verbs `escalate` and `bind` allow it all the same, and so does being in `system:masters`.
    Where RBAC is no authorization mode there is nothing to escalate to.
    """

    name: ClassVar[str] = "RBACEscalation"
    resources: ClassVar[tuple[str, ...]] = (
        ROLES, CLUSTER_ROLES, ROLE_BINDINGS, CLUSTER_ROLE_BINDINGS,
    )  # fmt: skip

    def validate(self, request: Request) -> None:
        """errors.Forbidden; errors.NotFound for a binding to a role that there is not."""
        authz = request.call.authz
        if request.act not in (Act.CREATE, Act.UPDATE) or authz is None or not authz.enforced:
            return
        if identity.MASTERS in request.call.user.groups or _only_collected(request):
            return
        if request.row.id in (ROLES, CLUSTER_ROLES):
            _check_role(authz, request)
        else:
            _check_binding(authz, request)


def _check_role(authz: Built, request: Request) -> None:
    name = "" if request.act is Act.CREATE else objects.name(request.object)
    if _may(authz, request, "escalate", request.row.plural, name):
        return
    if (request.object.get("aggregationRule") or {}).get("clusterRoleSelectors"):
        held = authz.rbac.rules_for(request.call.user, "")
        if _missing(request, held.rules, rules.FULL):
            why = "must have cluster-admin privileges to use the aggregationRule"
            raise errors.forbidden(request.row.id, objects.name(request.object), why)
    _check_rules(authz, request, rules.of(request.object.get("rules")))


def _check_binding(authz: Built, request: Request) -> None:
    reference = request.object.get("roleRef") or {}
    kind, name = reference.get("kind", ""), reference.get("name", "")
    plural = _ROLE_KINDS.get(kind, "")
    if _may(authz, request, "bind", plural, name):
        return
    granted = authz.rbac.role_of(kind, name, request.call.namespace)
    if granted is None:
        raise errors.not_found(f"{plural}.{GROUP}", name)
    _check_rules(authz, request, granted)


def _check_rules(authz: Built, request: Request, wanted: tuple[rules.Rule, ...]) -> None:
    user = request.call.user
    held = authz.rbac.rules_for(user, request.call.namespace)
    missing = _missing(request, held.rules, wanted)
    if not missing:
        return
    lines = sorted({rules.text(rule) for rule in rules.compacted(missing)})
    why = (
        f'user "{user.name}" (groups={rules.quoted(user.groups)}) is attempting to grant RBAC '
        "permissions not currently held:\n" + "\n".join(lines)
    )
    if held.problems:
        why += f"; resolution errors: [{', '.join(held.problems)}]"
    raise errors.forbidden(request.row.id, objects.name(request.object), why)


def _missing(
    request: Request, held: tuple[rules.Rule, ...], wanted: tuple[rules.Rule, ...]
) -> list[rules.Rule]:
    """errors.Forbidden where there is too much to compare."""
    try:
        return rules.missing(held, wanted)
    except rules.TooLarge as error:
        raise errors.forbidden(request.row.id, objects.name(request.object), str(error)) from None


def _may(authz: Built, request: Request, verb: str, plural: str, name: str) -> bool:
    asked = Attributes(
        request.call.user, verb, GROUP, "v1", plural, "", request.call.namespace, name
    )
    return authz.authorizer.authorize(asked).allowed


def _only_collected(request: Request) -> bool:
    """Whether an update changes nothing but what the garbage collector has to."""
    if request.old is None:
        return False
    return _rest(request.old) == _rest(request.object)


def _rest(obj: Object) -> Object:
    meta = {key: value for key, value in obj["metadata"].items() if key not in _KEPT_BY_COLLECTOR}
    return obj | {"metadata": meta}
