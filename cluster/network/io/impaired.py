"""An underlay whose links are bad on purpose: what one machine sends to others.

Each machine impairs what it sends, so a link that is bad both ways is told to both ends. Links
without an impairment cost one look into a dict.
"""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence

from cluster.network.stack import impair
from cluster.network.stack.impair import Impairment, Link
from cluster.network.underlay import Address, Endpoint, Receive, ReceiveTrain, Underlay
from cluster.network.wire.trains import Train

_HEADERS = 42
"""Bytes of Ethernet, IPv4 and UDP around a datagram, which take their share of a rate."""

_Datagram = tuple["_ImpairedEndpoint", bytes, Address]


def _host(address: Address) -> str:
    return address.host


class ImpairedUnderlay:
    """Another underlay, with impairments. See `underlay.Underlay`.

    A link is named by `link_of` the address that is sent to: by default its host, so that all
    sockets of a machine share it. Each link draws from a generator of its own, seeded by `seed` and
    its name.
    """

    def __init__(
        self, inner: Underlay, seed: str, *, link_of: Callable[[Address], str] = _host
    ) -> None:
        self._inner = inner
        self._seed = seed
        self._link_of = link_of
        self._links: dict[str, Link[_Datagram]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        """When it goes off. (uvloop's handles of what is due at once do not tell.)"""

    async def bind(self, address: Address, receive: Receive) -> Endpoint:
        """See `Underlay.bind`."""
        return _ImpairedEndpoint(self, await self._inner.bind(address, receive))

    async def bind_trains(self, address: Address, receive: ReceiveTrain) -> Endpoint:
        """See `Underlay.bind_trains`."""
        return _ImpairedEndpoint(self, await self._inner.bind_trains(address, receive))

    def impair(self, link: str, impairment: Impairment, seed: str | None = None) -> None:
        """From now on, what goes to `link` fares so; `impair.NONE` heals it.

        What is under way on a link that heals still arrives when it was to. With `seed` its chance
        begins anew by this seed and its name, in place of the seed of all links.
        """
        if not impairment:
            found = self._links.get(link)
            if found is not None:
                found.impairment = impair.NONE
                self._forget(link, found)
            return
        if link not in self._links or seed is not None:
            by = self._seed if seed is None else seed
            generator = random.Random(f"{by}/{link}")  # noqa: S311
            self._links.setdefault(link, Link(generator)).draw_from(generator)
        self._links[link].impairment = impairment
        self._arm()

    @property
    def links(self) -> Mapping[str, Link[_Datagram]]:
        """Links that are impaired, or have something under way."""
        return self._links

    def bad(self, to: Address) -> Link[_Datagram] | None:
        """The link to an address, where it is impaired."""
        return self._links.get(self._link_of(to)) if self._links else None

    def offer(self, link: Link[_Datagram], datagram: _Datagram) -> None:
        """Send a datagram over a link that is impaired."""
        now = asyncio.get_running_loop().time()
        for endpoint, data, to in link.offer(now, datagram, len(datagram[1]) + _HEADERS):
            endpoint.pass_on(data, to)
        self._arm()

    def _arm(self) -> None:
        """Have the timer go off when the first datagram is due."""
        deadlines = [link.deadline for link in self._links.values() if link.deadline is not None]
        due = min(deadlines, default=None)
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
        for name, link in list(self._links.items()):
            for endpoint, data, to in link.tick(now):
                endpoint.pass_on(data, to)
            self._forget(name, link)
        self._arm()

    def _forget(self, name: str, link: Link[_Datagram]) -> None:
        if not link.impairment and link.deadline is None:
            del self._links[name]


class _ImpairedEndpoint:
    def __init__(self, wire: ImpairedUnderlay, inner: Endpoint) -> None:
        self._wire = wire
        self._inner = inner
        self._closed = False

    @property
    def address(self) -> Address:
        return self._inner.address

    def send(self, data: bytes, to: Address) -> None:
        link = self._wire.bad(to)
        if link is None:
            self._inner.send(data, to)
        else:
            self._wire.offer(link, (self, data, to))

    def send_many(self, datagrams: Sequence[bytes | Train], to: Address) -> None:
        if self._wire.bad(to) is None:
            self._inner.send_many(datagrams, to)
            return
        for data in datagrams:
            if isinstance(data, Train):
                self.send_train(data, to)
            else:
                self.send(data, to)

    def send_train(self, train: Train, to: Address) -> None:
        if self._wire.bad(to) is None:
            self._inner.send_train(train, to)
            return
        for data in train.pieces:
            self.send(data, to)

    def pass_on(self, data: bytes, to: Address) -> None:
        """Send what made it over its link."""
        if not self._closed:
            self._inner.send(data, to)

    @property
    def dropped(self) -> int:
        """What the endpoint beneath counts of datagrams that it was too slow for."""
        return int(getattr(self._inner, "dropped", 0))

    def close(self) -> None:
        self._closed = True
        self._inner.close()
