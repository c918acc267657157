"""The server without its sockets: sessions, data, memory, saving, followers. Pure.

Whatever it wants of the world (send, save, follow, end) it asks of its `host`.
"""

import random
from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeVar

from cluster.runtime.emulated.redis import info, rdb, resp
from cluster.runtime.emulated.redis.channels import Channels, Waiting, Watching
from cluster.runtime.emulated.redis.commands import COMMANDS
from cluster.runtime.emulated.redis.commands.command import Call
from cluster.runtime.emulated.redis.database import DATABASES, Database
from cluster.runtime.emulated.redis.resp import Fault
from cluster.runtime.emulated.redis.session import Session
from cluster.runtime.emulated.redis.settings import Settings

MOST: Final = 48 << 20
"""Bytes of data that an emulated server takes at most, whatever `maxmemory` says."""
MAX_CLIENTS: Final = 256
_MOST_CHOSEN: Final = 100_000
T = TypeVar("T")


class Host(Protocol):
    """What the engine wants of the world."""

    def now(self) -> int:
        """Milliseconds since the epoch."""

    def log(self, text: str, level: str = "*") -> None:
        """Write a line of the log."""

    def store(self, data: bytes) -> bool:
        """Write the dump; whether that worked."""

    def changed(self) -> None:
        """Data were changed: they are to be saved some time (`Engine.save_points`)."""

    async def flush(self) -> None:
        """Write out what was logged."""

    def follow(self) -> None:
        """Follow another leader, or none (`Settings.leader`)."""

    def end(self) -> None:
        """End the server."""


