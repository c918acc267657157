"""All that the agent of a node programs, and what of it changed: pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from cluster.api import objects
from cluster.pb.cluster.v1 import overlay_pb2 as pb
from cluster.proxy.overlay import nodes
from cluster.proxy.overlay.policies.compiler import Compiler

_CHUNK: Final = 512
"""Peers or policies in one message of the whole."""
_CHUNK_ADDRESSES: Final = 20_000
"""Addresses after which no more sets are put into a message."""


class Tables:
    """The tables of one node, or of several that share a data plane."""

    def __init__(self, names: Iterable[str], backend: pb.Backend) -> None:
        self._names = frozenset(names)
        self._backend = backend
        self._peers: dict[str, pb.Peer] = {}
        self._changed: dict[str, None] = {}
        self._programmed: dict[str, pb.Peer] = {}
        self._said: dict[str, nodes.Said] = {}
        """What the other nodes said last: most that changes of a Node is of no account here."""
        self._own_changed = False
        self.own: dict[str, nodes.Own] = {}
        """The agent's own nodes, those that are there."""
        self.compiler = Compiler(self._names)

    # ---- nodes -------------------------------------------------------------------------------

    def set_node(self, obj: Mapping[str, Any]) -> None:
        """A Node appeared or changed."""
        name = objects.name(obj)
        if name in self._names:
            found = nodes.own(obj)
            self._own_changed |= found != self.own.get(name)
            self.own[name] = found
            return
        said = nodes.said(obj)
        if self._said.get(name) != said:
            self._said[name] = said
            self._put(name, nodes.peer(obj, self._backend))

    def remove_node(self, name: str) -> None:
        """A Node is gone."""
        if name in self._names:
            self._own_changed |= self.own.pop(name, None) is not None
        else:
            self._said.pop(name, None)
            self._put(name, None)

    def _put(self, name: str, peer: pb.Peer | None) -> None:
        if self._peers.get(name) == peer:
            return
        if peer is None:
            del self._peers[name]
        else:
            self._peers[name] = peer
        self._changed[name] = None

    # ---- what is to be programmed ------------------------------------------------------------

    @property
    def changed(self) -> bool:
        """Whether there may be anything to `take`, or `own` is another than it was then."""
        return bool(self._changed) or self._own_changed or self.compiler.changed

    def take(self) -> pb.UpdateOverlayRequest:
        """The difference to what was taken last."""
        self._own_changed = False
        delta = pb.UpdateOverlayRequest()
        changed, self._changed = self._changed, {}
        for name in changed:
            before, now = self._programmed.pop(name, None), self._peers.get(name)
            if now is not None:
                self._programmed[name] = now
                if now != before:
                    delta.set_peers.append(now)
            elif before is not None:
                delta.removed_peers.append(name)
        self.compiler.take(delta)
        return delta

    def whole(self, instance: str) -> Iterator[pb.ReplaceOverlayRequest]:
        """All of it, as of the last `take`, in chunks for a data plane of this instance."""
        yield pb.ReplaceOverlayRequest(instance=instance)
        peers = [self._programmed[name] for name in sorted(self._programmed)]
        for start in range(0, len(peers), _CHUNK):
            yield pb.ReplaceOverlayRequest(peers=peers[start : start + _CHUNK])
        yield from self._sets()
        entries = self.compiler.entries()
        for start in range(0, len(entries), _CHUNK):
            yield pb.ReplaceOverlayRequest(policies=entries[start : start + _CHUNK])

    def _sets(self) -> Iterator[pb.ReplaceOverlayRequest]:
        chunk: list[pb.AddressSet] = []
        size = 0
        for each in self.compiler.sets():
            chunk.append(each)
            size += len(each.addresses)
            if size >= _CHUNK_ADDRESSES or len(chunk) >= _CHUNK:
                yield pb.ReplaceOverlayRequest(sets=chunk)
                chunk, size = [], 0
        if chunk:
            yield pb.ReplaceOverlayRequest(sets=chunk)

    @property
    def figures(self) -> dict[str, int]:
        """How much there is, for logs."""
        return {"peers": len(self._programmed), "policies": len(self.compiler.entries())}
