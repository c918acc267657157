"""Memcached: the text protocol, with expiry, a bound and eviction of what was used least lately.

`Store` and `Session` are sans-IO. Source: memcached's doc/protocol.txt.
"""

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from cluster.runtime.emulated import serving
from cluster.runtime.emulated.databases import entrypoints
from cluster.runtime.emulated.image import Image
from cluster.runtime.vos.kernel import Call
from cluster.runtime.vos.sockets import Stream

PORT: Final = 11211
VERSION: Final = "1.6.32"
_MOST: Final = 64 << 20
"""-m: megabytes of data; an emulated server takes no more."""
_ITEM: Final = 1 << 20
_LINE: Final = 2048
_ANSWER: Final = 4 << 20
"""Bytes that are gathered for one get at most; a real server streams them."""
_EACH: Final = 56
_MONTH: Final = 60 * 60 * 24 * 30
"""Times of expiry up to this are counted from now."""
_KEY: Final = re.compile(rb"[\x21-\x7e\x80-\xff]{1,250}")


@dataclass(slots=True)
class Item:
    """A value."""

    data: bytes
    flags: int
    expires: float
    unique: int


class Store:
    """Items by key, those that were used last at the end."""

    def __init__(self, now: Callable[[], float], most: int = _MOST) -> None:
        self._now = now
        self._most = most
        self._items: dict[bytes, Item] = {}
        self.bytes = self.evictions = self.total = self._unique = 0
        self.counts = dict.fromkeys(("cmd_get", "cmd_set", "get_hits", "get_misses"), 0)

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: bytes) -> Item | None:
        """An item that is there; it is used by that."""
        found = self._items.pop(key, None)
        if found is None:
            return None
        if found.expires and found.expires <= self._now():
            self.bytes -= len(found.data) + len(key) + _EACH
            return None
        self._items[key] = found
        return found

    def put(self, key: bytes, data: bytes, flags: int, expires: float) -> None:
        """Keep an item; older ones go where there is no room."""
        self.drop(key)
        self._unique += 1
        self.total += 1
        self._items[key] = Item(data, flags, expires, self._unique)
        self.bytes += len(data) + len(key) + _EACH
        while self.bytes > self._most:
            self.evictions += 1
            self.drop(next(iter(self._items)))

    def drop(self, key: bytes) -> bool:
        """Forget an item; whether it was there."""
        found = self._items.pop(key, None)
        if found is not None:
            self.bytes -= len(found.data) + len(key) + _EACH
        return found is not None

    def clear(self) -> None:
        """Forget all."""
        self._items.clear()
        self.bytes = 0

    def when(self, told: int) -> float:
        """When an item expires that is to expire at `told`; 0: never."""
        if told < 0:
            return self._now() - 1
        return 0.0 if told == 0 else self._now() + told if told <= _MONTH else float(told)


