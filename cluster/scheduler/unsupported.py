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
    if spec.get("resourceClaims"):
        found.append("DynamicResources (spec.resourceClaims)")
    return found
