"""A plugin's verdict on a pod, or on a pod and a node."""

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Code(Enum):
    """What a verdict says. Names as in Kubernetes' scheduling framework."""

    SUCCESS = "Success"
    UNSCHEDULABLE = "Unschedulable"
    """Not now; removing pods from the node may help."""
    UNRESOLVABLE = "UnschedulableAndUnresolvable"
    """Not now, and removing pods would not help."""
    ERROR = "Error"
    SKIP = "Skip"
    """The plugin has nothing to say about this pod: its coupled later points are not called."""


@dataclass(frozen=True, slots=True)
class Status:
    """A verdict with its reasons, in the order in which the plugin found them."""

    code: Code = Code.SUCCESS
    reasons: tuple[str, ...] = ()
    plugin: str = ""

    @property
    def ok(self) -> bool:
        """Whether the pod passes here (Skip passes)."""
        return self.code in (Code.SUCCESS, Code.SKIP)

    @property
    def rejected(self) -> bool:
        """Whether the pod was turned down, as opposed to accepted or failed by a fault."""
        return self.code in (Code.UNSCHEDULABLE, Code.UNRESOLVABLE)

    @property
    def message(self) -> str:
        """The reasons in one line."""
        return ", ".join(self.reasons)


SUCCESS: Final = Status()
SKIP: Final = Status(Code.SKIP)


def unschedulable(*reasons: str) -> Status:
    """Not now; removing pods from the node may help."""
    return Status(Code.UNSCHEDULABLE, reasons)


def unresolvable(*reasons: str) -> Status:
    """Not now, and removing pods would not help."""
    return Status(Code.UNRESOLVABLE, reasons)
