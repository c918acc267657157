"""Rows of metrics.k8s.io, as metrics-server prints them."""

from collections.abc import Mapping
from typing import Any, Final

from cluster.api import objects, quantity
from cluster.api.printing.table import NAME, Printer
from cluster.api.resources import Column

_BYTES: Final = ("memory",)


def _node(obj: objects.Object, _now: float) -> list[Any]:
    used = obj.get("usage") or {}
    return [objects.name(obj), used.get("cpu", "0"), used.get("memory", "0"), obj.get("window", "")]


def _pod(obj: objects.Object, _now: float) -> list[Any]:
    usages = [container.get("usage") or {} for container in obj.get("containers") or ()]
    totals = [
        quantity.format(
            sum(quantity.parse(used.get(name, "0")) for used in usages), binary=name in _BYTES
        )
        for name in ("cpu", "memory")
    ]
    return [objects.name(obj), *totals, obj.get("window", "")]


_COLUMNS: Final = (
    NAME,
    Column("cpu", format="quantity"),
    Column("memory", format="quantity"),
    Column("Window", format="duration"),
)
BY_RESOURCE: Final[Mapping[str, Printer]] = {
    "nodes.metrics.k8s.io": Printer(_COLUMNS, _node),
    "pods.metrics.k8s.io": Printer(_COLUMNS, _pod),
}
