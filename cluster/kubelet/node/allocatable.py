"""What of a node's capacity is for pods: the capacity less what is reserved. Pure.

Source: pkg/kubelet/cm/node_container_manager_linux.go (GetNodeAllocatableReservation).
"""

from collections.abc import Mapping
from typing import Final

from cluster.api import podrequests, quantity

_SIGNALS: Final = (("memory", "memory.available"), ("ephemeral-storage", "nodefs.available"))
RESERVABLE: Final = ("cpu", "memory", "ephemeral-storage", "pid")


def of(
    capacity: Mapping[str, str],
    reserved: tuple[Mapping[str, str], ...],
    hard: Mapping[str, str],
) -> dict[str, str]:
    """By resource. `reserved` are kubeReserved and systemReserved, `hard` evictionHard."""
    return {
        name: _left(name, text, reserved, dict(_SIGNALS).get(name, ""), hard)
        for name, text in capacity.items()
    }


def unreserved(
    capacity: Mapping[str, str], reserved: tuple[Mapping[str, str], ...], resource: str
) -> int:
    """What is left of a resource beside what is reserved; thresholds are not counted."""
    total = podrequests.amount(resource, capacity[resource])
    return max(total - _taken(resource, reserved), 0)


def _left(
    name: str,
    text: str,
    reserved: tuple[Mapping[str, str], ...],
    signal: str,
    hard: Mapping[str, str],
) -> str:
    total = podrequests.amount(name, text)
    taken = _taken(name, reserved) + _threshold(hard.get(signal, "0"), total)
    if not taken:
        return text
    left = max(total - taken, 0)
    if name == "cpu":
        return quantity.format_milli(left)
    return quantity.format(left, binary="i" in text and name == "memory")


def _taken(name: str, reserved: tuple[Mapping[str, str], ...]) -> int:
    return sum(podrequests.amount(name, one[name]) for one in reserved if name in one)


def _threshold(text: str, total: int) -> int:
    if text.endswith("%"):
        return int(total * float(text[:-1]) / 100) if text not in ("0%", "100%") else 0
    return quantity.value(text)
