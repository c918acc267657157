"""Channels (PUBLISH and SUBSCRIBE), keys that are watched, and who waits for lists. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cluster.runtime.emulated.redis import glob
from cluster.runtime.emulated.redis.resp import Fault, Push

if TYPE_CHECKING:
    from cluster.runtime.emulated.redis.commands.command import Call
    from cluster.runtime.emulated.redis.session import Session

MAX_JOINED: Final = 1024
MAX_WATCHED: Final = 1024


class Channels:
    """Who listens to which channel, in the order in which they came."""

    def __init__(self) -> None:
        self._exact: dict[bytes, dict[Session, None]] = {}
        self._patterns: dict[bytes, dict[Session, None]] = {}

    def join(self, session: "Session", name: bytes, *, pattern: bool) -> None:
        """Have a session hear of a channel. Fault where it hears of too many."""
        if session.subscribed >= MAX_JOINED:
            raise Fault("ERR too many subscriptions")
        mine = session.patterns if pattern else session.joined
        mine[name] = None
        (self._patterns if pattern else self._exact).setdefault(name, {})[session] = None

    def leave(self, session: "Session", name: bytes, *, pattern: bool) -> None:
        """Take that back."""
        (session.patterns if pattern else session.joined).pop(name, None)
        every = self._patterns if pattern else self._exact
        listeners = every.get(name, {})
        listeners.pop(session, None)
        if not listeners:
            every.pop(name, None)

    def leave_all(self, session: "Session") -> None:
        """A session ends."""
        for name in list(session.joined):
            self.leave(session, name, pattern=False)
        for name in list(session.patterns):
            self.leave(session, name, pattern=True)

    def publish(self, name: bytes, message: bytes) -> int:
        """Tell who listens; how many that were."""
        heard = 0
        for session in list(self._exact.get(name, ())):
            session.push(Push([b"message", name, message]))
            heard += 1
        for pattern, sessions in list(self._patterns.items()):
            if glob.matches(pattern, name):
                for session in list(sessions):
                    session.push(Push([b"pmessage", pattern, name, message]))
                    heard += 1
        return heard

    def names(self, pattern: bytes) -> list[bytes]:
        """Channels that somebody listens to."""
        return [name for name in self._exact if glob.matches(pattern, name)]

    def count(self, name: bytes) -> int:
        """How many listen to a channel by its name."""
        return len(self._exact.get(name, ()))

    def patterns(self) -> int:
        """How many patterns somebody listens to."""
        return len(self._patterns)


class Watching:
    """Keys that transactions depend on (WATCH)."""

    def __init__(self) -> None:
        self._by_key: dict[tuple[int, bytes], dict[Session, None]] = {}

    def add(self, session: "Session", number: int, key: bytes) -> None:
        """Watch a key for a session. Fault."""
        if len(session.watched) >= MAX_WATCHED:
            raise Fault("ERR too many watched keys")
        session.watched[number, key] = None
        self._by_key.setdefault((number, key), {})[session] = None

    def drop(self, session: "Session") -> None:
        """Watch nothing for it any more."""
        for place in session.watched:
            sessions = self._by_key.get(place, {})
            sessions.pop(session, None)
            if not sessions:
                self._by_key.pop(place, None)
        session.watched.clear()
        session.dirty = False

    def changed(self, number: int, key: bytes) -> None:
        """A key was changed."""
        if self._by_key:
            for session in self._by_key.get((number, key), ()):
                session.dirty = True


@dataclass(slots=True, eq=False)
class Waiter:
    """A session that waits until one of its keys holds a list, at most to `until` (milliseconds;
    None: for ever)."""

    call: "Call"
    keys: list[tuple[int, bytes]]
    until: int | None
    attempt: Callable[[], Any]
    nothing: Any


class Waiting:
    """Who waits for lists, in the order in which they came."""

    def __init__(self) -> None:
        self._waiters: dict[Session, Waiter] = {}
        self._by_key: dict[tuple[int, bytes], dict[Waiter, None]] = {}
        self._woken: dict[tuple[int, bytes], None] = {}

    def __len__(self) -> int:
        return len(self._waiters)

    def begin(
        self,
        call: "Call",
        keys: list[bytes],
        seconds: float,
        attempt: Callable[[], Any],
        nothing: Any,
    ) -> Any:
        """Have the session of a call wait; what its command answers now (nothing)."""
        until = call.now + int(seconds * 1000) if seconds else None
        places = [(call.db.number, key) for key in keys]
        waiter = Waiter(call, places, until, attempt, nothing)
        self._waiters[call.session] = waiter
        for place in places:
            self._by_key.setdefault(place, {})[waiter] = None
        call.session.waiting = True
        return call.session.SAID

    def end(self, session: "Session") -> Waiter | None:
        """It waits no more."""
        waiter = self._waiters.pop(session, None)
        session.waiting = False
        for place in waiter.keys if waiter else ():
            others = self._by_key.get(place, {})
            others.pop(waiter, None)  # type: ignore[arg-type]  # there is one
            if not others:
                self._by_key.pop(place, None)
        return waiter

    def changed(self, number: int, key: bytes) -> None:
        """A key was changed: who waits for it is asked again after the command."""
        if self._by_key and (number, key) in self._by_key:
            self._woken[number, key] = None

    def woken(self) -> Waiter | None:
        """The next who waits for a key that was changed."""
        while self._woken:
            place = next(iter(self._woken))
            found = next(iter(self._by_key.get(place, ())), None)
            if found is not None:
                return found
            del self._woken[place]
        return None

    def served(self, waiter: Waiter, *, found: bool) -> None:
        """Whether there was something for one that was woken."""
        if found:
            self.end(waiter.call.session)
            return
        for place in waiter.keys:
            self._woken.pop(place, None)

    def next_due(self) -> int | None:
        """When the first has waited long enough, in milliseconds."""
        return min(
            (one.until for one in self._waiters.values() if one.until is not None), default=None
        )

    def due(self, now: int) -> list[Waiter]:
        """Those who have."""
        return [one for one in self._waiters.values() if one.until is not None and one.until <= now]
