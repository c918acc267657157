"""The groups `storage.k8s.io` and `node.k8s.io` (pkg/registry/storage, pkg/registry/node)."""

from collections.abc import Mapping
from typing import Final

from cluster.api.strategies.strategy import Strategy

_GROUP: Final = "storage.k8s.io"

BY_RESOURCE: Final[Mapping[str, Strategy]] = {
    f"csidrivers.{_GROUP}": Strategy(generations=True, unconditional=False),
    f"csinodes.{_GROUP}": Strategy(unconditional=False),
    f"csistoragecapacities.{_GROUP}": Strategy(unconditional=False),
    f"storageclasses.{_GROUP}": Strategy(),
    f"volumeattachments.{_GROUP}": Strategy(
        generations=False, empty_status={"attached": False}, unconditional=False
    ),
    f"volumeattributesclasses.{_GROUP}": Strategy(),
    "runtimeclasses.node.k8s.io": Strategy(unconditional=False),
}
