"""The names of API versions, in the order in which Kubernetes prefers them.

Rule: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/
custom-resource-definition-versioning/#version-priority
"""

import re
from typing import Any, Final

_RELEASED: Final = re.compile(r"v([1-9]\d*)(?:(alpha|beta)([1-9]\d*))?", re.ASCII)


def preference(version: str) -> tuple[Any, ...]:
    """Sorts versions, best first: v10, v2, v1, v11beta2, v3beta1, v12alpha1, foo1."""
    found = _RELEASED.fullmatch(version)
    if found is None:
        return (3, 0, 0, version)
    stage = {None: 0, "beta": 1, "alpha": 2}[found[2]]
    return (stage, -int(found[1]), -int(found[3] or 0), version)
