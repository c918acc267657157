"""What a scheduler is told when it is built. Defaults are kube-scheduler's where it has them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cluster.client.election import Lease
from cluster.scheduler.configuration.settings import ProfileSettings
from cluster.scheduler.pods import DEFAULT_SCHEDULER_NAME
from cluster.scheduler.queue.scheduling_queue import Timing


@dataclass(frozen=True)
class Config:
    """Settings of the scheduler. Times are in seconds."""

    scheduler_name: str = DEFAULT_SCHEDULER_NAME
    """Which pods are its own (spec.schedulerName), and the source of its events."""
    profiles: tuple[ProfileSettings, ...] = ()
    """Other profiles instead of the default one, each with the name that pods ask for."""
    plugins: Mapping[str, Any] = field(default_factory=dict)
    """Plugins of others by name (plugins.handle.Factory), besides those found by entry point."""
    kubernetes_version: str = ""
    """The version emulated, such as `1.33`; "": the newest."""
    identity: str = "scheduler"
    """Names this process in leader election."""
    leader_elect: bool = False
    """Whether to hold the lease before scheduling."""
    lease: Lease = field(default_factory=lambda: Lease("kube-scheduler"))
    """Which one."""
    timing: Timing = field(default_factory=Timing)
    """Backoff and retries."""
    permit_timeout: float = 900.0
    """Longest wait of a Permit plugin (Kubernetes: 15 minutes)."""
    bind_timeout: float = 60.0
    """Longest time that PreBind and Bind may take together."""
    parallel_bindings: int = 1024
    """How many pods may be between decision and binding at once."""
    explained_attempts: int = 128
    """How many of the last attempts can be explained; 0: none."""
    explained_bytes: int = 8 << 20
    """How much memory they may take together."""

    @property
    def served(self) -> tuple[ProfileSettings, ...]:
        """The profiles that there are."""
        return self.profiles or (ProfileSettings(self.scheduler_name),)

    def emulates(self, minor: int) -> bool:
        """Whether the version emulated is Kubernetes 1.`minor` or newer."""
        return not self.kubernetes_version or _parsed(self.kubernetes_version) >= (1, minor)

    def __post_init__(self) -> None:
        if self.kubernetes_version:
            _parsed(self.kubernetes_version)
        if not self.scheduler_name or not self.identity:
            raise ValueError("a scheduler needs a scheduler_name and an identity")
        if self.permit_timeout <= 0 or self.bind_timeout <= 0:
            raise ValueError("permit_timeout and bind_timeout must be more than 0 seconds")
        if self.parallel_bindings < 1:
            raise ValueError("parallel_bindings must be at least 1")
        if self.explained_attempts < 0 or self.explained_bytes < 0:
            raise ValueError("explained_attempts and explained_bytes cannot be negative")


def _parsed(kubernetes_version: str) -> tuple[int, int]:
    parts = kubernetes_version.removeprefix("v").split(".")
    try:
        return int(parts[0]), int(parts[1])
    except (IndexError, ValueError) as error:
        raise ValueError(f"{kubernetes_version!r} is no Kubernetes version (say 1.33)") from error
