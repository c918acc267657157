"""The configuration of a server: flags, `redis.conf`, CONFIG SET. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from cluster.runtime.emulated.redis.resp import Malformed, inline

DEFAULTS: Final[Mapping[str, str]] = {
    "appendfsync": "everysec", "appendonly": "no", "bind": "* -::*", "databases": "16",
    "daemonize": "no", "dbfilename": "dump.rdb", "dir": "", "hz": "10", "io-threads": "1",
    "list-max-listpack-size": "-2", "logfile": "", "loglevel": "notice", "masterauth": "",
    "masteruser": "", "maxclients": "10000", "maxmemory": "0", "maxmemory-policy": "noeviction",
    "maxmemory-samples": "5", "notify-keyspace-events": "", "pidfile": "", "port": "6379",
    "protected-mode": "no", "replica-announce-ip": "", "replica-priority": "100",
    "replica-read-only": "yes", "replica-serve-stale-data": "yes", "replicaof": "",
    "requirepass": "", "save": "3600 1 300 100 60 10000", "slowlog-log-slower-than": "10000",
    "slowlog-max-len": "128", "supervised": "no", "tcp-backlog": "511", "tcp-keepalive": "300",
    "timeout": "0",
}  # fmt: skip
_OLD: Final = {
    "slaveof": "replicaof", "slave-read-only": "replica-read-only",
    "slave-serve-stale-data": "replica-serve-stale-data", "slave-priority": "replica-priority",
}  # fmt: skip
_FIXED: Final = frozenset({"port", "databases", "daemonize", "supervised", "logfile", "bind"})
"""What cannot be changed while it runs."""
_HEEDED_NOT: Final = re.compile(
    r"(active|aof|auto-aof|client-|cluster-|crash|disable|dynamic-hz|hash-|hll|include|jemalloc|"
    r"latency|lazyfree|lfu|list-|loadmodule|lua|min-|no-appendfsync|oom|proto|rdb|rdbchecksum|"
    r"rename-command|repl-|replica-|set-|stop-writes|stream|syslog|tls-|tracking|unixsocket|user|"
    r"zset-|aclfile|always-show-logo|set-proc-title|proc-title|enable-|ignore-warnings|locale-|"
    r"shutdown-)"
)
"""What a real server knows, and what changes nothing here."""
POLICIES: Final = (
    "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl", "allkeys-lru",
    "allkeys-lfu", "allkeys-random", "noeviction",
)  # fmt: skip
_UNITS: Final = {
    "": 1, "b": 1, "k": 1000, "kb": 1 << 10, "m": 10**6, "mb": 1 << 20, "g": 10**9, "gb": 1 << 30,
}  # fmt: skip


class Bad(Exception):
    """A setting that cannot be; the message is for who made it."""


class Settings:
    """Values by name, as CONFIG GET shows them."""

    def __init__(self) -> None:
        self._values = dict(DEFAULTS)
        self._saves: list[str] = []

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def items(self) -> list[tuple[str, str]]:
        """All settings, by name; `slaveof` and its kin are there by both names."""
        both = {old: self._values[new] for old, new in _OLD.items() if new in self._values}
        return sorted((self._values | both).items())

    def configure(self, name: str, words: Sequence[str]) -> None:
        """A line of `redis.conf`, or a flag. Bad."""
        name = _OLD.get(name.lower(), name.lower())
        value = " ".join(words)
        if name == "save":
            self._add_save(words)
        elif name == "replicaof":
            self._values[name] = "" if value.lower() == "no one" else value
        elif name in self._values:
            self.set(name, value, fixed=False)
        elif not _HEEDED_NOT.match(name):
            raise Bad("Bad directive or wrong number of arguments")

    def set(self, name: str, value: str, *, fixed: bool = True) -> None:
        """CONFIG SET. Bad."""
        if fixed and name in _FIXED:
            raise Bad("can't set immutable config")
        if name == "maxmemory":
            value = str(amount(value))
        elif name == "maxmemory-policy" and value not in POLICIES:
            raise Bad("argument must be one of the following: " + ", ".join(POLICIES))
        elif DEFAULTS[name] in ("yes", "no") and value not in ("yes", "no"):
            raise Bad("argument must be 'yes' or 'no'")
        elif DEFAULTS[name].isdigit() and not re.fullmatch(r"-?\d{1,18}", value):
            raise Bad("argument couldn't be parsed into an integer")
        elif name == "port" and not 0 <= int(value) < 65536:
            raise Bad("argument must be between 0 and 65535 inclusive")
        elif name == "save":
            points(value)
        self._values[name] = value

    def replica_of(self, host: str, port: str) -> None:
        """REPLICAOF; an empty host is NO ONE."""
        self._values["replicaof"] = f"{host} {port}" if host else ""

    def leader(self) -> tuple[str, int] | None:
        """Whom it follows."""
        host, _, port = self._values["replicaof"].partition(" ")
        return (host, int(port)) if host and port.isdigit() and len(port) < 6 else None

    def save_points(self) -> list[tuple[int, int]]:
        """Seconds with the number of changes after which data are saved then."""
        if self._values["appendonly"] == "yes":
            return [(1, 1)]
        return points(self._values["save"])

    def _add_save(self, words: Sequence[str]) -> None:
        if not any(words):
            self._values["save"], self._saves = "", []
            return
        points(" ".join(words))
        self._saves.append(" ".join(words))
        self._values["save"] = " ".join(self._saves)


def points(text: str) -> list[tuple[int, int]]:
    """What `save` means. Bad."""
    words = text.split()
    if len(words) % 2 or not all(re.fullmatch(r"[1-9]\d{0,8}", word) for word in words):
        raise Bad("Invalid save parameters")
    numbers = [int(word) for word in words]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def amount(text: str) -> int:
    """Bytes: `100mb`, `1g`. Bad."""
    found = re.fullmatch(r"(\d{1,15})([a-z]*)", text.lower())
    if found is None or found[2] not in _UNITS:
        raise Bad("argument must be a memory value")
    return int(found[1]) * _UNITS[found[2]]


def lines(text: str) -> list[tuple[int, str, list[str]]]:
    """The lines of a file that say something: number, name, words. Bad."""
    made: list[tuple[int, str, list[str]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        try:
            name, *words = (word.decode(errors="replace") for word in inline(stripped.encode()))
        except (Malformed, ValueError):
            raise Bad("Unbalanced quotes in configuration line") from None
        made.append((number, name, words))
    return made


def flags(argv: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Settings of a command line: `--port 7000 --save 60 1 --appendonly yes`. Bad."""
    made: list[tuple[str, list[str]]] = []
    for word in argv:
        if word.startswith("--") and len(word) > 2:
            name, equals, value = word[2:].partition("=")
            made.append((name, [value] if equals else []))
        elif not made:
            raise Bad(f"Bad directive or wrong number of arguments: {word}")
        else:
            made[-1][1].extend(word.split() or [""])
    return made
