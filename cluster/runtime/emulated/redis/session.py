"""One client's connection: requests in, replies out. Sans-IO.

session.receive(data)           # bytes of the client
while session.step(now): ...    # carries out one request
session.take()                  # bytes for the client
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from cluster.runtime.emulated.redis import resp
from cluster.runtime.emulated.redis.commands import COMMANDS, NOT_BUILT
from cluster.runtime.emulated.redis.commands.command import Call, Command
from cluster.runtime.emulated.redis.resp import NIL_ARRAY, Fault, Status

if TYPE_CHECKING:
    from cluster.runtime.emulated.redis.engine import Engine

MAX_BEHIND: Final = 8 << 20
"""Bytes of messages and of replication that a client may leave unread (Redis has 32 MB)."""
MAX_REPLY: Final = 64 << 20
MAX_QUEUE: Final = 16 << 20
"""Bytes of commands in a transaction."""
_NO_AUTH: Final = "NOAUTH Authentication required."
_SUBSCRIBED: Final = (
    "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are "
    "allowed in this context"
)


class _Said:
    """A command has answered itself, or will."""


class Session:
    """See the module. `wake` is called when there is something to send, or nobody to answer any
    more, without a request of the client's own."""

    SAID: Final = _Said()

    def __init__(
        self, engine: "Engine", number: int, address: str, wake: Callable[[], None]
    ) -> None:
        self.engine = engine
        self.id = number
        self.address = address
        self.port = 0
        """Where a follower listens itself."""
        self.wake = wake
        self.closing = False
        self.waiting = False
        self.follower = False
        self.begun = engine.now()
        self.watched: dict[tuple[int, bytes], None] = {}
        self.joined: dict[bytes, None] = {}
        self.patterns: dict[bytes, None] = {}
        self._requests = resp.Requests()
        self._out = bytearray()
        self.reset()

    def reset(self) -> None:
        """As it began (RESET)."""
        self.engine.watching.drop(self)
        self.engine.channels.leave_all(self)
        self.protocol = 2
        self.number = 0
        self.name = b""
        self.queue: list[tuple[Command, list[bytes]]] | None = None
        self._queued = 0
        self._broken = False
        self.dirty = False
        """Whether a key was changed that it watched."""
        self.in_transaction = False
        self.allowed = not self.engine.settings["requirepass"]

    @property
    def subscribed(self) -> int:
        """How many channels and patterns it listens to."""
        return len(self.joined) + len(self.patterns)

    @property
    def behind(self) -> int:
        """Bytes that wait to be sent."""
        return len(self._out)

    def receive(self, data: bytes) -> None:
        """Take bytes of the client; one that sends much while it waits is cut off."""
        self._requests.feed(data)
        if self.waiting and self._requests.size > MAX_QUEUE:
            self.closing = True

    def take(self) -> bytes:
        """What is to be sent."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def step(self) -> bool:
        """Carry out a request; False where there is none, or it has to wait."""
        if self.closing or self.waiting:
            return False
        try:
            args = self._requests.next()
        except resp.Malformed as bad:
            self._out += resp.encode(Fault(str(bad)))
            self.closing = True
            return False
        if args is None:
            return False
        self.answer(self._dispatched(args))
        self.engine.settle()
        return True

    def answer(self, reply: Any) -> None:
        """Send a reply."""
        if reply is self.SAID or self.follower:
            return
        if isinstance(reply, list) and resp.weight(reply) > MAX_REPLY:
            reply = Fault("ERR the reply is too big")
        self._out += resp.encode(reply, self.protocol)

    def send(self, data: bytes) -> None:
        """Send bytes that are part of an answer."""
        self._out += data

    def push(self, message: Any) -> None:
        """Send what was not asked for; who does not read it in time is cut off."""
        self.raw(resp.encode(message, self.protocol))

    def raw(self, data: bytes) -> None:
        """The same, as bytes."""
        if self.closing:
            return
        if len(self._out) + len(data) > MAX_BEHIND and self._out:
            self.closing = True
            self._out.clear()
        else:
            self._out += data
        self.wake()

    def describe(self, now: int) -> str:
        """A line of CLIENT LIST."""
        flags = "S" if self.follower else "P" if self.subscribed else "N"
        return (
            f"id={self.id} addr={self.address} name={self.name.decode(errors='replace')} "
            f"age={(now - self.begun) // 1000} flags={flags} db={self.number} "
            f"sub={len(self.joined)} psub={len(self.patterns)} "
            f"multi={-1 if self.queue is None else len(self.queue)} resp={self.protocol}\n"
        )

    # ---- requests ----------------------------------------------------------------------------

    def _dispatched(self, args: list[bytes]) -> Any:
        try:
            command = self._command(args)
        except Fault as fault:
            self._broken = self._broken or self.queue is not None
            return fault
        if self.queue is not None and not command.at_once:
            return self._kept(self.queue, command, args[1:])
        return self.run(command, args[1:])

    def _command(self, args: list[bytes]) -> Command:
        """The command that is called, if it may be. Fault."""
        name = args[0].decode(errors="replace").lower()
        found = COMMANDS.get(name)
        shown = name[:128]
        if found is None:
            if not self.allowed:
                raise Fault(_NO_AUTH)
            raise Fault(
                _unknown(args)
                if name not in NOT_BUILT.split()
                else f"ERR {shown.upper()} is not emulated"
            )
        arity = len(args)
        if arity != found.arity if found.arity > 0 else arity < -found.arity:
            raise Fault(f"ERR wrong number of arguments for '{shown}' command")
        if not self.allowed and not found.open:
            raise Fault(_NO_AUTH)
        if self.subscribed and self.protocol == 2 and not found.listening:
            raise Fault(_SUBSCRIBED.format(shown))
        if found.write and self.engine.read_only:
            raise Fault("READONLY You can't write against a read only replica.")
        return found

    def _kept(
        self, queue: list[tuple[Command, list[bytes]]], command: Command, args: list[bytes]
    ) -> Any:
        if command.listening and command.name != "ping":
            self._broken = True
            return Fault(f"ERR {command.name.upper()} is not emulated inside MULTI")
        self._queued += sum(map(len, args)) + 64
        if self._queued > MAX_QUEUE:
            self._broken = True
            return Fault("ERR the transaction is too big")
        queue.append((command, args))
        return Status("QUEUED")

    def run(self, command: Command, args: list[bytes]) -> Any:
        """Carry a command out; its reply."""
        engine = self.engine
        now = engine.begin(self.number)
        if command.grows and not engine.make_room():
            return Fault("OOM command not allowed when used memory > 'maxmemory'.")
        before = engine.dirty
        call = Call(command.name, args, engine.databases[self.number], self, engine, now)
        try:
            reply = command.body(call)
        except Fault as fault:
            reply = fault
        if engine.dirty != before or call.sent:
            engine.tell(self.number, call, args)
        return reply

    # ---- transactions ------------------------------------------------------------------------

    def end_transaction(self) -> None:
        """Forget what was queued, and what is watched."""
        self.queue = None
        self._queued = 0
        self._broken = False
        self.engine.watching.drop(self)

    def carry_out(self) -> Any:
        """EXEC. Fault."""
        queue, broken = self.queue, self._broken
        if queue is None:
            raise Fault("ERR EXEC without MULTI")
        for number, key in list(self.watched):
            self.engine.begin(number)
            self.engine.databases[number].has(key)
        dirty = self.dirty
        self.end_transaction()
        if broken:
            raise Fault("EXECABORT Transaction discarded because of previous errors.")
        if dirty:
            return NIL_ARRAY
        self.in_transaction = True
        try:
            return [self.run(command, args) for command, args in queue]
        finally:
            self.in_transaction = False


def _unknown(args: list[bytes]) -> str:
    name = args[0].decode(errors="replace")[:128]
    shown = "".join(f"'{one[:128].decode(errors='replace')}' " for one in args[1:10])
    return f"ERR unknown command '{name}', with args beginning with: {shown[:256]}"