class Session:
    """One client. `closed`: it is to be hung up."""

    def __init__(self, store: Store, stats: Callable[[], dict[str, str]]) -> None:
        self._store = store
        self._stats = stats
        self._data = bytearray()
        self._waiting: tuple[list[bytes], int] | None = None
        self.closed = False

    def receive(self, data: bytes) -> None:
        """Take bytes of the client."""
        self._data += data

    def step(self) -> bytes | None:
        """Carry out one command; what is answered, None where more has to come."""
        if self.closed:
            return None
        if self._waiting is not None:
            words, size = self._waiting
            if len(self._data) < size + 2:
                return None
            block = bytes(self._data[: size + 2])
            del self._data[: size + 2]
            self._waiting = None
            if not block.endswith(b"\r\n"):
                return b"CLIENT_ERROR bad data chunk\r\n"
            return self._quiet(words, self._store_one(words, block[:-2]))
        end = self._data.find(b"\n")
        if end < 0:
            if len(self._data) > _LINE:
                self.closed = True
                return b"CLIENT_ERROR line too long\r\n"
            return None
        words = bytes(self._data[:end]).split()
        del self._data[: end + 1]
        return self._command(words) if words else b"ERROR\r\n"

    def _command(self, words: list[bytes]) -> bytes:
        name = words[0]
        if name in (b"get", b"gets", b"gat", b"gats"):
            return self._get(words)
        if name in (b"set", b"add", b"replace", b"append", b"prepend", b"cas"):
            return self._begin(words)
        maker = {
            b"delete": self._delete, b"incr": self._count, b"decr": self._count,
            b"touch": self._touch, b"flush_all": self._flush, b"verbosity": self._okay,
        }.get(name)  # fmt: skip
        if maker is not None:
            return self._quiet(words, maker(words))
        if name == b"version":
            return b"VERSION %b\r\n" % VERSION.encode()
        if name == b"stats":
            if len(words) > 1:
                return b"END\r\n"
            rows = [f"STAT {key} {value}\r\n" for key, value in self._stats().items()]
            return "".join(rows).encode() + b"END\r\n"
        self.closed = name == b"quit"
        return b"" if self.closed else b"ERROR\r\n"

    @staticmethod
    def _quiet(words: list[bytes], answer: bytes) -> bytes:
        return b"" if words[-1] == b"noreply" else answer

    def _get(self, words: list[bytes]) -> bytes:
        keys = words[1:]
        expires: float | None = None
        if words[0].startswith(b"gat"):
            if len(words) < 3 or not re.fullmatch(rb"-?\d{1,10}", words[1]):
                return b"CLIENT_ERROR invalid exptime argument\r\n"
            expires, keys = self._store.when(int(words[1])), words[2:]
        if not keys:
            return b"ERROR\r\n"
        made: list[bytes] = []
        size = 0
        for key in keys:
            if size > _ANSWER:
                self.closed = True
                return b"".join(made) + b"SERVER_ERROR out of memory writing get response\r\n"
            found = self._store.get(key)
            self._store.counts["cmd_get"] += 1
            self._store.counts["get_hits" if found else "get_misses"] += 1
            if found is None:
                continue
            size += len(found.data)
            found.expires = found.expires if expires is None else expires
            unique = b" %d" % found.unique if words[0].endswith(b"s") else b""
            made.append(
                b"VALUE %b %d %d%b\r\n%b\r\n"
                % (key, found.flags, len(found.data), unique, found.data)
            )
        return b"".join(made) + b"END\r\n"

    def _begin(self, words: list[bytes]) -> bytes:
        """The line of a storage command: a block of data follows."""
        count = 6 if words[0] == b"cas" else 5
        numbers = words[2:count]
        plain = len(words) in (count, count + 1) and all(
            re.fullmatch(rb"-?\d{1,19}", one) for one in numbers
        )
        if not plain or not _KEY.fullmatch(words[1]) or int(words[4]) < 0:
            return (
                b"ERROR\r\n" if len(words) < count else b"CLIENT_ERROR bad command line format\r\n"
            )
        size = int(words[4])
        if size > _ITEM:
            self.closed = True
            return b"SERVER_ERROR object too large for cache\r\n"
        self._waiting = words, size
        return b""

    def _store_one(self, words: list[bytes], data: bytes) -> bytes:
        name, key = words[0], words[1]
        store = self._store
        store.counts["cmd_set"] += 1
        old = store.get(key)
        if (name == b"add" and old) or (name in (b"replace", b"append", b"prepend") and not old):
            return b"NOT_STORED\r\n"
        if name == b"cas" and (old is None or old.unique != int(words[5])):
            return b"NOT_FOUND\r\n" if old is None else b"EXISTS\r\n"
        flags, expires = int(words[2]) & 0xFFFFFFFF, store.when(int(words[3]))
        if old is not None and name in (b"append", b"prepend"):
            data = old.data + data if name == b"append" else data + old.data
            flags, expires = old.flags, old.expires
            if len(data) > _ITEM:
                return b"SERVER_ERROR object too large for cache\r\n"
        store.put(key, data, flags, expires)
        return b"STORED\r\n"

    def _delete(self, words: list[bytes]) -> bytes:
        if len(words) < 2:
            return b"ERROR\r\n"
        found = self._store.get(words[1])
        self._store.drop(words[1])
        return b"DELETED\r\n" if found else b"NOT_FOUND\r\n"

    def _count(self, words: list[bytes]) -> bytes:
        if len(words) < 3:
            return b"ERROR\r\n"
        if not re.fullmatch(rb"\d{1,20}", words[2]):
            return b"CLIENT_ERROR invalid numeric delta argument\r\n"
        found = self._store.get(words[1])
        if found is None:
            return b"NOT_FOUND\r\n"
        if not re.fullmatch(rb"\d{1,20} *", found.data):
            return b"CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"
        old, amount = int(found.data), int(words[2])
        value = (old + amount) & (2**64 - 1) if words[0] == b"incr" else max(old - amount, 0)
        self._store.put(words[1], b"%d" % value, found.flags, found.expires)
        return b"%d\r\n" % value

    def _touch(self, words: list[bytes]) -> bytes:
        if len(words) < 3 or not re.fullmatch(rb"-?\d{1,10}", words[2]):
            return b"ERROR\r\n"
        found = self._store.get(words[1])
        if found is None:
            return b"NOT_FOUND\r\n"
        found.expires = self._store.when(int(words[2]))
        return b"TOUCHED\r\n"

    def _flush(self, _words: list[bytes]) -> bytes:
        self._store.clear()
        return b"OK\r\n"

    def _okay(self, _words: list[bytes]) -> bytes:
        return b"OK\r\n"


