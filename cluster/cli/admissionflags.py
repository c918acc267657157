"""The API server's flags of admission plugins, as kube-apiserver has them."""

from pathlib import Path
from typing import Any

import click

from cluster.apiserver.admission import configuration, defaults
from cluster.apiserver.admission.selection import Selection
from cluster.cli import connection, flags

_OPTIONS = (
    flags.option(
        "enable-admission-plugins", "Admission plugins to run beside those that are on by default."
    ),
    flags.option(
        "disable-admission-plugins", "Admission plugins not to run, though on by default."
    ),
    flags.option(
        "admission-control-config-file",
        "What plugins are told (AdmissionConfiguration, YAML).",
        connection.FILE,
    ),
)


options = flags.together(_OPTIONS)
"""A decorator: the flags."""


def from_flags(values: dict[str, Any]) -> dict[str, Any]:
    """The Config's fields, out of `values`. click.UsageError."""
    enable, disable = (
        _names(values.pop(f"{verb}_admission_plugins")) for verb in ("enable", "disable")
    )
    file = values.pop("admission_control_config_file")
    try:
        told = _read(file) if file is not None else {}
    except ValueError as error:
        raise click.UsageError(f"--admission-control-config-file {file}: {error}") from error
    try:
        selection = Selection(enable, disable, told)
        defaults.chain(selection=selection)  # says now what a plugin does not understand
    except ValueError as error:
        raise click.UsageError(f"--{error}" if "plugins" in str(error) else str(error)) from error
    return {"admission": selection}


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


def _read(file: Path) -> Any:
    from cluster.api import yaml_text  # late: few configure plugins

    def load(path: str) -> Any:
        try:
            return yaml_text.read((file.parent / path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ValueError(f"{path}: {error}") from error

    return configuration.read(load(file.name), load)
