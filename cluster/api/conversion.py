"""One object in several versions: from the form in which it is stored to a served one, and back.

Built-in kinds convert by the functions here, both ways without loss. A custom resource converts by
its CustomResourceDefinition: by changing apiVersion alone, or by its webhook, which is not here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from cluster.api import autoscaling, events
from cluster.api.objects import Object
from cluster.api.resources import Resource


@dataclass(frozen=True, slots=True)
class Pair:
    """How a served version is made of the stored one, and the stored one of it.

    Neither function changes what it is given; what they give may share parts with it.
    """

    to_served: Callable[[Object], Object]
    to_stored: Callable[[Object], Object]


_PAIRS: Final[Mapping[tuple[str, str], Pair]] = {
    ("horizontalpodautoscalers.autoscaling", "v1"): Pair(autoscaling.to_v1, autoscaling.to_v2),
    ("events.events.k8s.io", "v1"): Pair(events.to_new, events.to_core),
}
"""By (id, version) of the served row."""


class Unconvertible(Exception):
    """Only the resource's conversion webhook can tell."""


def converted(obj: Object, row: Resource, stored: Resource) -> Object:
    """A stored object as `row` serves it. Unconvertible."""
    if row.custom is not None:
        return _custom(obj, row)
    if row is stored:
        return obj
    return _retyped(_pair(row).to_served(obj), row)


def restored(obj: Object, row: Resource, stored: Resource) -> Object:
    """An object of `row` as it is stored. Unconvertible."""
    if row is stored:
        return obj
    if stored.custom is not None:
        return _custom(obj, stored)
    return _retyped(_pair(row).to_stored(obj), stored)


def _custom(obj: Object, row: Resource) -> Object:
    assert row.custom is not None
    found = row.custom.converted(obj, obj["apiVersion"])
    if found is None:
        raise Unconvertible(f"{row.id} converts by a webhook")
    return found


def _pair(row: Resource) -> Pair:
    found = _PAIRS.get((row.id, row.version))
    if found is None:
        raise RuntimeError(f"nothing converts {row.id} to {row.api_version}")
    return found


def _retyped(obj: Object, row: Resource) -> Object:
    head = {"apiVersion": row.api_version, "kind": row.kind, "metadata": obj["metadata"]}
    return head | {key: value for key, value in obj.items() if key not in head}
