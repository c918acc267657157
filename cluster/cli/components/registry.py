"""`kubemu registry`."""

import ssl
from pathlib import Path
from typing import Any

import click

from cluster.cli import connection, flags, process
from cluster.cli.flags import DURATION, NUMBER, TEXT, Setting
from cluster.images.registry import config as configs

_SETTINGS = (
    Setting("host", TEXT, "Address to listen on.", "bind-address"),
    Setting("port", NUMBER, "Port to listen on; 0: a free one."),
    Setting(
        "anonymous",
        click.Choice(configs.ANONYMOUS),
        "What those may who do not say who they are: push (and pull), pull, or none.",
    ),
    Setting("upload_expiry", DURATION, "When an upload that nobody goes on with is forgotten."),
    Setting("collect_every", DURATION, "How often blobs are removed that no image has."),
    Setting("collect_grace", DURATION, "How old such blobs are at least: a push may be under way."),
    Setting("max_uploads", NUMBER, "How many uploads may be under way."),
    Setting("max_blob", NUMBER, "How many bytes a blob may have.", "max-blob-bytes"),
)


@click.command()
@flags.option(
    "data-dir", "Folder for all that is pushed.", click.Path(file_okay=False, path_type=Path)
)
@flags.settings(configs.Config, *_SETTINGS)
@flags.option(
    "htpasswd", "Users and their bcrypt hashes, as htpasswd -B writes them.", connection.FILE
)
@flags.option("tls-cert-file", "Serving certificate, in PEM; without it: HTTP.", connection.FILE)
@flags.option("tls-private-key-file", "Private key of --tls-cert-file.", connection.FILE)
@process.logging_options
def registry(log_level: str, log_format: str, **values: Any) -> None:
    """Serve images: an OCI distribution registry (and Docker's), for pushes and pulls.

    docker, skopeo, crane, containerd and kubemu image work with it. kubemu up starts one for each
    cluster, whose nodes pull from it.
    """
    data_dir, htpasswd = values.pop("data_dir"), values.pop("htpasswd")
    if data_dir is None:
        raise click.UsageError("A registry needs --data-dir.")
    users = _users(htpasswd) if htpasswd else {}
    tls = _tls(values.pop("tls_cert_file"), values.pop("tls_private_key_file"))

    def make(**fields: Any) -> configs.Config:
        return configs.Config(data_dir, users=users, **fields)

    config = flags.built(make, _SETTINGS, values)

    async def story(seams: process.Seams) -> None:
        from cluster.images import faults
        from cluster.images.registry.component import Registry

        try:
            await process.serve(Registry(config, clock=seams.clock, random=seams.random, tls=tls))
        except faults.Fault as error:
            raise process.StartFailure(str(error)) from error

    process.run("registry", story, log_level=log_level, log_format=log_format)


def _users(path: Path) -> dict[str, str]:
    try:
        return configs.users(path.read_text())
    except ValueError as error:
        raise click.UsageError(f"{path}: {error}") from error


def _tls(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    if (certificate is None) != (key is None):
        raise click.UsageError("--tls-cert-file and --tls-private-key-file go together.")
    if certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise click.UsageError(f"{certificate}: {error}") from error
    return context
