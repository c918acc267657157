"""Who is meant by a target: names of processes and nodes, chosen among what there is. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from random import Random
from typing import Final, NamedTuple

from cluster.api import selectors
from cluster.chaos import experiment as ex

LEASES: Final = {
    "kube-scheduler": "scheduler",
    "kube-controller-manager": "controller-manager",
}
"""Of which component the holder of a lease in kube-system is."""


class Member(NamedTuple):
    """A process of the cluster (of compose: a service). `node` is "" for the control plane."""

    name: str
    component: str
    node: str = ""
    running: bool = True
    paused: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """A cluster as targets are chosen in it.

    `labels` are those of nodes, `load` how many pods of the workload each node runs, `holders` who
    holds the leases of kube-system (the identity that stands in the lease).
    """

    members: Sequence[Member] = ()
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    load: Mapping[str, int] = field(default_factory=dict)
    holders: Mapping[str, str] = field(default_factory=dict)

    @property
    def nodes(self) -> list[str]:
        """The nodes that have processes of their own, in order."""
        return list(dict.fromkeys(member.node for member in self.members if member.node))

    def values(self, label: str) -> list[str]:
        """The values that a label has on these nodes, in order."""
        found = (self.labels.get(node, {}).get(label, "") for node in self.nodes)
        return sorted(dict.fromkeys(value for value in found if value))


@dataclass(frozen=True, slots=True)
class Chosen:
    """Who is meant: processes, in the order in which they are to be taken, and nodes."""

    members: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    sides: tuple[tuple[str, ...], ...] = ()
    everybody: tuple[str, ...] = ()
    """All nodes with processes of their own."""


class NoTarget(Exception):
    """Nobody is meant; the message says why, and who there is."""


class Chance:
    """Chooses where a target says `any`: the same one in the whole experiment, as long as it is."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._chosen: dict[str, str] = {}

    def one(self, kind: str, known: Sequence[str], better: Sequence[str]) -> str:
        """One of those that are known, at first one of the better ones."""
        if self._chosen.get(kind) not in known:
            self._chosen[kind] = self._random.choice(better or known)
        return self._chosen[kind]


def choose(fault: ex.Fault, view: View, chance: Chance) -> Chosen:
    """Who is meant by a fault. NoTarget."""
    everybody = tuple(view.nodes)
    if fault.sides:
        sides = tuple(tuple(_nodes(side, view, chance)) for side in fault.sides)
        named = [node for side in sides for node in side]
        for node in named:
            if named.count(node) > 1:
                raise NoTarget(f"{node} is on two sides of the partition")
        return Chosen(nodes=tuple(named), sides=sides, everybody=everybody)
    if fault.target is None:
        return Chosen(everybody=everybody)
    if fault.action == ex.IMPAIR:
        return Chosen(nodes=tuple(_nodes(fault.target, view, chance)), everybody=everybody)
    members = _members(fault.target, view, chance)
    nodes = dict.fromkeys(member.node for member in members if member.node)
    return Chosen(tuple(member.name for member in members), tuple(nodes), everybody=everybody)


def _members(target: ex.Target, view: View, chance: Chance) -> list[Member]:
    if target.kind == "process":
        found = [member for member in view.members if fnmatchcase(member.name, target.value)]
    elif target.kind == "component":
        found = [member for member in view.members if member.component == target.value]
    elif target.kind == "leader":
        found = [_leader(target.value, view)]
    else:
        nodes = _nodes(target, view, chance)
        found = [member for member in view.members if member.node in nodes]
        if target.only:
            found = [member for member in found if member.component == target.only]
    if not found:
        names = ", ".join(member.name for member in view.members)
        raise NoTarget(f"there is no {target}: there are {names or 'no processes'}")
    return found


def _nodes(target: ex.Target, view: View, chance: Chance) -> list[str]:
    if target.kind == "node":
        return [_one(target, view.nodes, view.load, chance)]
    if target.kind in ("zone", "rack"):
        label = ex.ZONE_LABEL if target.kind == "zone" else ex.RACK_LABEL
        load: dict[str, int] = {}
        for node in view.nodes:
            value = view.labels.get(node, {}).get(label, "")
            load[value] = load.get(value, 0) + view.load.get(node, 0)
        value = _one(target, view.values(label), load, chance)
        return [node for node in view.nodes if view.labels.get(node, {}).get(label) == value]
    if target.kind == "nodes":
        selector = selectors.parse_labels(target.value)
        found = [node for node in view.nodes if selector.matches(view.labels.get(node, {}))]
        if found:
            return found
        raise NoTarget(f"no node has the labels {target.value}")
    raise NoTarget(f"{target} is no node: name a node, nodes, a rack or a zone")


def _one(target: ex.Target, known: Sequence[str], load: Mapping[str, int], chance: Chance) -> str:
    """The one that is named; of `any` one that runs pods of the workload, if there is such."""
    if target.value != ex.ANY:
        if target.value in known:
            return target.value
        raise NoTarget(f"there is no {target}: there are {', '.join(known) or 'none'}")
    if not known:
        raise NoTarget(f"there is no {target.kind} to choose from")
    busy = [one for one in known if load.get(one)]
    return chance.one(target.kind, known, busy)


def _leader(lease: str, view: View) -> Member:
    """Who holds a lease: the process whose name, or whose node's, its identity begins with."""
    holder = view.holders.get(lease, "")
    component = LEASES.get(lease, lease)
    candidates = [one for one in view.members if one.component == component]
    running = [one for one in candidates if one.running]
    if not holder and len(running) == 1:
        return running[0]  # a single one leads without being elected
    if not holder:
        held = ", ".join(view.holders) or "none"
        raise NoTarget(f"nobody holds the lease kube-system/{lease}; those that are held: {held}")
    exact = [
        one for one in candidates if holder.partition("_")[0] == one.name or holder == one.name
    ]
    found = exact or (running if len(running) == 1 else [])
    if not found:
        raise NoTarget(f"{holder} holds {lease}, and no process is known by that name")
    return found[0]
