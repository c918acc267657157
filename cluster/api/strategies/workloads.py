"""The group `apps`."""

from collections.abc import Mapping
from typing import Final

from cluster.api.strategies.strategy import Strategy

BY_RESOURCE: Final[Mapping[str, Strategy]] = {
    "deployments.apps": Strategy(status_keeps=("labels",)),
    # What Go writes of an empty status is not nothing.
    "replicasets.apps": Strategy(empty_status={"replicas": 0}),
}
