"""--authorization-mode: the authorizers by name, and the one that they make together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cluster.api import schema
from cluster.apiserver.authz.always import AlwaysAllow, AlwaysDeny
from cluster.apiserver.authz.attributes import Authorizer
from cluster.apiserver.authz.node import Node
from cluster.apiserver.authz.noderefs import NodeReferences
from cluster.apiserver.authz.rbac import Rbac
from cluster.apiserver.authz.union import Union
from cluster.apiserver.watchcache.cache import WatchCache

ALWAYS_ALLOW: Final = "AlwaysAllow"
ALWAYS_DENY: Final = "AlwaysDeny"
NODE: Final = "Node"
RBAC: Final = "RBAC"
KNOWN: Final = (ALWAYS_ALLOW, ALWAYS_DENY, NODE, RBAC)


def checked(modes: Sequence[str]) -> tuple[str, ...]:
    """The modes, once each. ValueError with a sentence."""
    if not modes:
        raise ValueError("at least one authorization mode must be given")
    for mode in modes:
        if mode not in KNOWN:
            raise ValueError(f"{mode!r} is no authorization mode: give of {', '.join(KNOWN)}")
        if list(modes).count(mode) > 1:
            raise ValueError(f"authorization mode {mode} is given more than once")
    return tuple(modes)


@dataclass(frozen=True, slots=True)
class Built:
    """The authorizer of a server, and the RBAC index: it is kept whether RBAC is a mode or not."""

    authorizer: Authorizer
    rbac: Rbac
    enforced: bool
    """Whether RBAC is one of the modes."""
    minor: int
    """The minor version of the Kubernetes that is emulated."""

    def open(self, cache: WatchCache) -> None:
        """The cache is filled: follow it."""
        if self.enforced:
            self.rbac.open(cache)


def build(modes: Sequence[str], cache: WatchCache, version: str = "") -> Built:
    """The authorizer of these modes. ValueError for a mode that there is not."""
    rbac = Rbac()
    minor = int((version or schema.NEWEST).partition(".")[2])
    members: list[Authorizer] = []
    for mode in checked(modes):
        if mode == RBAC:
            members.append(rbac)
        elif mode == NODE:
            members.append(Node(NodeReferences(cache), minor))
        else:
            members.append(AlwaysAllow() if mode == ALWAYS_ALLOW else AlwaysDeny())
    enforced = RBAC in modes
    if tuple(modes) == (ALWAYS_ALLOW,):
        return Built(members[0], rbac, enforced, minor)
    return Built(Union(members), rbac, enforced, minor)
