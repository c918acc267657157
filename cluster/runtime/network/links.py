"""Links of a node that are bad on purpose (`kubemu net impair`), for as long as its machine lives.

What the node sends to another is impaired on the underlay, so VXLAN, the cable and a mesh's gossip
fare alike; a pod's link is impaired at its port, both ways. Long segments are cut first: a share of
loss is one of packets that a wire would see.
"""

import asyncio
import dataclasses
import random as randoms
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from cluster.network.io.impaired import ImpairedUnderlay
from cluster.network.stack.impair import NONE, Counters, Impairment, Link
from cluster.network.underlay import Address, Underlay
from cluster.network.wire import offload
from cluster.network.wire.frame import Frame

POD: Final = "pod:"
"""What the names of pods' links begin with; their addresses follow."""

Deliver = Callable[[str, list[Frame]], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a link is to fare. `seed` is that of its chance."""

    impairment: Impairment
    seed: str


@dataclass(frozen=True, slots=True)
class Change:
    """What is said of a link; None: as it was."""

    link: str
    impairment: Impairment | None = None
    cut: bool | None = None
    seed: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """A bad link."""

    link: str
    wanted: Wanted
    counters: Counters


class Links:
    """All links of one machine; they outlive a network that is made anew."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._wanted: dict[str, Wanted] = {}
        self._underlay: ImpairedUnderlay | None = None
        self.ports: Ports | None = None
        """Of pods."""

    def over(
        self, underlay: Underlay, named: Callable[[Address], str], up: Deliver, down: Deliver
    ) -> Underlay:
        """The underlay with these links, for a network that is made. `named` gives the node at an
        address; `up` takes frames that made it from a pod, `down` those that made it to one.
        """
        self.down()
        self._underlay = ImpairedUnderlay(underlay, self._node, link_of=named)
        self.ports = Ports(up, down)
        for link, wanted in list(self._wanted.items()):
            if link.startswith(POD):
                del self._wanted[link]
            else:
                self._carry(link, wanted)
        return self._underlay

    def down(self) -> None:
        """There is no network now."""
        if self.ports is not None:
            self.ports.close()
        self._underlay = self.ports = None

    def change(self, changes: Sequence[Change], *, heal_all: bool = False) -> None:
        """Make links bad or good."""
        if heal_all:
            for link in list(self._wanted):
                self._set(link, Wanted(NONE, ""))
        for one in changes:
            old = self._wanted.get(one.link, Wanted(NONE, ""))
            cut = old.impairment.cut if one.cut is None else one.cut
            seed = old.seed if one.impairment is None else one.seed
            impairment = one.impairment or old.impairment
            if one.impairment is not None and not one.impairment:
                impairment = NONE
            self._set(one.link, Wanted(dataclasses.replace(impairment, cut=cut), seed))

    def forget(self, address: str) -> None:
        """A pod is gone: who gets its address has a link of his own."""
        if f"{POD}{address}" in self._wanted:
            self._set(f"{POD}{address}", Wanted(NONE, ""))

    def rows(self) -> Iterator[State]:
        """Those that are bad, sorted by name."""
        for link, wanted in sorted(self._wanted.items()):
            yield State(link, wanted, self._counters(link))

    def of(self, link: str) -> State | None:
        """A link, if it is bad."""
        wanted = self._wanted.get(link)
        return None if wanted is None else State(link, wanted, self._counters(link))

    def _set(self, link: str, wanted: Wanted) -> None:
        if wanted.impairment:
            self._wanted[link] = wanted
        else:
            self._wanted.pop(link, None)
        self._carry(link, wanted)

    def _carry(self, link: str, wanted: Wanted) -> None:
        seed = f"{wanted.seed}/{self._node}"
        if not link.startswith(POD):
            if self._underlay is not None:
                self._underlay.impair(link, wanted.impairment, seed)
        elif self.ports is not None:
            self.ports.impair(link.removeprefix(POD), wanted.impairment, seed)

    def _counters(self, link: str) -> Counters:
        if link.startswith(POD):
            return self.ports.counters(link.removeprefix(POD)) if self.ports else Counters()
        found = self._underlay.links.get(link) if self._underlay is not None else None
        return found.counters if found is not None else Counters()


class _Port:
    """Both directions of a pod's link."""

    def __init__(self, address: str, seed: str) -> None:
        self.up: Link[Frame] = Link(_generator(seed, address, "up"))
        self.down: Link[Frame] = Link(_generator(seed, address, "down"))

    def set(self, address: str, impairment: Impairment, seed: str) -> None:
        self.up.draw_from(_generator(seed, address, "up"))
        self.down.draw_from(_generator(seed, address, "down"))
        self.up.impairment = self.down.impairment = impairment


class Ports:
    """Pods' links that are bad. Others cost a look into a dict."""

    def __init__(self, up: Deliver, down: Deliver) -> None:
        self._deliver = {"up": up, "down": down}
        self.bad: dict[str, _Port] = {}
        """By address."""
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        """When it goes off. (uvloop's handles of what is due at once do not tell.)"""

    def impair(self, address: str, impairment: Impairment, seed: str) -> None:
        """See `ImpairedUnderlay.impair`."""
        port = self.bad.get(address)
        if port is None:
            if not impairment:
                return
            port = self.bad[address] = _Port(address, seed)
        port.set(address, impairment, seed)
        self._sweep(address, port)
        self._arm()

    def counters(self, address: str) -> Counters:
        """Of both directions together."""
        port = self.bad.get(address)
        if port is None:
            return Counters()
        names = (field.name for field in dataclasses.fields(Counters))
        return Counters(*(
            getattr(port.up.counters, name) + getattr(port.down.counters, name) for name in names
        ))  # fmt: skip

    def offer(self, address: str, frames: Sequence[Frame], *, up: bool) -> list[Frame]:
        """What passes now, of frames that a pod sends or (not `up`) is sent; the rest is late."""
        port = self.bad[address]
        link = port.up if up else port.down
        now = asyncio.get_running_loop().time()
        passed: list[Frame] = []
        for frame in frames:
            whole = [Frame(data) for data in offload.cut(frame)] if frame.gso_size else [frame]
            for one in whole:
                passed += link.offer(now, one, len(one.data))
        self._arm()
        return passed

    def close(self) -> None:
        """Nothing more arrives."""
        if self._timer is not None:
            self._timer.cancel()
        self.bad.clear()

    def _arm(self) -> None:
        found = (
            link.deadline for port in self.bad.values() for link in (port.up, port.down)
        )  # fmt: skip
        due = min((one for one in found if one is not None), default=None)
        if self._timer is not None:
            if due is not None and self._due <= due:
                return
            self._timer.cancel()
            self._timer = None
        if due is not None:
            self._due = due
            self._timer = asyncio.get_running_loop().call_at(due, self._tick)

    def _tick(self) -> None:
        self._timer = None
        # A loop may call a little early, by its clock's resolution.
        now = max(asyncio.get_running_loop().time(), self._due)
        for address, port in list(self.bad.items()):
            for name, link in (("up", port.up), ("down", port.down)):
                due = link.tick(now)
                if due:
                    self._deliver[name](address, due)
            self._sweep(address, port)
        self._arm()

    def _sweep(self, address: str, port: _Port) -> None:
        idle = port.up.deadline is None and port.down.deadline is None
        if idle and not port.up.impairment:
            self.bad.pop(address, None)


def _generator(seed: str, address: str, way: str) -> randoms.Random:
    return randoms.Random(f"{seed}/{POD}{address}/{way}")  # noqa: S311  (repeats)
