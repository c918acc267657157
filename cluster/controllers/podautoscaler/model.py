"""What the parts of the autoscaler tell each other. Amounts are thousandths of their unit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cluster.api import quantity
from cluster.api.objects import Object


class Unavailable(Exception):
    """A number that is needed is not to be had; the message says why, in Kubernetes' words."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one pod uses: measured at `at` (seconds since the epoch) over `window` seconds."""

    value: int
    at: float = 0.0
    window: float = 60.0


Samples = Mapping[str, Sample]
"""By pod name."""
Reading = Samples | Sequence[int] | Unavailable
"""The samples of pods; or the values of an object's or an external metric; or why there is none."""


@dataclass(frozen=True, slots=True)
class Settings:
    """kube-controller-manager's --horizontal-pod-autoscaler-* settings; times in seconds."""

    tolerance: float = 0.1
    cpu_initialization_period: float = 300.0
    initial_readiness_delay: float = 30.0
    downscale_stabilization: float = 300.0


@dataclass(frozen=True, slots=True)
class Tolerances:
    """How far the ratio of what is to what should be may be off before anything is scaled."""

    down: float
    up: float

    def cover(self, ratio: float) -> bool:
        """Whether a ratio is close enough to 1."""
        return 1.0 - self.down <= ratio <= 1.0 + self.up


def tolerances(spec: Object, default: float) -> Tolerances:
    """Those of an autoscaler: its behavior's, else `default`."""
    behavior = spec.get("behavior") or {}
    found = [
        (behavior.get(direction) or {}).get("tolerance") for direction in ("scaleDown", "scaleUp")
    ]
    down, up = (default if text is None else float(quantity.parse(text)) for text in found)
    return Tolerances(down, up)


@dataclass(frozen=True, slots=True)
class Scale:
    """A target's Scale: replicas that are wanted, that there are, and its selector's text."""

    wanted: int
    present: int
    selector: str


def scale(document: Object) -> Scale:
    """The Scale of its document."""
    status = document.get("status") or {}
    wanted = (document.get("spec") or {}).get("replicas") or 0
    return Scale(wanted, status.get("replicas") or 0, status.get("selector") or "")
