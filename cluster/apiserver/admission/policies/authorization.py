"""Nobody makes a policy read what he may not read himself: paramKind and paramRef.

Source: authz.go in k8s.io/kubernetes pkg/registry/admissionregistration/*.
"""

from typing import ClassVar, Final

from cluster.api import causes, errors, identity, objects
from cluster.api.objects import Object
from cluster.apiserver.admission.plugin import Act, Plugin, Request
from cluster.apiserver.authz.attributes import Attributes

_GROUP: Final = "admissionregistration.k8s.io"
_POLICIES: Final = (f"validatingadmissionpolicies.{_GROUP}", f"mutatingadmissionpolicies.{_GROUP}")
_BINDINGS: Final = {
    f"validatingadmissionpolicybindings.{_GROUP}": _POLICIES[0],
    f"mutatingadmissionpolicybindings.{_GROUP}": _POLICIES[1],
}


class ParamAuthorization(Plugin):
    """Asks the authorizer about parameters, when a policy or binding comes to name them."""

    name: ClassVar[str] = "ParamAuthorization"
    resources: ClassVar[tuple[str, ...]] = (*_POLICIES, *_BINDINGS)

    def validate(self, request: Request) -> None:
        """errors.Invalid, as the validation of the kinds refuses it in Kubernetes."""
        if request.act not in (Act.CREATE, Act.UPDATE) or request.subresource:
            return
        if request.call.authz is None or identity.MASTERS in request.call.user.groups:
            return
        spec = objects.spec(request.object)
        before = objects.spec(request.old) if request.old is not None else {}
        if request.row.id in _POLICIES:
            kind = spec.get("paramKind")
            if kind is not None and kind != before.get("paramKind"):
                _check_kind(request, kind)
        else:
            reference = spec.get("paramRef")
            same = all(before.get(name) == spec.get(name) for name in ("paramRef", "policyName"))
            if reference is not None and not same:
                _check_reference(request, spec.get("policyName") or "", reference)


def _check_kind(request: Request, kind: Object) -> None:
    if not _may_read(request, kind, "*", "*"):
        why = (
            f'user {_shown(request)} must have "get" permission on all objects of the referenced '
            f"paramKind (kind={kind.get('kind')}, apiVersion={kind.get('apiVersion')})"
        )
        raise _refused(request, "spec.paramKind", why)


def _check_reference(request: Request, policy: str, reference: Object) -> None:
    entry = request.cache.get(_BINDINGS[request.row.id], "", policy)
    kind = objects.spec(entry.document()).get("paramKind") if entry is not None else None
    namespace, name = reference.get("namespace") or "", reference.get("name") or ""
    if not _may_read(request, kind, namespace, name):
        why = (
            f'user {_shown(request)} does not have "get" permission on the object referenced by '
            "paramRef"
        )
        raise _refused(request, "spec.paramRef", why)


def _may_read(request: Request, kind: Object | None, namespace: str, name: str) -> bool:
    group, version, plural = "*", "*", "*"
    if kind is not None:
        api_version = kind.get("apiVersion") or ""
        group, _, version = api_version.rpartition("/")
        row = request.cache.table.of_kind(api_version, kind.get("kind") or "")
        plural = row.plural if row is not None else "*"
    authz = request.call.authz
    assert authz is not None
    user = request.call.user
    asked = Attributes(user, "get", group, version, plural, "", namespace, name)
    return authz.authorizer.authorize(asked).allowed


def _shown(request: Request) -> str:
    """A user as Go prints one."""
    user = request.call.user
    extra = " ".join(f"{key}:[{' '.join(texts)}]" for key, texts in sorted(user.extra))
    return f"&{{{user.name} {user.uid} [{' '.join(user.groups)}] map[{extra}]}}"


def _refused(request: Request, path: str, why: str) -> errors.Invalid:
    row = request.row
    return errors.invalid(row.kind, row.group, request.name, [causes.forbidden(path, why)])
