"""The API server's flags of the way to kubelets, as kube-apiserver has them."""

from pathlib import Path
from typing import Any

import click

from cluster.apiserver.kubelets import location
from cluster.cli import connection, flags
from cluster.cli.flags import LIST

_OPTIONS = (
    flags.option(
        "kubelet-certificate-authority",
        "Who must have signed kubelets' certificates, in PEM; left out: kubelets speak no TLS.",
        connection.FILE,
    ),
    flags.option(
        "kubelet-client-certificate", "Certificate shown to kubelets, in PEM.", connection.FILE
    ),
    flags.option(
        "kubelet-client-key", "Private key of --kubelet-client-certificate, in PEM.",
        connection.FILE,
    ),
    flags.option(
        "kubelet-preferred-address-types", "Which addresses of nodes are used, best first.",
        LIST, default=",".join(location.PREFERRED),
    ),
)  # fmt: skip


options = flags.together(_OPTIONS)
"""A decorator: the flags."""


def from_flags(values: dict[str, Any]) -> dict[str, Any]:
    """The Config's fields, out of `values`. click.UsageError."""
    authority: Path | None = values.pop("kubelet_certificate_authority")
    certificate: Path | None = values.pop("kubelet_client_certificate")
    key: Path | None = values.pop("kubelet_client_key")
    fields: dict[str, Any] = {
        "kubelet_addresses": tuple(values.pop("kubelet_preferred_address_types"))
    }
    if (certificate is None) != (key is None):
        raise click.UsageError("--kubelet-client-certificate and --kubelet-client-key go together.")
    if authority is None:
        if certificate is not None:
            raise click.UsageError(
                "--kubelet-client-certificate needs --kubelet-certificate-authority."
            )
        return fields
    from cluster.client.channel import ChannelTls

    if certificate is None or key is None:
        return fields | {"kubelet_tls": ChannelTls(authority.read_bytes())}
    from cluster.aio.certificatefiles import CertificateFiles

    files = CertificateFiles(certificate, key, authority)

    def renewed() -> ChannelTls | None:
        found = files.renewed()
        return ChannelTls(found[2], found[0], found[1]) if found is not None else None

    shown = ChannelTls(authority.read_bytes(), certificate.read_bytes(), key.read_bytes())
    return fields | {"kubelet_tls": shown, "kubelet_tls_renewed": renewed}
