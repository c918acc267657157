"""What a cluster file says wins over the environment: it was given by hand. Flags win over both."""

from pathlib import Path
from typing import Any, Final

import click
from click.core import ParameterSource

_FIELDS: Final = {
    "nodes": ("nodes", "hollow"),
    "hollow": ("nodes", "hollow"),
    "name": ("name",),
    "port": ("ports.api",),
    "kubernetes_version": ("kubernetesVersion",),
    "scheduler_config": ("schedulerConfig",),
    "image_scripts": ("imageScripts",),
    "driver": ("driver",),
    "network_backend": ("network.backend",),
    "dns": ("dns",),
    "addons": ("addons",),
}
"""By parameter of `kubemu up`: the fields of a cluster file that answer the same question."""


def overruled(path: Path, context: click.Context) -> frozenset[str]:
    """The parameters that come from the environment, and of which the cluster file at `path` (one
    that could be read) says something else.
    """
    said = _said(path)
    return frozenset(
        name
        for name, fields in _FIELDS.items()
        if context.get_parameter_source(name) is ParameterSource.ENVIRONMENT
        and any(field in said for field in fields)
    )


def _said(path: Path) -> frozenset[str]:
    """The fields of a cluster file, those of sections with a dot."""
    import yaml

    top: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
    inner = (
        f"{name}.{key}" for name, value in top.items() if isinstance(value, dict) for key in value
    )
    return frozenset((*top, *inner))
