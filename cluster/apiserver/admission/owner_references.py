"""OwnerReferencesPermissionEnforcement: who ties objects to owners must have power over both.

Source: k8s.io/kubernetes plugin/pkg/admission/gc.
"""

from typing import Any, ClassVar

from cluster.api import objects
from cluster.api.objects import Object
from cluster.apiserver.admission.plugin import Act, Plugin, Request
from cluster.apiserver.authz.attributes import Attributes


class OwnerReferencesPermissionEnforcement(Plugin):
    """Refuses changes of ownerReferences by those who may not delete the object, and owners held
    back from deletion by those who may not set the owner's finalizers.
    """

    name: ClassVar[str] = "OwnerReferencesPermissionEnforcement"

    def heeds_renewals(self) -> bool:
        """It looks at owners."""
        return False

    def validate(self, request: Request) -> None:
        """errors.Forbidden."""
        if request.act not in (Act.CREATE, Act.UPDATE) or request.call.authz is None:
            return
        if request.row.id == "pods" and request.subresource == "status":
            return
        wanted, held = _owners(request.object), _owners(request.old or {})
        if wanted == held:
            return
        if request.act is Act.UPDATE:
            self._may_delete(request)
        for owner in wanted:
            if owner.get("blockOwnerDeletion") and not _blocked(owner, held):
                self._may_block(request, owner)

    def _may_delete(self, request: Request) -> None:
        row, call = request.row, request.call
        reason = self._refusal(request, Attributes(
            call.user, "delete", row.group, row.version, row.plural, request.subresource,
            call.namespace, call.operation.name,
        ))  # fmt: skip
        if reason is not None:
            raise request.forbidden(
                f"cannot set an ownerRef on a resource you can't delete: {reason}, <nil>"
            )

    def _may_block(self, request: Request, owner: Object) -> None:
        version, kind = str(owner.get("apiVersion") or ""), owner.get("kind")
        group, _, short = version.rpartition("/")
        rows = [
            row for row in request.call.views.table
            if row.group == group and row.version == short and row.kind == kind and row.verbs
        ]  # fmt: skip
        if not rows:
            raise request.forbidden(
                "cannot set blockOwnerDeletion in this case because cannot find RESTMapping for "
                f'APIVersion {version} Kind {kind}: no matches for kind "{kind}" in version '
                f'"{version}"'
            )
        for row in rows:
            namespace = request.call.namespace if row.namespaced else ""
            reason = self._refusal(request, Attributes(
                request.call.user, "update", row.group, row.version, row.plural, "finalizers",
                namespace, str(owner.get("name") or ""),
            ))  # fmt: skip
            if reason is not None:
                raise request.forbidden(
                    "cannot set blockOwnerDeletion if an ownerReference refers to a resource you "
                    f"can't set finalizers on: {reason}, <nil>"
                )

    def _refusal(self, request: Request, asked: Attributes) -> str | None:
        """Why the user may not; None where he may."""
        assert request.call.authz is not None
        decision = request.call.authz.authorizer.authorize(asked)
        return None if decision.allowed else decision.reason


def _owners(obj: Object) -> list[Any]:
    return objects.meta(obj).get("ownerReferences") or []


def _blocked(owner: Object, held: list[Any]) -> bool:
    return any(
        each.get("uid") == owner.get("uid") and each.get("blockOwnerDeletion") for each in held
    )
