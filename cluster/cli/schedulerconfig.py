"""`--config` of the scheduler: from the file to a scheduler's Config."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster.api import faults
from cluster.client.election import Lease
from cluster.scheduler.queue.scheduling_queue import Timing

if TYPE_CHECKING:
    from cluster.scheduler.configuration.loading import Loaded


class Unusable(faults.Fault):
    """The file cannot be used; the message has a line for each reason."""


def load(path: Path) -> "Loaded":
    """What a KubeSchedulerConfiguration file says. Unusable."""
    from cluster.scheduler.configuration import loading
    from cluster.scheduler.plugins import outside, registry

    def missing(name: str) -> str:
        return "" if name in registry.BUILT_IN else outside.missing(name)

    try:
        return loading.load(path.read_text(encoding="utf-8"), missing)
    except OSError as error:
        raise Unusable(f"{path} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise Unusable(f"{path} is not a text in UTF-8") from error
    except loading.Invalid as error:
        lines = str(error).splitlines()
        told = "\n".join(f"{path}: {line}" for line in lines)
        raise Unusable(told) from error


def fields(loaded: "Loaded") -> dict[str, Any]:
    """The fields of a Config that a file sets. Unusable."""
    if loaded.leader_elect:
        _check_election(loaded)
    found: dict[str, Any] = {
        "profiles": loaded.profiles,
        "scheduler_name": loaded.profiles[0].scheduler_name,
        "timing": Timing(loaded.initial_backoff, loaded.maximum_backoff),
        "lease": Lease(
            loaded.lease_name,
            loaded.lease_namespace,
            loaded.lease_duration,
            loaded.renew_deadline,
            loaded.retry_period,
        ),
    }
    if loaded.leader_elect is not None:
        found["leader_elect"] = loaded.leader_elect
    return found


def _check_election(loaded: "Loaded") -> None:
    """What Kubernetes finds wrong only when an election begins."""
    from cluster.client import election

    try:
        election.Config(
            loaded.lease_name,
            "scheduler",
            loaded.lease_namespace,
            loaded.lease_duration,
            loaded.renew_deadline,
            loaded.retry_period,
        )
    except ValueError as error:
        raise Unusable(f"leaderElection: {error}") from error
