"""In what a cluster that runs is another than the one that is asked for."""

from collections.abc import Sequence
from typing import Final

from cluster.launcher.processes import Process

_WITH_PORTS: Final = (
    "--image-registries=", "--backends=", "--listen=127.", "--etcd-servers=", "--initial-",
    "--listen-client-urls=", "--advertise-client-urls=", "--listen-peer-urls=",
)  # fmt: skip
_TOLD: Final = 3


def differences(running: Sequence[Process], asked: Sequence[Process]) -> list[str]:
    """What is different, but for the ports, which were chosen when the cluster started; a phrase
    for each, none where it is the same cluster.
    """
    there, wanted = _flags(running), _flags(asked)
    found = [f"{name} would be new" for name in wanted if name not in there]
    found += [f"it has {name}" for name in there if name not in wanted]
    for name in [name for name in wanted if name in there]:
        found += [f"{name} runs with {flag}" for flag in there[name] if flag not in wanted[name]]
        found += [f"{name} runs without {flag}" for flag in wanted[name] if flag not in there[name]]
        if not found and there[name] != wanted[name]:
            found.append(f"{name} runs with {' '.join(there[name])}")
    return found


def told(found: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    more = len(found) - _TOLD
    return ", ".join([*found[:_TOLD], *([f"and {more} more"] if more > 0 else [])])


def _flags(processes: Sequence[Process]) -> dict[str, list[str]]:
    return {each.name: [flag for flag in each.argv if not _has_port(flag)] for each in processes}


def _has_port(flag: str) -> bool:
    return "-port=" in flag or flag.startswith(_WITH_PORTS)
