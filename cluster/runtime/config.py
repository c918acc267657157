"""What a runtime is told when it is built."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cluster.api import imagescripts
from cluster.api.imagescripts import Scripts
from cluster.runtime import addresses

if TYPE_CHECKING:
    from cluster.runtime.oci.settings import Settings as Oci

ON_RESTART: Final = ("reboot", "resume", "empty")
"""As a machine that was switched off and on; as one that only was out of sight; as a new one."""


class Unusable(Exception):
    """What a runtime was told to work with cannot be used; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class LogFiles:
    """Container logs on disk: `size` bytes a file, `files` of them for each container."""

    size: int = 10 << 20
    files: int = 5

    def __post_init__(self) -> None:
        if self.size < 1024:
            raise ValueError(f"a log file of {self.size} bytes is too small: 1 KiB is the least")
        if self.files < 2:
            raise ValueError(f"a container has at least 2 log files, not {self.files}")


@dataclass(frozen=True)
class Config:
    """Settings of a node's runtime. ValueError, with a sentence, for what cannot be."""

    node_name: str = "node"
    listen: str = ""
    """Where gRPC is served: `unix:/path`, `host:port`, or "" for not at all."""
    pod_cidr: str = ""
    """Where pod addresses come from until the kubelet says (UpdateRuntimeConfig)."""
    node_ip: str = ""
    """The node's own address in the cluster's network, its InternalIP; "": there is no overlay."""
    underlay_address: str = ""
    """Where the overlay's datagrams are received, where it is not `node_ip`."""
    vxlan_port: int = 4789
    """The port of VXLAN (RFC 7348) there; 0: any that is free."""
    cable_port: int = 4790
    """The port of the emulated wire between the nodes there; 0: any that is free."""
    turbo: bool = False
    """Whether frames larger than the MTU go whole, not cut, to nodes that are told so, too."""
    host_gateway: str = ""
    """The address at which pods reach what listens on this machine's 127.0.0.1; "": none."""
    metrics_port: int = 0
    """Where at the node's address /metrics tells of the data plane; 0: nowhere."""
    image_pull_seconds: float = 0.0
    """How long each image pull takes."""
    event_buffer: int = 4096
    """How many events a reader of GetContainerEvents may be behind before it is cut off."""

    log_files: LogFiles | None = None
    """How container logs are kept as files; None keeps the newest part of each in memory."""

    state_dir: Path | None = None
    """Where is kept what runs, so that it is known after a restart; None: it is not kept."""
    on_restart: str = "reboot"
    """What becomes of it then: one of ON_RESTART."""

    oci: "Oci | None" = None
    """How containers are real processes; None: all are emulated."""

    volumes_on_disk: bool = False
    """Whether what containers mount is on the real disk; else it is in memory (`nodedisk`)."""

    image_scripts: Scripts = imagescripts.NONE
    """What containers of certain images do, where neither pod nor cluster says otherwise."""

    def __post_init__(self) -> None:
        if not self.node_name:
            raise ValueError("a runtime needs the name of its node")
        if self.image_pull_seconds < 0:
            raise ValueError(f"image_pull_seconds is {self.image_pull_seconds}: it is negative")
        if self.event_buffer < 1:
            raise ValueError(f"event_buffer is {self.event_buffer}: it must be positive")
        if self.on_restart not in ON_RESTART:
            raise ValueError(f"on_restart is {self.on_restart!r}: not {', '.join(ON_RESTART)}")
        if self.pod_cidr:
            addresses.networks(self.pod_cidr)
        for name in ("node_ip", "underlay_address", "host_gateway"):
            _check_address(name, getattr(self, name))
        for name in ("vxlan_port", "cable_port", "metrics_port"):
            if not 0 <= getattr(self, name) <= 65535:
                raise ValueError(f"{name} is {getattr(self, name)}: no port")


def _check_address(name: str, text: str) -> None:
    try:
        if text:
            ipaddress.IPv4Address(text)
    except ValueError as error:
        raise ValueError(f"{name} is no IPv4 address: {error}") from None
