"""The kubelet's flags of its own certificates, as Kubernetes has them."""

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import structlog

from cluster.cli import flags
from cluster.cli.flags import BOOLEAN

if TYPE_CHECKING:
    from cluster.cli.connection import Connection
    from cluster.cli.process import Seams
    from cluster.client.channel import ChannelTls
    from cluster.client.client import Client
    from cluster.kubelet.config import Config
    from cluster.kubelet.rotation import Rotation

_OPTIONS = (
    flags.option(
        "rotate-certificates",
        "Ask for a new client certificate before the present one ends.",
        BOOLEAN, default="false",
    ),
    flags.option(
        "rotate-server-certificates",
        "The same for the serving one; somebody has to approve the requests, as in Kubernetes.",
        BOOLEAN, default="false",
    ),
    flags.option(
        "cert-dir", "Where such certificates are kept; by default pki under --root-dir.", default=""
    ),
)  # fmt: skip

options = flags.together(_OPTIONS)
"""A decorator: the flags."""


@dataclass(frozen=True, slots=True)
class Rotating:
    """Which certificates are renewed, and where they are kept."""

    folder: Path
    client: bool
    server: bool
    written: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when there is a new one."""

    def connection(self, connected: "Connection") -> "Connection":
        """The connection, by the certificate that was renewed, where there is one."""
        if not self.client:
            return connected
        from cluster.kubelet import rotation

        path = rotation.current(self.folder, rotation.CLIENT)
        read = connected.read

        def newest() -> "ChannelTls | None":
            tls = read() if read is not None else connected.tls
            return _renewed(path, tls)

        return replace(
            connected,
            tls=_renewed(path, connected.tls),
            files=(*connected.files, path),
            read=newest,
            wake=self.written,
        )

    def serving(
        self, certificate: Path | None, key: Path | None
    ) -> tuple[Path | None, Path | None]:
        """The files of the serving certificate. It begins with those given; without them, as in
        Kubernetes, there is none until a request was approved: nobody believes what is shown.
        """
        if not self.server or (certificate is None) != (key is None):
            return certificate, key
        from cluster.kubelet import rotation

        path = rotation.current(self.folder, rotation.SERVER)
        if not path.exists():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(0o600)
            if certificate is None or key is None:
                path.write_bytes(rotation.ended())
            else:
                path.write_bytes(certificate.read_bytes() + key.read_bytes())
        return path, path

    def components(
        self, config: "Config", client: "Client", seams: "Seams", first: bytes
    ) -> "list[Rotation]":
        """What renews them; `first` is the client certificate that the kubelet began with."""
        if not (self.client or self.server):
            return []
        from cluster.kubelet import rotation

        node = config.node_name
        purposes = []
        if self.client and first:
            purposes.append(rotation.Purpose(rotation.CLIENT, node))
        elif self.client:
            structlog.get_logger().warning("it has no client certificate that could be renewed")
        if self.server:
            hosts = (node, *config.addresses, *filter(None, (config.kubelet_address,)))
            purposes.append(rotation.Purpose(rotation.SERVER, node, hosts))
        return [
            rotation.Rotation(
                purpose, self.folder, client, seams.clock, seams.random,
                first=first, kept=self.written.set,
            )
            for purpose in purposes
        ]  # fmt: skip


def from_flags(values: dict[str, Any], root: str, *, hollow: bool) -> Rotating:
    """What the flags tell of, which are taken out of `values`. click.UsageError."""
    folder = values.pop("cert_dir") or f"{root}/pki"
    client, server = values.pop("rotate_certificates"), values.pop("rotate_server_certificates")
    if hollow and (client or server):
        why = "Hollow nodes have one certificate for all: --rotate-certificates is for one node."
        if _given():
            raise click.UsageError(why)
        structlog.get_logger().warning(why)  # kubeadm's files ask for it
        client = server = False
    return Rotating(Path(folder), client, server)


def _given() -> bool:
    """Whether it was the command that asked for it, and not its configuration file."""
    source, context = click.core.ParameterSource, click.get_current_context()
    asked = [context.get_parameter_source(f"rotate_{kind}certificates") for kind in ("", "server_")]
    return any(each not in (None, source.DEFAULT) for each in asked)


def _renewed(path: Path, tls: "ChannelTls | None") -> "ChannelTls | None":
    """`tls` with the certificate and key of a file, where it is there and ends later."""
    from cluster.kubelet import rotation

    if tls is None:
        return None
    try:
        content = path.read_bytes()
        if not tls.certificate or rotation.life(content)[1] > rotation.life(tls.certificate)[1]:
            return replace(tls, certificate=content, key=content)
    except (OSError, ValueError):
        return tls
    return tls
