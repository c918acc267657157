"""What a kube-proxy is told when it is built."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Config:
    """Settings of a kube-proxy. Times are in seconds."""

    node_name: str
    """The node whose table this is (--hostname-override)."""
    min_sync_period: float = 0.05
    """Changes within this time are programmed together."""
    call_timeout: float = 30.0
    """Longest time that the data plane may take for one call."""
    longest_retry: float = 5.0
    """Longest wait between tries to reach a data plane that is away."""

    def __post_init__(self) -> None:
        if not self.node_name:
            raise ValueError("a kube-proxy needs a node_name")
        if self.min_sync_period < 0:
            raise ValueError("min_sync_period cannot be negative")
        if self.call_timeout <= 0 or self.longest_retry <= 0:
            raise ValueError("call_timeout and longest_retry must be more than 0 seconds")
