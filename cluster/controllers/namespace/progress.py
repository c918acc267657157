"""What a namespace that is going says of its deletion: the conditions of its status.

Types, reasons and messages are Kubernetes' own (k8s.io/api/core/v1, NamespaceConditionType).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cluster.api import objects, timestamps

_FINE = {
    "NamespaceDeletionDiscoveryFailure": (
        "ResourcesDiscovered",
        "All resources successfully discovered",
    ),
    "NamespaceDeletionGroupVersionParsingFailure": (
        "ParsedGroupVersions",
        "All legacy kube types successfully parsed",
    ),
    "NamespaceDeletionContentFailure": (
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
    "NamespaceContentRemaining": ("ContentRemoved", "All content successfully removed"),
    "NamespaceFinalizersRemaining": ("ContentRemoved", "All content successfully removed"),
}


@dataclass(slots=True)
class Remains:
    """What a pass over a namespace left behind."""

    objects: dict[str, int] = field(default_factory=dict)
    """How many of each resource (`plural.group`, the group of the core being "")."""
    finalizers: dict[str, int] = field(default_factory=dict)
    """How many objects wait for each finalizer."""
    failures: list[str] = field(default_factory=list)
    """What could not be deleted, and why."""
    undiscovered: dict[str, str] = field(default_factory=dict)
    """Group versions of extension servers that do not say what they serve, and why."""

    @property
    def empty(self) -> bool:
        """Whether nothing is left."""
        return not self.objects and not self.failures and not self.undiscovered


def conditions(old: Sequence[objects.Object], remains: Remains, now: float) -> list[objects.Object]:
    """The namespace's conditions after a pass at `now`, those that stay keeping their times."""
    bad = _bad(remains)
    result = {found["type"]: dict(found) for found in old}
    for kind, (reason, message) in _FINE.items():
        status, why, text = ("True", *bad[kind]) if kind in bad else ("False", reason, message)
        known = result.get(kind)
        moved = known is None or known.get("status") != status
        result[kind] = {
            "type": kind,
            "status": status,
            "lastTransitionTime": timestamps.encode(now)
            if known is None or moved
            else known.get("lastTransitionTime"),
            "reason": why,
            "message": text,
        }
    return list(result.values())


def _bad(remains: Remains) -> Mapping[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    if remains.undiscovered:
        groups = sorted(f"{group}: {why}" for group, why in remains.undiscovered.items())
        text = (
            f"Discovery failed for some groups, {len(groups)} failing: unable to retrieve the "
            f"complete list of server APIs: {', '.join(groups)}"
        )
        found["NamespaceDeletionDiscoveryFailure"] = ("DiscoveryFailed", text)
    if remains.failures:
        text = (
            f"Failed to delete all resource types, {len(remains.failures)} remaining: "
            f"{', '.join(sorted(remains.failures))}"
        )
        found["NamespaceDeletionContentFailure"] = ("ContentDeletionFailed", text)
    if remains.objects:
        counts = sorted(f"{name} has {n} resource instances" for name, n in remains.objects.items())
        text = f"Some resources are remaining: {', '.join(counts)}"
        found["NamespaceContentRemaining"] = ("SomeResourcesRemain", text)
    if remains.finalizers:
        counts = sorted(
            f"{name} in {n} resource instances" for name, n in remains.finalizers.items()
        )
        text = f"Some content in the namespace has finalizers remaining: {', '.join(counts)}"
        found["NamespaceFinalizersRemaining"] = ("SomeFinalizersRemain", text)
    return found
