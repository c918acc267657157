"""What audit is told when it is built."""

from dataclasses import dataclass, field

from cluster.apiserver.audit.logfile import Rotation
from cluster.apiserver.audit.policy import Policy


@dataclass(frozen=True, slots=True)
class Settings:
    """A policy, and where the events go (`path`, `-` for standard output)."""

    policy: Policy
    path: str
    rotation: Rotation = field(default_factory=Rotation)
