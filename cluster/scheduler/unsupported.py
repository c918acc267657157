"""What a pod may require of its placement that this scheduler does not look at yet.

Such a pod is scheduled as if it did not ask, which may be wrong: so it is said, in the log and by
an event. Preferences are left out: to pass over them misplaces nothing.
"""

from collections.abc import Mapping
from typing import Any

from cluster.api import objects


def requirements(pod: Mapping[str, Any]) -> list[str]:
    """The plugins that would be needed, each with the field that asks for it."""
    spec = objects.spec(pod)
    found = []
    if _host_ports(spec):
        found.append("NodePorts (hostPort)")
    if spec.get("resourceClaims"):
        found.append("DynamicResources (spec.resourceClaims)")
    return found


def _host_ports(spec: Mapping[str, Any]) -> bool:
    return any(
        port.get("hostPort")
        for container in _of(spec, "containers")
        for port in container.get("ports") or ()
    )


def _of(spec: Mapping[str, Any], field: str) -> Any:
    return spec.get(field) or ()
