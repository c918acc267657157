"""Where pods ran: each on one node for its life, and a name of a StatefulSet once at a time.

What the API showed comes as `Sighting`s (each revision of each pod), what machines really ran as
`Look`s at their runtimes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sighting:
    """A pod at a revision, as the API had it. `node` "": not bound."""

    revision: int
    uid: str
    key: str
    node: str


@dataclass(frozen=True, slots=True)
class Running:
    """A pod's sandbox that is ready on a node. `containers`: how many of them run in it.

    `set` is the StatefulSet that its pod belongs to, "" for others.
    """

    uid: str
    key: str
    containers: int
    set: str = ""


Look = Mapping[str, Sequence[Running]]
"""What each node's runtime had at one moment; nodes that did not answer are not in it."""


def moved(sightings: Iterable[Sighting]) -> Iterator[str]:
    """Pods whose node changed after they had been bound."""
    places: dict[str, Sighting] = {}
    for each in sightings:
        before = places.get(each.uid)
        if before is not None and each.node != before.node:
            yield (
                f"pod {each.key} ({each.uid}) was bound to {before.node} at revision "
                f"{before.revision}, and at {each.revision} to {each.node or 'no node'}"
            )
        if each.node:
            places[each.uid] = each


def twice(look: Look, when: str) -> Iterator[str]:
    """Pods that run on two nodes, and names of StatefulSets under which two pods run."""
    places: dict[str, str] = {}
    names: dict[str, tuple[str, str]] = {}
    for node in sorted(look):
        for pod in look[node]:
            other = places.setdefault(pod.uid, node)
            if other != node:
                yield f"{when}: pod {pod.key} ({pod.uid}) runs on {other} and on {node}"
            if not pod.set or not pod.containers:
                continue
            uid, place = names.setdefault(pod.key, (pod.uid, node))
            if uid != pod.uid:
                yield (
                    f"{when}: two pods of StatefulSet {pod.set} run as {pod.key}: "
                    f"{uid} on {place} and {pod.uid} on {node}"
                )


def strays(look: Look, bound: Mapping[str, str]) -> Iterator[str]:
    """At rest: sandboxes of pods that the node should not have, and pods that have none.

    `bound` tells the node of each pod (by uid) that the API says is running.
    """
    found: dict[str, str] = {}
    for node in sorted(look):
        for pod in look[node]:
            found[pod.uid] = node
            if bound.get(pod.uid) != node:
                said = bound.get(pod.uid)
                yield f"{node} runs pod {pod.key} ({pod.uid}), " + (
                    f"which is bound to {said}" if said else "which the API does not have there"
                )
    for uid, node in sorted(bound.items()):
        if node in look and uid not in found:
            yield f"pod {uid} is Running on {node}, whose runtime does not have it"
