"""The mesh of one node: greetings, reports, and what they say about the ways to others."""

import random as randomness
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from cluster.network.stack import backends
from cluster.network.stack.mesh import messages, topology
from cluster.network.stack.mesh.links import Links, News
from cluster.network.stack.mesh.messages import Hello, Reports, Summary
from cluster.network.stack.mesh.reports import LAST_VERSION, Report
from cluster.network.stack.peers import Peer
from cluster.network.stack.router import TUNNEL, Route

REFRESH: Final = 60.0
"""Seconds after which a node reports again what has not changed."""
LIFETIME: Final = 200.0
"""Seconds after which the report of a node that is silent is forgotten."""
LARGEST: Final = 4096
"""Nodes of a mesh at most."""


class _Held(NamedTuple):
    report: Report
    came: float


class Mesh:
    """Sans-IO: after every call `take` has what is to be sent, `changed` whether ways are other."""

    def __init__(self, me: Peer, random: randomness.Random) -> None:
        self._me = me
        self._links = Links()
        self._given: dict[str, Peer] = {}
        self._held: dict[str, _Held] = {}
        self._own = Report(1, me, frozenset())
        self._reported = 0.0
        self._next = 0.0
        self._jitter = random.random()
        self._outgoing: list[tuple[Peer, bytes]] = []
        self._summarized: dict[str, float] = {}
        self._digest: int | None = None
        self.peers: dict[str, Peer] = {}
        """All other nodes, told or learned."""
        self.changed = False
        """Whether peers or ways are others since somebody last set this to False."""

    # ---- who there is ------------------------------------------------------------------------

    def set_peers(self, now: float, peers: Iterable[Peer]) -> None:
        """Nodes that are known otherwise than by gossip, which counts less.

        ValueError where two share a name.
        """
        listed = list(peers)
        given = {peer.name: peer for peer in listed}
        if len(given) != len(listed):
            raise ValueError("two peers have the same name")
        given.pop(self._me.name, None)
        self._given = given
        if not self._next:
            self._next = now + self._jitter * self._links.interval
        self._members_changed(now)

    def _is_acceptable(self, peer: Peer) -> bool:
        """Whether a learned node takes nothing that is another's."""
        others = (self._me, *self._given.values())
        return not any(_overlap(peer, other) for other in others)

    def _members_changed(self, now: float) -> None:
        learned = {
            name: held.report.peer
            for name, held in sorted(self._held.items())
            if name not in self._given and self._is_acceptable(held.report.peer)
        }
        self.peers = self._given | learned
        self._links.keep(now, sorted(self.peers))
        self._summarized = {name: at for name, at in self._summarized.items() if name in self.peers}
        self._digest = None
        self._report(now)
        self.changed = True

    # ---- what is said ------------------------------------------------------------------------

    def receive(self, now: float, sender: Peer, data: bytes) -> bool:
        """A message of a node; False where it is malformed."""
        message = messages.parse(data)
        if isinstance(message, Hello):
            self._greeted(now, sender, message)
        elif isinstance(message, Summary):
            self._compare(sender, message)
        elif isinstance(message, Reports):
            self._learn(now, sender, message)
        return message is not None

    def _greeted(self, now: float, sender: Peer, message: Hello) -> None:
        news = self._links.greeted(now, sender.name, hears=message.hears)
        if news:
            if news is News.HEARD:
                greeting = Hello(hears=True, digest=self.digest)
                self._send(sender, [messages.hello(greeting)])
            self._report(now)
        ago = now - self._summarized.get(sender.name, -1e9)
        if message.digest != self.digest and ago >= self._links.interval:
            self._summarized[sender.name] = now
            self._send(sender, messages.summaries(self._versions()))

    def _compare(self, sender: Peer, message: Summary) -> None:
        """Tell what the sender does not have."""
        newer = [
            report
            for report in self._reports()
            if report.version > message.versions.get(report.name, 0)
        ]
        self._send(sender, messages.carrying(newer))

    def _learn(self, now: float, sender: Peer, message: Reports) -> None:
        fresh = [report for report in message.reports if self._is_news(report)]
        moved = [report for report in fresh if self._moves(report)]
        for report in fresh:
            self._held[report.name] = _Held(report, now)
        own = [report for report in message.reports if report.name == self._me.name]
        for report in own:
            self._outdo(now, report)
        if not fresh:
            return
        self._digest = None
        if moved:
            self._members_changed(now)
        # Who reports reaches all others but those whom it misses: they hear it from us.
        for report in fresh:
            for name in sorted(report.missing):
                peer = self.peers.get(name)
                if peer is not None and name != sender.name and self._links.hears(now, name):
                    self._send(peer, messages.carrying([report]))

    def _is_news(self, report: Report) -> bool:
        if report.name == self._me.name:
            return False
        held = self._held.get(report.name)
        if held is None:
            return len(self._held) < LARGEST
        return report.version > held.report.version

    def _moves(self, report: Report) -> bool:
        """Whether a report makes other peers or ways; most say only that a node is there."""
        held = self._held.get(report.name)
        missing = frozenset() if held is None else held.report.missing
        if report.name not in self._given and (held is None or held.report.peer != report.peer):
            return True
        return report.missing != missing

    def _outdo(self, now: float, report: Report) -> None:
        """The others have a report of an earlier life of this node: say the new one louder."""
        if report.version >= self._own.version and report != self._own:
            self._own = self._own._replace(version=report.version)
            self._report(now, again=True)

    def _report(self, now: float, *, again: bool = False) -> None:
        """Tell all others whom this node misses, where that is news."""
        missing = frozenset(name for name in self._links.cut(now) if name in self._held)
        if missing == self._own.missing and not again:
            return
        # Who claims the last version for us is believed until it is old, and does no other harm.
        version = min(self._own.version + 1, LAST_VERSION)
        self._own = Report(version, self._me, missing)
        self._reported = now
        self._digest = None
        self.changed = True
        told = list(messages.carrying([self._own]))
        for peer in self.peers.values():
            self._send(peer, told)

    # ---- time --------------------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        """When `tick` is to be called next."""
        return self._next or None

    def tick(self, now: float) -> None:
        """Greet all others, look who was silent for too long."""
        if not self._next or now < self._next:
            return
        self._next = now + self._links.interval
        digest = self.digest
        for name, peer in self.peers.items():
            greeting = Hello(self._links.hears(now, name), digest)
            self._send(peer, [messages.hello(greeting)])
        gone = [name for name, held in self._held.items() if now - held.came > LIFETIME]
        for name in gone:
            del self._held[name]
        if gone:
            self._members_changed(now)
        self._report(now, again=now - self._reported > REFRESH)

    def take(self) -> list[tuple[Peer, bytes]]:
        """What is to be sent to whom."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def _send(self, peer: Peer, told: Iterable[bytes]) -> None:
        self._outgoing += [(peer, data) for data in told]

    # ---- what is known -----------------------------------------------------------------------

    def _reports(self) -> list[Report]:
        return [self._own, *(held.report for held in self._held.values())]

    def _versions(self) -> dict[str, int]:
        return {report.name: report.version for report in self._reports()}

    @property
    def digest(self) -> int:
        """Of all reports that this node has."""
        if self._digest is None:
            self._digest = messages.digest(self._versions())
        return self._digest

    def next_hops(self) -> dict[str, str | None]:
        """By node: who is the next hop to it; None where no way is known.

        A node that never reported (a kernel's VTEP) is its own next hop.
        """
        missing = {
            report.name: report.missing
            for report in self._reports()
            if report.name in self.peers or report is self._own
        }
        hops = topology.next_hops(self._me.name, missing)
        return {name: hops.get(name) if name in missing else name for name in self.peers}

    def routes(self) -> Iterator[Route]:
        """The routes to all nodes' pods; one without a next hop leads nowhere."""
        peers = self.peers
        for name, hop in self.next_hops().items():
            if hop is None or not peers[hop].vtep_mac:
                yield Route(peers[name].network, TUNNEL)
            else:
                yield backends.through(peers[name], peers[hop])


def _overlap(one: Peer, other: Peer) -> bool:
    if one.public == other.public and one.cable == other.cable:
        return True
    wider, narrower = sorted((one.network, other.network), key=lambda prefix: prefix.length)
    return narrower.network in wider
