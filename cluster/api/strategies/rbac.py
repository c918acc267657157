"""RBAC kinds: their names are anything that can stand in a path."""

from collections.abc import Mapping
from typing import Final

from cluster.api import metadata
from cluster.api.strategies.strategy import Strategy

_GROUP: Final = "rbac.authorization.k8s.io"
_NAMED: Final = Strategy(name_rule=metadata.path_segment, create_on_update=True)

BY_RESOURCE: Final[Mapping[str, Strategy]] = {
    f"{plural}.{_GROUP}": _NAMED
    for plural in ("clusterroles", "clusterrolebindings", "roles", "rolebindings")
}
