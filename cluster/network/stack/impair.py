"""A bad link, as `tc qdisc add … netem` makes one: late, lossy, out of order, slow, or cut.

One `Link` is one direction. What is offered passes at once, later (`deadline`, `tick`), twice, or
never. Chance comes from the generator that it is given: the same seed, the same fate.
"""

import heapq
import random
from dataclasses import dataclass, fields
from typing import Generic, TypeVar

T = TypeVar("T")
_BEHIND = 0.001
"""Seconds that a packet falls behind to be out of order on a link without delay."""


@dataclass(frozen=True, slots=True)
class Impairment:
    """What a link does to packets. Shares are between 0 and 1, times in seconds."""

    delay: float = 0.0
    jitter: float = 0.0
    """Each packet's delay is drawn from delay ± jitter, which may put packets out of order."""
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    """The share that overtakes: it has no delay. On a link without delay it falls behind."""
    rate: float = 0.0
    """Bits a second; 0: without limit."""
    limit: int = 1000
    """Packets that wait at most; more are lost."""
    cut: bool = False
    """Nothing passes, what is under way included."""

    def __post_init__(self) -> None:
        for name in ("loss", "duplicate", "reorder"):
            share = getattr(self, name)
            if not 0 <= share <= 1:
                raise ValueError(f"{name} is a share between 0 and 1, not {share}")
        for name in ("delay", "jitter", "rate"):
            value = getattr(self, name)
            if not 0 <= value < float("inf"):
                raise ValueError(f"{name} must not be negative or endless, and is {value}")
        if self.limit < 1:
            raise ValueError(f"limit is a number of packets, one at least, not {self.limit}")

    def __bool__(self) -> bool:
        """Whether it does anything."""
        return any(getattr(self, field.name) for field in fields(self) if field.name != "limit")


NONE = Impairment()


@dataclass(slots=True)
class Counters:
    """What a link did, in packets."""

    passed: int = 0
    lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    overflowed: int = 0
    """Lost, for too many waited."""
    cut: int = 0
    """Lost, for the link was cut."""


class Link(Generic[T]):
    """One direction of a link, for packets of any kind."""

    def __init__(self, generator: random.Random, impairment: Impairment = NONE) -> None:
        self._random = generator
        self._impairment = impairment
        self._waiting: list[tuple[float, int, T]] = []
        self._number = 0
        self._free = 0.0
        """When the link has sent everything that its rate had to be waited for."""
        self.counters = Counters()

    def draw_from(self, generator: random.Random) -> None:
        """From now on chance comes from here."""
        self._random = generator

    @property
    def impairment(self) -> Impairment:
        """What it does."""
        return self._impairment

    @impairment.setter
    def impairment(self, impairment: Impairment) -> None:
        self._impairment = impairment
        if impairment.cut:
            self.counters.cut += len(self._waiting)
            self._waiting.clear()

    def offer(self, now: float, packet: T, size: int) -> list[T]:
        """What passes now, of one packet of `size` bytes that comes to the link."""
        how = self._impairment
        if how.cut:
            self.counters.cut += 1
            return []
        copies = 1
        if how.duplicate and self._random.random() < how.duplicate:
            self.counters.duplicated += 1
            copies = 2
        if how.loss and self._random.random() < how.loss:
            self.counters.lost += 1
            copies -= 1
        return [packet for _ in range(copies) if self._sent(now, packet, size)]

    def _sent(self, now: float, packet: T, size: int) -> bool:
        """Whether a packet passes now; otherwise it waits, or is lost."""
        due = self._due(now, size)
        if due <= now and not (self._waiting and self._waiting[0][0] <= now):
            self.counters.passed += 1
            return True
        if len(self._waiting) >= self._impairment.limit:
            self.counters.overflowed += 1
            return False
        self._number += 1
        heapq.heappush(self._waiting, (due, self._number, packet))
        return False

    def _due(self, now: float, size: int) -> float:
        how = self._impairment
        wait = how.delay
        if how.jitter:
            wait = max(0.0, wait + self._random.uniform(-how.jitter, how.jitter))
        if how.reorder and self._random.random() < how.reorder:
            self.counters.reordered += 1
            wait = 0.0 if how.delay else _BEHIND
        if how.rate:
            if len(self._waiting) < how.limit:
                self._free = max(self._free, now) + size * 8 / how.rate
            return self._free + wait
        return now + wait

    @property
    def deadline(self) -> float | None:
        """When the next packet is due."""
        return self._waiting[0][0] if self._waiting else None

    def tick(self, now: float) -> list[T]:
        """The packets that are due."""
        due: list[T] = []
        while self._waiting and self._waiting[0][0] <= now:
            due.append(heapq.heappop(self._waiting)[2])
        self.counters.passed += len(due)
        return due
