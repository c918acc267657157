"""What a runtime is told when it is built."""

from dataclasses import dataclass

from cluster.runtime import addresses


@dataclass(frozen=True)
class Config:
    """Settings of a node's runtime. ValueError, with a sentence, for what cannot be."""

    node_name: str = "node"
    listen: str = ""
    """Where gRPC is served: `unix:/path`, `host:port`, or "" for not at all."""
    pod_cidr: str = ""
    """Where pod addresses come from until the kubelet says (UpdateRuntimeConfig)."""
    image_pull_seconds: float = 0.0
    """How long each image pull takes."""
    event_buffer: int = 4096
    """How many events a reader of GetContainerEvents may be behind before it is cut off."""

    def __post_init__(self) -> None:
        if not self.node_name:
            raise ValueError("a runtime needs the name of its node")
        if self.image_pull_seconds < 0:
            raise ValueError(f"image_pull_seconds is {self.image_pull_seconds}: it is negative")
        if self.event_buffer < 1:
            raise ValueError(f"event_buffer is {self.event_buffer}: it must be positive")
        if self.pod_cidr:
            addresses.networks(self.pod_cidr)
