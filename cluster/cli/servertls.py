"""The flags of a gRPC or REST server's own certificates, named as Kubernetes names them."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cluster.cli import connection, flags

if TYPE_CHECKING:
    from cluster.aio.grpcserver import ServerTls

F = TypeVar("F", bound=Callable[..., Any])


def options(function: F) -> F:
    """Take the flags below."""
    for decorate in (
        flags.option(
            "client-ca-file", "Who must have signed clients' certificates, in PEM.",
            connection.FILE,
        ),
        flags.option(
            "tls-private-key-file", "Private key of --tls-cert-file, in PEM.", connection.FILE
        ),
        flags.option("tls-cert-file", "Serving certificate, in PEM.", connection.FILE),
    ):  # fmt: skip
        function = decorate(function)
    return function


def from_flags(
    certificate: Path | None, key: Path | None, client_ca: Path | None, *, require_client: bool
) -> "ServerTls | None":
    """What the flags tell of; None without --tls-cert-file. click.UsageError.

    Files that are exchanged are shown to whoever connects from then on.
    """
    if (certificate is None) != (key is None):
        raise click.UsageError("--tls-cert-file and --tls-private-key-file go together.")
    if certificate is None or key is None:
        return None
    from cluster.aio.certificatefiles import CertificateFiles

    return CertificateFiles(certificate, key, client_ca).server(require_client=require_client)
