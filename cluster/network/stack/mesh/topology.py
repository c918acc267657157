"""Shortest ways over a mesh: who is the next hop to whom. Pure.

All nodes are neighbours but the pairs of which one misses the other, so the map is the list of what
is missing, and a search costs as much as there are nodes and cuts.
"""

import zlib
from collections.abc import Mapping

Missing = Mapping[str, frozenset[str]]
"""By node: whom it misses."""


def joined(missing: Missing, one: str, other: str) -> bool:
    """Whether two nodes reach each other directly."""
    return other not in missing[one] and one not in missing[other]


def next_hops(me: str, missing: Missing) -> dict[str, str]:
    """The neighbour of `me` on a shortest way to each node that can be reached.

    Of several ways all nodes choose the same one, another one for every pair, and both directions
    of a pair alike: answers come back as questions went where a single relay does.
    """
    distances = _distances(me, missing)
    hops: dict[str, str] = {}
    levels: dict[int, list[str]] = {}
    for name, distance in distances.items():
        levels.setdefault(distance, []).append(name)
    for name in sorted(distances):
        if name != me:
            hops[name] = _first_hop(me, name, missing, distances, levels)
    return hops


def _distances(me: str, missing: Missing) -> dict[str, int]:
    distances = {me: 0}
    unseen = dict.fromkeys(sorted(missing))
    unseen.pop(me, None)
    border = [me]
    while border and unseen:
        further: list[str] = []
        for name in border:
            reached = [other for other in unseen if joined(missing, name, other)]
            for other in reached:
                del unseen[other]
                distances[other] = distances[name] + 1
            further += reached
        border = further
    return distances


def _first_hop(
    me: str,
    target: str,
    missing: Missing,
    distances: Mapping[str, int],
    levels: Mapping[int, list[str]],
) -> str:
    """Walk back from the target, a level at a time."""
    at = target
    while distances[at] > 1:
        nearer = [name for name in levels[distances[at] - 1] if joined(missing, name, at)]
        pair = "/".join(sorted((me, target)))
        at = min(nearer, key=lambda name: (zlib.crc32(f"{pair}/{name}".encode()), name))
    return at
