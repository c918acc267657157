"""The handlers that RuntimeClasses name: how long a sandbox of each takes to be there, and what it
takes by itself. Pure.

`container` shares the node's kernel; `vm` boots a guest with a kernel of its own, which its
containers see. The default handler, "", is one that costs nothing: a node without RuntimeClasses
behaves as it always did. docs/runtime-classes.md says where the figures come from.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cluster.api import durations

BOOT_TIME: Final = "kubemu.dev/boot-time"
"""Annotation of a pod: how long its sandbox takes to boot, whatever its handler."""
LONGEST: Final = 3600.0
KERNEL: Final = "6.1.0-kubemu"
"""What the kernel of a node calls itself."""
CONTAINER: Final = "container"
VM: Final = "vm"
SIM: Final = "sim"
"""Emulated containers, also on a node whose driver runs real ones."""


@dataclass(frozen=True, slots=True)
class Handler:
    """One kind of sandbox. `boot` are the least and the most seconds until containers can start;
    `cpu` (billionths of a core) and `memory` (bytes) are what it uses beside its containers.
    """

    name: str
    boot: tuple[float, float] = (0.0, 0.0)
    cpu: int = 0
    memory: int = 0
    kernel: str = KERNEL


_KNOWN: Final = (
    Handler(""),
    Handler(SIM),
    Handler(CONTAINER, boot=(0.02, 0.06), cpu=500_000, memory=12 << 20),
    Handler(VM, boot=(15.0, 25.0), cpu=25_000_000, memory=1 << 30, kernel="6.12.0-kubemu-guest"),
)
BY_NAME: Final[Mapping[str, Handler]] = {one.name: one for one in _KNOWN}
"""Those of the sim driver; the default one is "", as in CRI."""


def boot_seconds(
    handler: Handler, annotations: Mapping[str, str], generator: random.Random
) -> float:
    """How long a sandbox boots. ValueError, with a sentence, for a bad annotation."""
    text = annotations.get(BOOT_TIME)
    if text is not None:
        return _told(text)
    least, most = handler.boot
    # Nothing is drawn where nothing is to be chosen: other figures of a seed stay what they were.
    return generator.uniform(least, most) if most > least else least


def _told(text: str) -> float:
    try:
        seconds = durations.parse(text)
    except ValueError as error:
        raise ValueError(f"annotation {BOOT_TIME}: {error}") from error
    if seconds > LONGEST:
        raise ValueError(f"annotation {BOOT_TIME}: {text[:40]!r} is over {LONGEST:g} s")
    return seconds


def kernel(handler: str) -> str:
    """The release of the kernel that containers of a handler run on."""
    found = BY_NAME.get(handler)
    return KERNEL if found is None else found.kernel
