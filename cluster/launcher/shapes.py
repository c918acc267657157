"""In what a cluster that runs is another than the one that is asked for."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from cluster.launcher.processes import Process

_FOLLOWING: Final = (
    "--image-registries=", "--backends=", "--etcd-servers=", "--initial-",
    "--listen-client-urls=", "--advertise-client-urls=", "--listen-peer-urls=",
)  # fmt: skip
"""What has the ports of others, or those of etcd, which nobody asks for."""
_TOLD: Final = 3


def differences(running: Sequence[Process], asked: Sequence[Process]) -> list[str]:
    """What is different; a phrase for each, none where it is the same cluster. A port that is 0 in
    what is asked for may be any: it was chosen when the cluster started.
    """
    free = {each.name: [_name(flag) for flag in each.argv if _is_free(flag)] for each in asked}
    there, wanted = _flags(running, free), _flags(asked, free)
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


def _flags(
    processes: Sequence[Process], free: Mapping[str, Collection[str]]
) -> dict[str, list[str]]:
    return {
        each.name: [
            flag
            for flag in each.argv
            if not flag.startswith(_FOLLOWING) and _name(flag) not in free.get(each.name, ())
        ]
        for each in processes
    }


def _name(flag: str) -> str:
    return flag.partition("=")[0]


def _is_free(flag: str) -> bool:
    """Whether it is a port, or an address with one, that may be any."""
    name, _, value = flag.partition("=")
    if name == "--listen":
        return value.endswith(":0")
    return name.endswith("-port") and value == "0"
