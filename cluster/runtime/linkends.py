"""What a link's name means for whom: which node is told of which of its links. Pure.

A link is `NODE:NODE`, `NODE` (all of its links to other nodes) or `pod:NAMESPACE/NAME`. Each node
impairs what it sends, so a link between nodes is told to both.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

POD: Final = "pod:"


class End(NamedTuple):
    """What one node is told of: `link` is the other node, or `pod:` and an address."""

    node: str
    link: str


class Place(NamedTuple):
    """Where a pod is."""

    node: str
    address: str


def ends(name: str, nodes: Sequence[str], place: Callable[[str, str], Place]) -> list[End]:
    """The ends of a link. `place` gives where a pod is, by namespace and name. ValueError."""
    if name.startswith(POD):
        space, slash, pod = name.removeprefix(POD).rpartition("/")
        if not pod or (slash and not space):
            raise ValueError(f"{name!r} is no link: a pod's is pod:NAMESPACE/NAME")
        found = place(space or "default", pod)
        return [End(found.node, f"{POD}{found.address}")]
    one, colon, other = name.partition(":")
    _known(one, nodes)
    if not colon:
        return [end for each in nodes if each != one for end in _both(one, each)]
    _known(other, nodes)
    if one == other:
        raise ValueError(f"{name!r} is no link: it leads from {one} to itself")
    return _both(one, other)


def cuts(groups: Sequence[Sequence[str]], nodes: Sequence[str]) -> list[End]:
    """The ends of all links between nodes of different groups; a single group is cut off from all
    others. Links of nodes that no group names stay as they are. ValueError.
    """
    whose: dict[str, int] = {}
    for number, group in enumerate(groups):
        for node in group:
            _known(node, nodes)
            if whose.setdefault(node, number) != number:
                raise ValueError(f"{node} is on two sides of the partition")
    if not whose:
        raise ValueError("a partition needs nodes")
    if len(set(whose.values())) == 1:
        whose |= {node: -1 for node in nodes if node not in whose}
    return list(_between(whose))


def _between(whose: dict[str, int]) -> Iterator[End]:
    for node, group in whose.items():
        for other, another in whose.items():
            if group != another:
                yield End(node, other)


def _both(one: str, other: str) -> list[End]:
    return [End(one, other), End(other, one)]


def _known(node: str, nodes: Sequence[str]) -> None:
    if node not in nodes:
        raise ValueError(f'nodes "{node}" not found: there are {", ".join(nodes)}')