class Engine:
    """See the module."""

    def __init__(self, settings: Settings, host: Host, chance: random.Random, version: str) -> None:
        self.settings = settings
        self.host = host
        self.random = chance
        self.version = version
        self.commands = COMMANDS
        self.config_file = ""
        self.run_id = f"{chance.getrandbits(160):040x}"
        self.started = host.now()
        self.sessions: dict[int, Session] = {}
        self.followers: dict[Session, None] = {}
        self.channels = Channels()
        self.watching = Watching()
        self.waiting = Waiting()
        self.databases = [Database(self._on_change, number) for number in range(DATABASES)]
        self.dirty = 0
        """Changes since data were saved."""
        self.saved_at = self.started
        self.save_worked = True
        self.offset = self.sessions_seen = self.commands_done = self.evicted = self.peak = 0
        self.linked = False
        """Whether the leader is there that it follows."""
        self.applying = False
        self._told = 0
        self.configured()

    # ---- sessions ----------------------------------------------------------------------------

    def connect(self, address: str, wake: Callable[[], None]) -> Session | None:
        """A client came; None where there are too many."""
        most = min(int(self.settings["maxclients"]), MAX_CLIENTS)
        if len(self.sessions) >= most:
            return None
        self.sessions_seen += 1
        session = Session(self, self.sessions_seen, address, wake)
        self.sessions[session.id] = session
        return session

    def gone(self, session: Session) -> None:
        """A client went."""
        self.waiting.end(session)
        session.reset()
        self.sessions.pop(session.id, None)
        self.followers.pop(session, None)

    def now(self) -> int:
        """Milliseconds since the epoch."""
        return self.host.now()

    def begin(self, number: int) -> int:
        """A command begins; what time it is."""
        now = self.host.now()
        for db in self.databases:
            db.now = now
        self.databases[number].lapse()
        self.commands_done += 1
        return now

    def settle(self) -> None:
        """A command is over: serve those who waited for what it did."""
        while (waiter := self.waiting.woken()) is not None:
            call, session = waiter.call, waiter.call.session
            call.now = self.begin(call.db.number)
            call.sent = None
            try:
                reply = waiter.attempt()
            except Fault as fault:
                reply = fault
            found = reply is not waiter.nothing
            self.waiting.served(waiter, found=found)
            if found:
                self.tell(call.db.number, call, call.args)
                session.answer(reply)
                session.wake()

    def lapse(self) -> int | None:
        """Answer those who have waited long enough; in how many milliseconds the next has."""
        now = self.host.now()
        for waiter in self.waiting.due(now):
            session = waiter.call.session
            self.waiting.end(session)
            session.answer(waiter.nothing)
            session.wake()
        due = self.waiting.next_due()
        return None if due is None else max(due - now, 1)

    # ---- data --------------------------------------------------------------------------------

    def database(self, number: int) -> Database:
        """A database. Fault."""
        if not 0 <= number < min(DATABASES, int(self.settings["databases"])):
            raise Fault("ERR DB index is out of range")
        return self.databases[number]

    @property
    def used(self) -> int:
        """Bytes that the data take."""
        return sum(db.used for db in self.databases)

    @property
    def read_only(self) -> bool:
        """Whether clients may change nothing."""
        follows = self.settings.leader() is not None
        return follows and not self.applying and self.settings["replica-read-only"] == "yes"

    def make_room(self) -> bool:
        """Evict until there is room for more, as `maxmemory-policy` says; whether there is."""
        told = int(self.settings["maxmemory"])
        most = min(max(told - info.BASE, 1), MOST) if told else MOST
        used = self.used
        self.peak = max(self.peak, used + info.BASE)
        if used < most:
            return True
        for db in self.databases:
            db.count()
        policy = self.settings["maxmemory-policy"]
        while self.used >= most:
            if policy == "noeviction" or not self._evict(policy):
                return False
        return True

    def _evict(self, policy: str) -> bool:
        fullest = max(self.databases, key=lambda db: (db.used, -db.number))
        gone = any(db.evict(policy, self.random) for db in (fullest, *self.databases))
        self.evicted += gone
        return gone

    def chosen(self, values: Sequence[T], count: int) -> list[T]:
        """`count` of the values by chance: different ones, or where it is negative any. Fault."""
        if count < 0:
            if -count > _MOST_CHOSEN:
                raise Fault("ERR value is out of range")
            return [self.random.choice(values) for _ in range(-count)] if values else []
        if count >= len(values):
            return list(values)
        return self.random.sample(values, count)

    def configured(self) -> None:
        """Settings were changed."""
        by_use = self.settings["maxmemory-policy"].endswith(("lru", "lfu"))
        for db in self.databases:
            db.by_use = by_use

    def _on_change(self, db: Database, key: bytes) -> None:
        self.dirty += 1
        self.watching.changed(db.number, key)
        self.waiting.changed(db.number, key)

    # ---- saving ------------------------------------------------------------------------------

    def save(self) -> None:
        """Save now. Fault."""
        now = self.host.now()
        for db in self.databases:
            db.now = now
            db.lapse_all()
        self.save_worked = self.host.store(rdb.dump(self.databases, self.version, now))
        if not self.save_worked:
            raise Fault("ERR")
        self.dirty = 0
        self.saved_at = now

    def load(self, data: bytes) -> int:
        """Begin with what was saved; how many keys. rdb.Unreadable: then nothing is there."""
        for db in self.databases:
            db.clear()
        try:
            return rdb.load(data, self.databases, self.host.now())
        finally:
            self.dirty = 0

    def next_save(self) -> int | None:
        """In how many milliseconds data are to be saved; None where nothing is to be."""
        if not self.dirty:
            return None
        since = self.host.now() - self.saved_at
        due = [
            s * 1000 - since for s, changes in self.settings.save_points() if self.dirty >= changes
        ]
        # One who has much to save is not always at it.
        least = self.used >> 10
        return max(min(due), least, 0) if due else None

    def shut_down(self, *, save: bool | None) -> None:
        """End; `save` None: where it is configured."""
        if save or (save is None and self.settings.save_points()):
            self.host.log("Saving the final RDB snapshot before exiting.")
            self.save()
        self.host.end()

    # ---- leading and following ---------------------------------------------------------------

    def tell(self, number: int, call: Call, args: list[bytes]) -> None:
        """Tell followers of a command, and the host that there is something to save."""
        if self.dirty:
            self.host.changed()
        if not self.followers:
            return
        sent = [[call.name.encode(), *args]] if call.sent is None else call.sent
        data = b"".join(resp.command(one) for one in sent)
        if data and number != self._told:
            self._told = number
            data = resp.command([b"SELECT", b"%d" % number]) + data
        self.offset += len(data)
        for follower in list(self.followers):
            follower.raw(data)

    def lead(self, session: Session) -> object:
        """Have a session follow from now on: all data, then every change. Fault."""
        self.host.log(f"Replica {session.address} asks for synchronization")
        data = rdb.dump(self.databases, self.version, self.host.now())
        head = f"+FULLRESYNC {self.run_id} {self.offset}\r\n${len(data)}\r\n".encode()
        if not self.followers:
            self._told = -1
        session.send(head + data + self._selected())
        session.follower = True
        self.followers[session] = None
        self.host.log(f"Synchronization with replica {session.address} succeeded")
        return session.SAID

    def _selected(self) -> bytes:
        number = max(self._told, 0)
        self._told = number
        return resp.command([b"SELECT", b"%d" % number])

    def follow(self, host: str, port: int) -> None:
        """Follow a leader, or with "" none."""
        self.settings.replica_of(host, str(port))
        self.linked = False
        self.host.follow()
        if not host:
            self.host.log("MASTER MODE enabled (user request)")
