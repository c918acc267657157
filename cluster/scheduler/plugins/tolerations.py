"""Which taints of a node a pod does not tolerate."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cluster.api.tolerations import tolerates
from cluster.scheduler.nodes.columns import Taint

Tolerations = Sequence[Mapping[str, Any]]


def tolerated(tolerations: Tolerations, taint: Taint) -> bool:
    """Whether any of the tolerations covers the taint."""
    return any(tolerates(one, *taint) for one in tolerations)


def untolerated(
    tolerations: Tolerations, taints: Iterable[Taint], effects: Sequence[str]
) -> list[Taint]:
    """The taints with one of these effects that nothing tolerates, in the node's order."""
    return [taint for taint in taints if taint[2] in effects and not tolerated(tolerations, taint)]
