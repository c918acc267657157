"""Names that one has alone, and ids: what all drivers hold to. The words are containerd's."""

import random as randoms
from collections.abc import Container as Collection

from cluster.aio import rpc
from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime.records import Sandbox


class SandboxNames:
    """The names of a node's sandboxes."""

    def __init__(self) -> None:
        self._holders: dict[str, str] = {}

    def check(self, config: pb.PodSandboxConfig) -> None:
        """rpc.Failure where another sandbox has the name."""
        name = _full(config)
        if name in self._holders:
            holder = self._holders[name]
            raise rpc.Failure("UNKNOWN", f'sandbox name "{name}" is reserved for "{holder}"')

    def hold(self, config: pb.PodSandboxConfig, id: str) -> None:
        """Let a sandbox have its name."""
        self._holders[_full(config)] = id

    def free(self, config: pb.PodSandboxConfig) -> None:
        """The sandbox that had it is gone."""
        del self._holders[_full(config)]


def check_container(sandbox: Sandbox, config: pb.ContainerConfig) -> None:
    """rpc.Failure where another container of the sandbox has name and attempt."""
    meta = config.metadata
    for other in sandbox.containers.values():
        theirs = other.config.metadata
        if theirs.name == meta.name and theirs.attempt == meta.attempt:
            raise rpc.Failure(
                "UNKNOWN",
                f'container name "{meta.name}", attempt {meta.attempt}, is reserved for '
                f'"{other.id}"',
            )


def new_id(random: randoms.Random, *taken: Collection[str]) -> str:
    """An id that is in none of these."""
    while True:
        found = f"{random.getrandbits(256):064x}"
        if not any(found in one for one in taken):
            return found


def _full(config: pb.PodSandboxConfig) -> str:
    meta = config.metadata
    return f"{meta.name}_{meta.namespace}_{meta.uid}_{meta.attempt}"
