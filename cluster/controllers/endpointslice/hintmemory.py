"""What is remembered of topology hints by annotation, and what is said when they come and go."""

from dataclasses import dataclass, field
from typing import Final

from cluster.controllers.endpointslice import allocation, zoneshares

ENABLED: Final = "TopologyAwareHintsEnabled"
DISABLED: Final = "TopologyAwareHintsDisabled"


@dataclass(frozen=True, slots=True)
class Notice:
    """An event about the Service."""

    warning: bool
    reason: str
    message: str


@dataclass(slots=True)
class Memory:
    """Which services have hints by the annotation, and how their endpoints are handed out."""

    counts: dict[str, dict[str, allocation.Counts]] = field(default_factory=dict)
    """By service key and address type."""
    populated: dict[str, None] = field(default_factory=dict)

    def keep(self, key: str, address_type: str, counts: allocation.Counts) -> None:
        """Hints were handed out so."""
        self.counts.setdefault(key, {})[address_type] = counts
        self.populated[key] = None

    def drop(self, key: str, address_type: str) -> None:
        """There are no hints by the annotation."""
        by_type = self.counts.get(key)
        if by_type is not None:
            by_type.pop(address_type, None)
            if not by_type:
                del self.counts[key]
        self.populated.pop(key, None)

    def forget(self, key: str) -> None:
        """The Service is gone."""
        self.counts.pop(key, None)
        self.populated.pop(key, None)

    def overloaded(self, shares: zoneshares.Shares) -> list[str]:
        """The services whose hints do not do any more, now that the nodes are so."""
        return [
            key
            for key, by_type in self.counts.items()
            if any(allocation.overloaded(counts, shares) for counts in by_type.values())
        ]


def notice(reason: str, message: str, address_type: str) -> Notice:
    """A notice as Kubernetes words it."""
    return Notice(reason != ENABLED, reason, f"{message}, addressType: {address_type}")
