"""What the oci driver is told."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cluster.runtime.oci.facts import Facts

ORPHAN_SECONDS: Final = 10.0
"""How long containers outlive their runtime, where the machine is to be gone with it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`folder` holds layers, root file systems and the shim's socket. `keep`: whether containers
    run on when the runtime is not there, for the next one to find them. `fall_back`: whether
    containers are emulated where this machine turns out to be unable.
    """

    folder: Path
    facts: Facts
    keep: bool = False
    fall_back: bool = False