def _serves(argv: Sequence[str]) -> bool:
    """Whether a command line is the server's, and not another program's of the entrypoint."""
    own = argv[0].rpartition("/")[2] != "docker-entrypoint.sh"
    return own or len(argv) < 2 or argv[1].startswith("-") or argv[1].endswith("memcached")


def _spread(argv: Sequence[str]) -> Iterator[str]:
    """Options and their values as words of their own: `-m64` is `-m 64`."""
    names = {"--port": "-p", "--memory-limit": "-m"}
    for word in argv:
        name, equals, value = word.partition("=")
        if name in names:
            yield names[name]
            if equals:
                yield value
        elif re.fullmatch(r"-[pm]\d+", word):
            yield from (word[:2], word[2:])
        else:
            yield word


@serving.server(when=_serves)
async def memcached(call: Call) -> int:
    """`memcached [-m MEGABYTES] [-p PORT]`; the entrypoint runs other programs, too."""
    if not _serves(call.argv):
        return await entrypoints.command(call, call.argv[1:])
    told = dict(itertools.pairwise(_spread(call.argv[1:])))
    port = int(told["-p"][:6]) if told.get("-p", "").isdigit() else PORT
    size = int(told["-m"][:6]) << 20 if told.get("-m", "").isdigit() else _MOST
    if not 0 < port < 65536:
        return await call.complain(f"bind(): Cannot assign requested address: {port}", 71)
    store = Store(call.kernel.clock.now, min(max(size, 1 << 20), _MOST))
    began = call.kernel.clock.now()
    open_: dict[Stream, None] = {}

    def stats() -> dict[str, str]:
        counted = {key: str(value) for key, value in store.counts.items()}
        now = call.kernel.clock.now()
        return {
            "pid": str(call.process.pid), "uptime": str(int(now - began)), "time": str(int(now)),
            "version": VERSION, "curr_connections": str(len(open_)), **counted,
            "bytes": str(store.bytes), "curr_items": str(len(store)),
            "total_items": str(store.total), "evictions": str(store.evictions),
            "limit_maxbytes": str(min(size, _MOST)),
        }  # fmt: skip

    async def serve(stream: Stream) -> None:
        open_[stream] = None
        session = Session(store, stats)
        try:
            while not session.closed and (data := await stream.receive()):
                session.receive(data)
                while (answer := session.step()) is not None:
                    await call.kernel.step()
                    await stream.send(answer)
        finally:
            del open_[stream]

    return await entrypoints.serve(call, port, serve, ())


IMAGES: Final = (
    Image(
        names=("library/memcached", "bitnami/memcached", "bitnamilegacy/memcached"),
        entrypoint=("docker-entrypoint.sh",), cmd=("memcached",), ports=(PORT,),
        programs={"memcached": memcached, "docker-entrypoint.sh": memcached},
    ),
)  # fmt: skip
