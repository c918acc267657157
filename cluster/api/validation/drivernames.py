"""Names of CSI and DRA drivers (ValidateCSIDriverName in core validation)."""

from typing import Final

from cluster.api import causes, metadata
from cluster.api.validation import values
from cluster.api.validation.values import Causes

LENGTH: Final = 63


def driver_name(path: str, name: str) -> Causes:
    """A subdomain of 63 bytes at most; capitals are let pass."""
    if not name:
        return [causes.required(path)]
    found: Causes = []
    if len(name) > LENGTH:
        found.append(causes.too_long(path, LENGTH))
    return found + values.complaints(path, name, metadata.dns1123_subdomain(name.lower()))
