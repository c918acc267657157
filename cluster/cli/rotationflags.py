"""The kubelet's flags of its own certificates, as Kubernetes has them."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

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
_POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Rotating:
    """Which certificates are renewed, and where they are kept."""

    folder: Path
    client: bool
    server: bool

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
            poll=_POLL_SECONDS,
        )

    def serving(
        self, certificate: Path | None, key: Path | None
    ) -> tuple[Path | None, Path | None]:
        """The files of the serving certificate; those given are where it begins. UsageError."""
        if not self.server:
            return certificate, key
        if certificate is None or key is None:
            raise click.UsageError(
                "--rotate-server-certificates needs --tls-cert-file, to begin with."
            )
        from cluster.kubelet import rotation

        path = rotation.current(self.folder, rotation.SERVER)
        if not path.exists():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(0o600)
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
        if self.client:
            purposes.append(rotation.Purpose(rotation.CLIENT, node))
        if self.server:
            hosts = (node, *config.addresses)
            purposes.append(rotation.Purpose(rotation.SERVER, node, hosts))
        return [
            rotation.Rotation(purpose, self.folder, client, seams.clock, seams.random, first=first)
            for purpose in purposes
        ]


def from_flags(values: dict[str, Any], root: str, *, hollow: bool) -> Rotating:
    """What the flags tell of, which are taken out of `values`. click.UsageError."""
    folder = values.pop("cert_dir") or f"{root}/pki"
    client, server = values.pop("rotate_certificates"), values.pop("rotate_server_certificates")
    if hollow and (client or server):
        raise click.UsageError(
            "Hollow nodes have one certificate for all: --rotate-certificates is for one node."
        )
    return Rotating(Path(folder), client, server)


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
