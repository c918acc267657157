"""Sharing seats out: who runs now, who waits in which queue, who is turned away. Pure.

A request takes `width` seats of its priority level while it is carried out. Theory of operation:

- Every level has `guaranteed` seats that nobody can take from it. What is left of the server's
  seats may be used by every level up to its `ceiling`: so idle levels lend and busy ones borrow.
  The sum of what is in use or guaranteed never exceeds the server's seats, and therefore neither
  do the seats in use.
- Who finds no seat waits. A flow is dealt a hand of a level's queues (shuffle sharding) and waits
  in the shortest one, so that a flood fills few queues and another flow most likely has one
  without it.
- Queues take turns by start-time fair queuing: each has a virtual time, which a dispatch advances
  by the seats it took; the queue that is furthest behind goes next. A queue that was empty starts
  at the level's present time: idleness earns nothing.
- Whenever seats come free, waiting levels are served, those below their nominal share first.

kube-apiserver moves lent seats every ten seconds by past demand; here they move at once.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

_KEPT_QUEUES = 1024


@dataclass(frozen=True, slots=True)
class Limit:
    """What a level may use, in seats. `queues` 0: who finds no seat is turned away."""

    name: str
    nominal: int
    guaranteed: int
    ceiling: int
    queues: int = 0
    hand: int = 1
    length: int = 0
    exempt: bool = False


@dataclass(slots=True, eq=False)
class Waiting:
    """A request that waits. `given` once it may run."""

    level: "Level"
    queue: int
    width: int
    given: bool = False
    left: bool = False


@dataclass(slots=True, eq=False)
class _Queue:
    waiting: deque[Waiting] = field(default_factory=deque)
    virtual: int = 0
    width: int = 0


@dataclass(slots=True, eq=False)
class Level:
    """A priority level at work: seats `used`, and how many requests are `waiting`."""

    limit: Limit
    used: int = 0
    running: int = 0
    waiting: int = 0
    virtual: int = 0
    queues: dict[int, _Queue] = field(default_factory=dict)

    @property
    def held(self) -> int:
        """Seats that others cannot have: in use, or guaranteed. What is exempt takes none."""
        return 0 if self.limit.exempt else max(self.used, self.limit.guaranteed)

    @property
    def idle(self) -> bool:
        """Whether nobody runs or waits."""
        return not self.running and not self.waiting


class Dispatcher:
    """Shares `seats` between levels. Levels may change at any time."""

    def __init__(self) -> None:
        self.levels: dict[str, Level] = {}
        self.seats = 0
        self.held = 0
        self._leaving: list[Level] = []
        self._waiting = 0

    def configure(self, limits: Iterable[Limit], seats: int) -> Sequence[Waiting]:
        """Other levels, or other limits. Who may run because of that.

        Those whose level is gone keep what they have and are served as before, until none is left.
        """
        wanted = {limit.name: limit for limit in limits}
        for name in [name for name in self.levels if name not in wanted]:
            self._leaving.append(self.levels.pop(name))
        for name, limit in wanted.items():
            if name in self.levels:
                self.levels[name].limit = limit
            else:
                self.levels[name] = Level(limit)
        self._leaving = [level for level in self._leaving if not level.idle]
        for level in self._leaving:
            level.limit = _without_guarantee(level.limit)
        guaranteed = sum(
            level.limit.guaranteed for level in self.levels.values() if not level.limit.exempt
        )
        self.seats = max(seats, guaranteed)
        self.held = sum(level.held for level in self._all())
        return self._serve()

    def admit(self, level: Level, width: int) -> bool:
        """Take seats at once, where nobody waits for them."""
        limit = level.limit
        if limit.exempt:
            level.used += width
            level.running += 1
            return True
        if level.waiting or not self._fits(level, width):
            return False
        self._take(level, width)
        return True

    def wait(self, level: Level, flow: str, width: int) -> Waiting | None:
        """Wait for seats, which may be `given` at once; None: there is no queue or room in it."""
        limit = level.limit
        if not limit.queues:
            return None
        hand = deal(flow, limit.queues, limit.hand)
        number = min(hand, key=lambda number: (_width(level, number), number))
        queue = level.queues.get(number)
        if queue is None:
            queue = level.queues[number] = _Queue()
        if len(queue.waiting) >= limit.length:
            return None
        if not queue.waiting:
            queue.virtual = max(queue.virtual, level.virtual)
        found = Waiting(level, number, width)
        queue.waiting.append(found)
        queue.width += width
        level.waiting += 1
        self._waiting += 1
        self._serve()  # a wide one may have been next, and this one is before it and fits
        return found

    def leave(self, waiting: Waiting) -> Sequence[Waiting]:
        """Wait no longer, or not run though seats were given. Who may run because of that."""
        if waiting.left:
            return ()
        waiting.left = True
        level = waiting.level
        if waiting.given:
            return self.release(level, waiting.width)
        queue = level.queues[waiting.queue]
        queue.waiting.remove(waiting)
        queue.width -= waiting.width
        level.waiting -= 1
        self._waiting -= 1
        self._tidy(level, waiting.queue)
        return self._serve()  # it may have been in the way of a narrower one

    def release(self, level: Level, width: int) -> Sequence[Waiting]:
        """A request is done. Who may run because of that."""
        over = level.used - level.limit.guaranteed
        level.used -= width
        level.running -= 1
        if over > 0 and not level.limit.exempt:
            self.held -= min(width, over)
        return self._serve() if self._waiting else ()

    def _fits(self, level: Level, width: int) -> bool:
        limit = level.limit
        if limit.exempt:
            return True
        after = level.used + width
        if after <= limit.guaranteed:
            return True
        return after <= limit.ceiling and self.held - level.held + after <= self.seats

    def _take(self, level: Level, width: int) -> None:
        level.used += width
        level.running += 1
        over = level.used - level.limit.guaranteed
        if over > 0 and not level.limit.exempt:
            self.held += min(width, over)

    def _serve(self) -> list[Waiting]:
        """Give seats to those who wait, as long as there are any."""
        given: list[Waiting] = []
        while self._waiting:
            found = None
            for level in sorted((level for level in self._all() if level.waiting), key=_need):
                found = self._next(level)
                if found is not None:
                    break
            if found is None:
                return given
            given.append(found)
        return given

    def _next(self, level: Level) -> Waiting | None:
        """The next of a level's queues has its turn, if its first request fits."""
        number, queue = min(
            ((number, queue) for number, queue in level.queues.items() if queue.waiting),
            key=lambda item: (item[1].virtual, item[0]),
        )
        first = queue.waiting[0]
        if not self._fits(level, first.width):
            return None
        queue.waiting.popleft()
        queue.width -= first.width
        level.waiting -= 1
        self._waiting -= 1
        level.virtual = queue.virtual
        queue.virtual += first.width
        self._take(level, first.width)
        first.given = True
        self._tidy(level, number)
        return first

    def _tidy(self, level: Level, number: int) -> None:
        """Forget an empty queue that has no debt, or all of them where there are many."""
        queue = level.queues[number]
        if not queue.waiting and queue.virtual <= level.virtual:
            del level.queues[number]
        if len(level.queues) > _KEPT_QUEUES:
            level.queues = {n: queue for n, queue in level.queues.items() if queue.waiting}

    def _all(self) -> Iterable[Level]:
        yield from self.levels.values()
        yield from self._leaving


def deal(flow: str, queues: int, hand: int) -> list[int]:
    """The hand of a flow: `hand` different queues of `queues`, the same for the same flow."""
    entropy = int.from_bytes(blake2b(flow.encode(errors="replace"), digest_size=16).digest(), "big")
    left: dict[int, int] = {}  # a shuffled deck, as far as it differs from one in order
    dealt = []
    for turn in range(min(hand, queues)):
        entropy, pick = divmod(entropy, queues - turn)
        dealt.append(left.get(pick, pick))
        last = queues - turn - 1
        left[pick] = left.get(last, last)
    return dealt


def _width(level: Level, number: int) -> int:
    queue = level.queues.get(number)
    return queue.width if queue is not None else 0


def _need(level: Level) -> tuple[bool, float]:
    """Levels below their nominal share first, the emptiest of them first."""
    nominal = level.limit.nominal
    return level.used >= nominal, level.used / nominal if nominal else 1.0


def _without_guarantee(limit: Limit) -> Limit:
    return Limit(
        limit.name, limit.nominal, 0, limit.ceiling, limit.queues, limit.hand, limit.length,
        limit.exempt,
    )  # fmt: skip
