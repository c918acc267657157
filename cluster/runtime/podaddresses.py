"""The addresses of a node's pods: one of each pod CIDR, and none on the node's own network."""

from collections.abc import Sequence
from typing import Final

from cluster.aio import rpc
from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime import addresses

_UNREADY: Final = "cni plugin not initialized"


class Addresses:
    """Gives addresses from `cidrs`, which may be set later."""

    def __init__(self, cidrs: str = "") -> None:
        self._pools: tuple[addresses.Pool, ...] = ()
        self.cidrs = ""
        if cidrs:
            self.set(cidrs)

    @property
    def networks(self) -> tuple[addresses.Network, ...]:
        """The ranges."""
        return tuple(pool.network for pool in self._pools)

    def set(self, cidrs: str) -> bool:
        """Give them from these ranges from now on; whether those are others than before.
        ValueError for what is no CIDR.
        """
        found = addresses.networks(cidrs)
        if cidrs == self.cidrs:
            return False
        known = {pool.network: pool for pool in self._pools}
        self._pools = tuple(known.get(net) or addresses.Pool(net) for net in found)
        self.cidrs = cidrs
        return True

    def take(self, config: pb.PodSandboxConfig) -> tuple[str, ...]:
        """Those of a new sandbox. rpc.Failure, in containerd's words."""
        if config.linux.security_context.namespace_options.network == pb.NODE:
            return ()
        setup = f'failed to setup network for sandbox of pod "{config.metadata.name}"'
        if not self._pools:
            raise rpc.Failure("UNKNOWN", f"{setup}: {_UNREADY}")
        taken: list[str] = []
        try:
            for pool in self._pools:
                taken.append(pool.take())  # noqa: PERF401  (what was taken is given back)
        except addresses.Exhausted as full:
            self.give_back(taken)
            raise rpc.Failure("UNKNOWN", f"{setup}: failed to allocate: {full}") from full
        return tuple(taken)

    def claim(self, held: Sequence[str]) -> None:
        """Have addresses that a sandbox has already."""
        for pool, address in zip(self._pools, held, strict=False):
            pool.claim(address)

    def give_back(self, held: Sequence[str]) -> None:
        """Let the addresses of a sandbox go."""
        for pool, address in zip(self._pools, held, strict=False):
            pool.give_back(address)
