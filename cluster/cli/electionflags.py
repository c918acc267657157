"""The flags of leader election, as kube-scheduler and kube-controller-manager have them."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from cluster.cli import flags
from cluster.cli.flags import DURATION
from cluster.client.election import Config, Lease

F = TypeVar("F", bound=Callable[..., Any])

_FLAGS: Final = {
    "lease_duration": "leader_elect_lease_duration",
    "renew_deadline": "leader_elect_renew_deadline",
    "retry_period": "leader_elect_retry_period",
    "name": "leader_elect_resource_name",
    "namespace": "leader_elect_resource_namespace",
}
_HELP: Final = {
    "lease_duration": "How long others wait for a leader that says nothing. Default: 15s.",
    "renew_deadline": "How long a leader tries to renew before it gives up. Default: 10s.",
    "retry_period": "Time between two tries. Default: 2s.",
    "name": "Name of the Lease.",
    "namespace": "Namespace of the Lease. Default: kube-system.",
}


def options(function: F) -> F:
    """Take the flags below; `from_flags` makes a Lease of them."""
    for field, name in reversed(_FLAGS.items()):
        kind = flags.TEXT if field in ("name", "namespace") else DURATION
        function = flags.option(name.replace("_", "-"), _HELP[field], kind, default=None)(function)
    return function


def from_flags(values: dict[str, Any], default: Lease) -> Lease:
    """The Lease that the flags tell of, over `default`; they are taken out of `values`.

    click.UsageError where the times do not fit.
    """
    fields = {field: getattr(default, field) for field in _FLAGS}
    for field, name in _FLAGS.items():
        said = values.pop(name)
        if said is not None:
            fields[field] = said
    try:
        Config(identity="-", **fields)
    except ValueError as error:
        raise click.UsageError(f"--leader-elect-…: {error}") from error
    return Lease(**fields)
