"""The state of each zone, and how fast its nodes may be tainted.

Source: the page "Nodes" of the Kubernetes documentation ("Rate limits on eviction").
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from cluster.api import objects

_REGION = ("topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region")
_ZONE = ("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone")
EXCLUDED = "node.kubernetes.io/exclude-disruption"


class State(Enum):
    """How much of a zone is Ready."""

    INITIAL = "Initial"
    NORMAL = "Normal"
    PARTIAL = "PartialDisruption"
    FULL = "FullDisruption"


@dataclass(frozen=True, slots=True)
class Rates:
    """Eviction rates in nodes a second, and when they apply."""

    normal: float
    secondary: float
    large_cluster: int
    unhealthy_share: float

    def of(self, state: State, size: int) -> float:
        """The rate of a zone of `size` nodes."""
        if state is State.PARTIAL:
            return self.secondary if size > self.large_cluster else 0.0
        return self.normal


@dataclass(slots=True)
class Outcome:
    """What a change of the zones asks for.

    `rates`: new rates by zone. `entered`: every zone is down, so nothing can be told of single
    nodes, and their taints come off. `left`: that is over, and every node gets a new grace period.
    """

    rates: dict[str, float] = field(default_factory=dict)
    entered: bool = False
    left: bool = False


def zone_of(node: objects.Object) -> str:
    """The zone of a node, with its region; "" for a node of none."""
    labels = objects.labels(node)
    if not labels:
        return ""
    region = labels.get(_REGION[0]) or labels.get(_REGION[1]) or ""
    zone = labels.get(_ZONE[0]) or labels.get(_ZONE[1]) or ""
    return f"{region}:\x00:{zone}" if region or zone else ""


def state_of(ready: Iterable[bool], unhealthy_share: float) -> State:
    """The state of a zone whose nodes are ready or not."""
    nodes = list(ready)
    missing = nodes.count(False)
    if missing and missing == len(nodes):
        return State.FULL
    if missing > 2 and missing / len(nodes) >= unhealthy_share:
        return State.PARTIAL
    return State.NORMAL


def update(states: dict[str, State], nodes: Mapping[str, list[bool]], rates: Rates) -> Outcome:
    """Bring `states` up to date with the readiness of each zone's nodes; say what follows."""
    found = {zone: state_of(ready, rates.unhealthy_share) for zone, ready in nodes.items()}
    for zone in [zone for zone in states if zone not in found]:
        del states[zone]
    for zone in found:
        states.setdefault(zone, State.INITIAL)
    all_down = all(state is State.FULL for state in found.values())
    all_were_down = all(state is State.FULL for state in states.values())
    outcome = Outcome()
    if not found or (all_down and all_were_down):
        return outcome
    if all_down:
        outcome.entered = True
        outcome.rates = dict.fromkeys(found, 0.0)
    else:
        outcome.left = all_were_down
        outcome.rates = {
            zone: rates.of(state, len(nodes[zone]))
            for zone, state in found.items()
            if all_were_down or states[zone] is not state
        }
    states.update(found)
    return outcome
