"""Rows of roles and bindings."""

from collections.abc import Mapping
from typing import Any, Final

from cluster.api import objects
from cluster.api.printing.table import AGE, NAME, Printer, age, wide
from cluster.api.resources import Column

_GROUP: Final = "rbac.authorization.k8s.io"


def _role(obj: objects.Object, now: float) -> list[Any]:
    return [objects.name(obj), objects.meta(obj).get("creationTimestamp") or ""]


def _binding(obj: objects.Object, now: float) -> list[Any]:
    reference = obj.get("roleRef") or {}
    role = f"{reference.get('kind', '')}/{reference.get('name', '')}"
    subjects = obj.get("subjects") or ()
    accounts = [f"{of.get('namespace', '')}/{of.get('name', '')}" for of in _of(subjects)]
    users, groups = (
        [subject.get("name", "") for subject in subjects if subject.get("kind") == kind]
        for kind in ("User", "Group")
    )
    told = [", ".join(names) for names in (users, groups, accounts)]
    return [objects.name(obj), role, age(obj, now), *told]


def _of(subjects: Any) -> list[objects.Object]:
    return [subject for subject in subjects if subject.get("kind") == "ServiceAccount"]


_ROLES = Printer((NAME, Column("Created At", "date")), _role)
_BINDINGS = Printer(
    (NAME, Column("Role"), AGE, wide("Users"), wide("Groups"), wide("ServiceAccounts")), _binding
)

BY_RESOURCE: Final[Mapping[str, Printer]] = {
    f"clusterroles.{_GROUP}": _ROLES,
    f"clusterrolebindings.{_GROUP}": _BINDINGS,
    f"roles.{_GROUP}": _ROLES,
    f"rolebindings.{_GROUP}": _BINDINGS,
}
