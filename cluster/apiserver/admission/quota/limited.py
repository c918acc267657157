"""What may be used only where a quota covers it: `limitedResources` of the configuration. Pure."""

from dataclasses import dataclass
from typing import Any, Self

from cluster.api.quota import scopes
from cluster.api.quota.scopes import Term


@dataclass(frozen=True, slots=True)
class Limited:
    """A resource, of which what contains one of `contains` is limited, and objects that meet one of
    `terms`.
    """

    resource: str
    contains: tuple[str, ...] = ()
    terms: tuple[Term, ...] = ()

    @classmethod
    def of(cls, document: Any) -> Self:
        """One of a configuration's. ValueError."""
        if not isinstance(document, dict) or not document.get("resource"):
            raise ValueError("ResourceQuota: each of limitedResources names a resource")
        group = document.get("apiGroup") or ""
        contains = document.get("matchContains") or []
        listed = document.get("matchScopes") or []
        if not isinstance(contains, list) or not all(isinstance(each, dict) for each in listed):
            raise ValueError("ResourceQuota: matchContains and matchScopes are lists")
        resource = f"{document['resource']}.{group}" if group else str(document["resource"])
        return cls(resource, tuple(map(str, contains)), scopes.of_selector(listed))

    def limits(self, name: str) -> bool:
        """Whether a name that quotas count is limited."""
        return any(part in name for part in self.contains)
