"""The groups `resource.k8s.io` and `storagemigration.k8s.io` (pkg/registry/resource…)."""

from collections.abc import Mapping
from typing import Final

from cluster.api.strategies.strategy import Strategy

_GROUP: Final = "resource.k8s.io"

BY_RESOURCE: Final[Mapping[str, Strategy]] = {
    f"deviceclasses.{_GROUP}": Strategy(generations=True),
    f"devicetaintrules.{_GROUP}": Strategy(),
    f"resourceclaims.{_GROUP}": Strategy(generations=False),
    f"resourceclaimtemplates.{_GROUP}": Strategy(),
    f"resourceslices.{_GROUP}": Strategy(generations=True),
    "storageversionmigrations.storagemigration.k8s.io": Strategy(unconditional=False),
}
