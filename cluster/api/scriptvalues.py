"""Values of the `kubemu.dev/` annotations that script containers (docs/annotations.md). Pure.

Whoever takes such values (a pod's annotations, a file, a ConfigMap) reads them by these, so that
what one refuses none takes. Every function raises ValueError, with a sentence.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from cluster.api import curves, durations, httpanswers, loads
from cluster.api.curves import Curve

MAX_LINES: Final = 1000


seconds: Final = durations.parse
answers: Final = httpanswers.parse


def exit_code(text: str) -> int:
    """0 to 255."""
    if not (text.isascii() and text.isdigit()) or len(text) > 3 or int(text) > 255:
        raise ValueError(f"{text[:40]!r} is no exit code (0 to 255)")
    return int(text)


def ports(text: str) -> tuple[int, ...]:
    """Numbers with commas between."""
    found = [one.strip() for one in text.split(",") if one.strip()]
    for one in found:
        if not (one.isascii() and one.isdigit()) or len(one) > 5 or not 0 < int(one) < 65536:
            raise ValueError(f"{one[:40]!r} is no port")
    return tuple(map(int, found))


def lines(text: str) -> tuple[str, ...]:
    """What is logged; what is beyond MAX_LINES is not."""
    return tuple(text.splitlines()[:MAX_LINES])


def cpu(text: str) -> Curve:
    """Billionths of a core over time."""
    return curves.parse(text, loads.NANOCORES)


def amount(text: str) -> Curve:
    """Bytes over time."""
    return curves.parse(text)


READERS: Final[Mapping[str, Callable[[str], object]]] = MappingProxyType({
    "run-for": seconds,
    "crash-after": seconds,
    "exit-code": exit_code,
    "start-delay": seconds,
    "ready-after": seconds,
    "stop-after": seconds,
    "cpu": cpu,
    "memory": amount,
    "ephemeral-storage": amount,
    "ports": ports,
    "log": lines,
    "http": answers,
})  # fmt: skip
"""What reads the value of each key."""
