"""Credentials for registries, as clients here take them from a Docker configuration."""

from collections.abc import Mapping

from cluster.api import dockerconfig
from cluster.images import faults

Credentials = dockerconfig.Credentials


def of_config(data: bytes, what: str = "the Docker configuration") -> dict[str, Credentials]:
    """The credentials of a configuration by what they are for. faults.Corrupt."""
    try:
        return dockerconfig.parse(data)
    except ValueError as error:
        raise faults.Corrupt(f"{what}: {error}") from error


def of_registry(found: Mapping[str, Credentials], host: str) -> Credentials | None:
    """Those for a registry as a whole (`docker.io`, `localhost:5000`)."""
    return next(iter(dockerconfig.chosen(found, f"{host}/")), None)
