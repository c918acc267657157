"""Defaults of RBAC kinds: the API groups of roles and subjects (pkg/apis/rbac/v1/defaults.go)."""

from collections.abc import Callable, Mapping
from typing import Final

from cluster.api.objects import Object

GROUP: Final = "rbac.authorization.k8s.io"


def binding(obj: Object) -> None:
    """A role reference, and subjects that are users or groups, are of the RBAC group."""
    reference = obj.get("roleRef")
    if reference is not None:
        reference["apiGroup"] = reference.get("apiGroup") or GROUP
    for subject in obj.get("subjects") or ():
        if subject.get("kind") in ("User", "Group"):
            subject["apiGroup"] = subject.get("apiGroup") or GROUP


BY_RESOURCE: Final[Mapping[str, Callable[[Object], None]]] = {
    f"clusterrolebindings.{GROUP}": binding,
    f"rolebindings.{GROUP}": binding,
}
