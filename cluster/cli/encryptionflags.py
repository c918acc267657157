"""The API server's flags of encryption at rest, as kube-apiserver has them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cluster.cli import connection, flags
from cluster.cli.flags import BOOLEAN

if TYPE_CHECKING:
    from cluster.apiserver.encryption.settings import Settings

_OPTIONS = (
    flags.option(
        "encryption-provider-config",
        "By which keys the store holds which resources (EncryptionConfiguration, YAML).",
        connection.FILE,
    ),
    flags.option(
        "encryption-provider-config-automatic-reload",
        "Read --encryption-provider-config again when it changes.",
        BOOLEAN, default="false",
    ),
)  # fmt: skip


options = flags.together(_OPTIONS)
"""A decorator: the flags."""


def from_flags(values: dict[str, Any]) -> dict[str, Any]:
    """The Config's fields, out of `values`. click.UsageError."""
    path: Path | None = values.pop("encryption_provider_config")
    reload = values.pop("encryption_provider_config_automatic_reload")
    if path is None:
        if reload:
            flag = "--encryption-provider-config"
            raise click.UsageError(f"{flag}-automatic-reload needs {flag}.")
        return {}
    return {"encryption": _settings(path, reload=reload)}


def _settings(path: Path, *, reload: bool) -> "Settings":
    from cluster.api import yaml_text  # late: few encrypt
    from cluster.apiserver.encryption import configuration
    from cluster.apiserver.encryption.settings import Settings

    def read() -> Any:
        return yaml_text.read(path.read_text(encoding="utf-8"))

    try:
        found = configuration.read(read())
    except (OSError, ValueError) as error:
        raise click.UsageError(f"--encryption-provider-config {path}: {error}") from error
    return Settings(found, read if reload else None)
