"""The API server's flags of the way to extension servers, as kube-apiserver has them."""

from pathlib import Path
from typing import Any

import click

from cluster.cli import connection, flags

_OPTIONS = (
    flags.option(
        "proxy-client-cert-file", "Certificate shown to extension servers and webhooks, in PEM.",
        connection.FILE,
    ),
    flags.option(
        "proxy-client-key-file", "Private key of --proxy-client-cert-file, in PEM.",
        connection.FILE,
    ),
)  # fmt: skip


options = flags.together(_OPTIONS)
"""A decorator: the flags."""


def from_flags(values: dict[str, Any]) -> dict[str, Any]:
    """The Config's fields, out of `values`. click.UsageError."""
    certificate: Path | None = values.pop("proxy_client_cert_file")
    key: Path | None = values.pop("proxy_client_key_file")
    if (certificate is None) != (key is None):
        raise click.UsageError("--proxy-client-cert-file and --proxy-client-key-file go together.")
    if certificate is None:
        return {}
    return {"proxy_client": (str(certificate), str(key))}
