"""What Kubernetes has and kubemu does not have yet."""

from functools import cache

from cluster.api import schema


def known(group: str, version: str, plural: str) -> bool:
    """Whether Kubernetes has a resource of this name, built here or not."""
    return plural in _plurals(f"{group}/{version}" if group else version)


@cache
def _plurals(api_version: str) -> frozenset[str]:
    return frozenset(_plural(kind) for kind in schema.kinds(api_version))


def _plural(kind: str) -> str:
    """As Kubernetes forms it: `ingresses`, `networkpolicies`, `jobs`, `endpoints`."""
    name = kind.lower()
    if name == "endpoints":
        return name
    if name.endswith("s"):
        return f"{name}es"
    return f"{name[:-1]}ies" if name.endswith("y") else f"{name}s"
