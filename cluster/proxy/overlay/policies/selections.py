"""Which pods a peer of a rule means: pure.

A selection's name is what the data plane calls its addresses, and what traces show:
`pods app=web in namespace shop`, `pods in namespaces env=prod at TCP/http`.
"""

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cluster.api import selectors
from cluster.api.selectors import Selector
from cluster.proxy.overlay.policies.pods import Pod, PortName


@dataclass(frozen=True)
class Block:
    """A block of addresses, but for some in it."""

    cidr: str
    excepts: tuple[str, ...] = ()

    @cached_property
    def _networks(self) -> tuple[ipaddress.IPv4Network, ...]:
        return tuple(ipaddress.IPv4Network(text, strict=False) for text in self.excepts)

    @cached_property
    def _network(self) -> ipaddress.IPv4Network:
        return ipaddress.IPv4Network(self.cidr, strict=False)

    def holds(self, address: str) -> bool:
        """Whether an IPv4 address is in it."""
        found = ipaddress.IPv4Address(address)
        return found in self._network and not any(found in part for part in self._networks)

    def __str__(self) -> str:
        return f"{self.cidr} except {', '.join(self.excepts)}" if self.excepts else self.cidr


@dataclass(frozen=True)
class Selection:
    """Pods with certain labels: in one namespace, in those with certain labels, or (with neither)
    anywhere.

    With `port`, only pods that name a port so, at the number that it has in each; with `block`,
    only pods whose addresses are in it.
    """

    namespace: str = ""
    namespaces: Selector | None = None
    pods: Selector = selectors.EVERYTHING
    port: PortName | None = None
    block: Block | None = None

    @cached_property
    def name(self) -> str:
        """Unique for what is selected, and readable."""
        parts = [f"pods {self.pods}" if not self.pods.empty else "pods"]
        if self.namespace:
            parts.append(f"in namespace {self.namespace}")
        elif self.namespaces is not None:
            wanted = "all namespaces" if self.namespaces.empty else f"namespaces {self.namespaces}"
            parts.append(f"in {wanted}")
        if self.block is not None:
            parts.append(f"of {self.block}")
        if self.port is not None:
            parts.append(f"at {'/'.join(self.port)}")
        return " ".join(parts)

    def takes_namespace(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels of a namespace are those that are asked for."""
        return self.namespaces is not None and self.namespaces.matches(labels)

    def number(self, pod: Pod) -> int | None:
        """None where a pod of a namespace that is taken is not selected; else the number of its
        port, or 0 where no port is asked for.
        """
        if not self.pods.matches(pod.labels):
            return None
        if self.block is not None and not self.block.holds(pod.address):
            return None
        return 0 if self.port is None else pod.ports.get(self.port)


@dataclass(frozen=True, slots=True)
class Peers:
    """Whom a rule is about: everybody, or those of some selections and blocks of addresses."""

    everybody: bool = False
    selections: tuple[Selection, ...] = ()
    blocks: tuple[Block, ...] = ()

    def at(self, port: PortName) -> Iterator[Selection]:
        """The pods among them that name a port so: a name says nothing of anybody else."""
        if self.everybody:
            yield Selection(port=port)
        for each in self.selections:
            yield Selection(each.namespace, each.namespaces, each.pods, port)
        for block in self.blocks:
            yield Selection(port=port, block=block)


def peers(namespace: str, given: list[Mapping[str, Any]] | None) -> Peers:
    """From `from` or `to` of a rule of a policy in `namespace`. None of them at all: everybody.

    ValueError where a selector or a block is none.
    """
    if not given:
        return Peers(everybody=True)
    selected: dict[str, Selection] = {}
    blocks: list[Block] = []
    for peer in given:
        if peer.get("ipBlock"):
            blocks += _block(peer["ipBlock"])
        else:
            selection = _selection(namespace, peer)
            selected[selection.name] = selection
    return Peers(False, tuple(selected.values()), tuple(blocks))


def _selection(namespace: str, peer: Mapping[str, Any]) -> Selection:
    pods = peer.get("podSelector")
    wanted = selectors.EVERYTHING if pods is None else selectors.of(pods)
    if peer.get("namespaceSelector") is None:
        return Selection(namespace, pods=wanted)
    return Selection(namespaces=selectors.of(peer["namespaceSelector"]), pods=wanted)


def _block(given: Mapping[str, Any]) -> Iterator[Block]:
    """A block of IPv6 addresses is of nobody here. ValueError for what is no block."""
    if ":" not in given["cidr"]:
        excepts = (one for one in given.get("except") or () if ":" not in one)
        yield Block(_canonical(given["cidr"]), tuple(_canonical(one) for one in excepts))


def _canonical(cidr: str) -> str:
    return str(ipaddress.IPv4Network(cidr, strict=False))
