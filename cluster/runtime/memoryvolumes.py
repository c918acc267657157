"""Volumes in memory, of which a kubelet tells by an annotation: CRI has no field for them. Pure."""

import json
from typing import Final

from cluster.pb.cri.v1 import api_pb2 as pb

NAME: Final = "kubemu.dev/memory-volumes"


def of(config: pb.ContainerConfig) -> dict[str, int]:
    """Which of a container's volumes are in memory: their directories, and bytes (0: no limit)."""
    if NAME not in config.annotations:
        return {}
    try:
        found = json.loads(config.annotations[NAME])
        return {str(path): int(size) for path, size in found.items()}
    except (ValueError, AttributeError, TypeError):
        return {}
