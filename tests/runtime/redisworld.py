"""A Redis engine without a container, and commands by chance."""

import random
from collections.abc import Iterator

from cluster.runtime.emulated.redis import resp
from cluster.runtime.emulated.redis.engine import Engine
from cluster.runtime.emulated.redis.session import Session
from cluster.runtime.emulated.redis.settings import Settings

EPOCH = 1_767_225_600_000


class Host:
    """Keeps what the engine asks for; time stands until it is moved."""

    def __init__(self) -> None:
        self.time = EPOCH
        self.lines: list[str] = []
        self.stored: bytes | None = None
        self.ended = False

    def now(self) -> int:
        return self.time

    def log(self, text: str, level: str = "*") -> None:
        self.lines.append(f"{level} {text}")

    def store(self, data: bytes) -> bool:
        self.stored = data
        return True

    def changed(self) -> None:
        pass

    async def flush(self) -> None:
        pass

    def follow(self) -> None:
        pass

    def end(self) -> None:
        self.ended = True


class Talk:
    """A client of an engine of its own, or of another's."""

    def __init__(self, engine: Engine | None = None, **settings: str) -> None:
        told = Settings()
        for name, value in settings.items():
            told.configure(name.replace("_", "-"), value.split() if name == "save" else [value])
        self.engine = engine or Engine(told, Host(), random.Random(1), "7.0.15")
        found = self.engine.connect("10.0.0.1:1000", lambda: None)
        assert found is not None
        self.session: Session = found

    @property
    def host(self) -> Host:
        host = self.engine.host
        assert isinstance(host, Host)
        return host

    def send(self, *args: str | bytes) -> bytes:
        """Send a command; what comes back, as bytes."""
        words = [arg.encode() if isinstance(arg, str) else arg for arg in args]
        self.session.receive(resp.command(words))
        while self.session.step():
            pass
        return self.session.take()

    def ask(self, line: str) -> object:
        """Send a line; the reply as Python has it."""
        replies = resp.Replies()
        replies.feed(self.send(*resp.inline(line.encode())))
        found = replies.next()
        assert found is not None, line
        return found[0]


KEYS = ("a", "b", "c")
WORDS = ("", "x", "yy", "10", "-3", "1.5", "z z", "3")
NUMBERS = ("0", "1", "2", "-1", "-2", "5", "100", "x", "9223372036854775807", "")
REALS = ("0", "1", "2.5", "-1.25", "inf", "-inf", "nan", "x", "1e3")
BOUNDS = ("-inf", "+inf", "(1", "2.5", "(2.5", "0", "x")
NAMES = ("-", "+", "[x", "(x", "[10", "(yy", "x")
SHAPES = (
    "get K", "set K W", "set K W nx", "set K W xx get", "set K W get", "setnx K W", "getset K W",
    "getdel K", "mget K K", "mset K W K W", "msetnx K W K W", "incr K", "decr K", "incrby K N",
    "decrby K N", "incrbyfloat f R", "get f", "del f", "append K W", "strlen K", "getrange K N N",
    "setrange K 3 W", "setbit K 9 1", "getbit K 9", "bitcount K", "bitcount K N N", "del K K",
    "exists K K", "type K", "rename K K", "renamenx K K", "copy K K", "copy K K replace",
    "touch K", "persist K", "ttl K", "expire K 100", "expire K -1", "expire K x",
    "expire K 50 gt", "dbsize", "lpush K W W", "rpush K W W", "lpushx K W", "rpushx K W",
    "lpop K", "rpop K", "lpop K N", "llen K", "lrange K N N", "lindex K N", "lset K N W",
    "linsert K before W W", "linsert K after W W", "lrem K N W", "ltrim K N N", "lpos K W",
    "lpos K W rank N count N", "rpoplpush K K", "lmove K K left right", "hset K W W",
    "hset K W W W W", "hsetnx K W W", "hget K W", "hmget K W W", "hgetall K", "hkeys K",
    "hvals K", "hlen K", "hexists K W", "hdel K W W", "hincrby K W N", "hincrbyfloat g x R",
    "hgetall g", "del g", "hstrlen K W", "sadd K W W", "srem K W", "scard K", "sismember K W",
    "smismember K W W", "smove K K W", "sintercard 2 K K", "sinterstore K K K",
    "sunionstore K K K", "sdiffstore K K K", "zadd K R W", "zadd K R W R W", "zadd K nx R W",
    "zadd K xx ch R W", "zadd K gt R W", "zadd K incr R W", "zincrby K R W", "zrem K W",
    "zcard K", "zscore K W", "zmscore K W W", "zrank K W", "zrevrank K W", "zpopmin K",
    "zpopmax K N", "zrange K N N", "zrange K N N withscores", "zrange K N N rev",
    "zrevrange K N N withscores", "zrangebyscore K B B",
    "zrangebyscore K B B withscores limit N N", "zrevrangebyscore K B B",
    "zrange K B B byscore rev", "zadd d 0 W", "zrangebylex d L L", "zrange d L L bylex",
    "zrem d W", "zcount K B B", "zlexcount d L L", "zremrangebyrank K N N",
    "zremrangebyscore K B B", "zremrangebylex d L L", "zunionstore K 2 K K",
    "zunionstore K 2 K K weights R R aggregate max", "zinterstore K 2 K K", "zrangestore K K N N",
    "multi", "exec", "discard", "watch K", "unwatch", "echo W", "ping", "select N", "flushdb",
    "get", "zadd K R", "hset K W", "set K W ex 100", "set K W ex 0", "setex K 200 W",
    "setex K x W", "object", "ping W W", "strlen", "nonsense W",
)  # fmt: skip


def commands(chance: random.Random) -> Iterator[list[str]]:
    """Commands for ever."""
    sources = {"K": KEYS, "W": WORDS, "N": NUMBERS, "R": REALS, "B": BOUNDS, "L": NAMES}
    while True:
        shape = chance.choice(SHAPES).split(" ")
        yield [chance.choice(sources[word]) if word in sources else word for word in shape]
