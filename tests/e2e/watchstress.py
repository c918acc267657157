"""Many watchers with random selectors and random disconnects against a steady stream of writes.

The writer knows what it wrote at which revision, so what each watcher should have seen, event by
event, follows from its selector alone; nothing of the server's own selection is used for that.
"""

import asyncio
import random
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlencode

import msgspec

from cluster.aio import tasks
from cluster.api.operations import MERGE_PATCH, Operation, Verb
from cluster.client.grpc_transport import GrpcTransport

NAMESPACES = ("red", "green", "blue", "grey")
_TICK = 0.01
_encode = msgspec.json.encode


@dataclass(frozen=True, slots=True)
class Server:
    """Where the server is, and how to be let in."""

    host: str
    port: int
    tls: ssl.SSLContext
    token: str


@dataclass(frozen=True, slots=True)
class State:
    """What selectors may ask of an object; None where it is not there."""

    namespace: str
    name: str
    labels: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Write:
    """One change, as the writer knows it."""

    revision: int
    before: State | None
    after: State | None


class _Meta(msgspec.Struct):
    resourceVersion: str
    name: str = ""
    namespace: str = ""


class _Object(msgspec.Struct):
    metadata: _Meta | None = None
    code: int = 0
    message: str = ""


class _Event(msgspec.Struct):
    type: str
    object: _Object


_event = msgspec.json.Decoder(_Event).decode
Seen = tuple[str, int, str]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a watcher asks for: the request, and the same question as a function."""

    namespace: str
    labels: str
    fields: str
    matches: Callable[[State], bool]

    def expected(self, writes: list[Write]) -> list[Seen]:
        """The events that the watcher has to see of `writes`."""
        found: list[Seen] = []
        for write in writes:
            was = write.before is not None and self.matches(write.before)
            now = write.after is not None and self.matches(write.after)
            state = write.after or write.before
            assert state is not None
            if now:
                found.append(("MODIFIED" if was else "ADDED", write.revision, state.name))
            elif was:
                found.append(("DELETED", write.revision, state.name))
        return found


def wish(draw: random.Random) -> Wish:
    """A random selection: a namespace or all of them, labels of every operator, or one name."""
    namespace = draw.choice((*NAMESPACES, ""))
    if draw.random() < 0.2:
        name = f"cm-{draw.randrange(200)}"
        return Wish(namespace, "", f"metadata.name={name}", _in(namespace, _named(name)))
    color, size = str(draw.randrange(20)), str(draw.randrange(5))
    text, test = draw.choice(
        (
            (f"color={color}", lambda labels: labels.get("color") == color),
            (f"color=={color},size!={size}", lambda labels: labels.get("color") == color
             and labels.get("size") != size),
            (f"color in ({color},none),size", lambda labels: labels.get("color") == color
             and "size" in labels),
            (f"color={color},size notin ({size},9)", lambda labels: labels.get("color") == color
             and labels.get("size") not in (size, "9")),
            ("!color", lambda labels: "color" not in labels),
        )
    )  # fmt: skip
    return Wish(namespace, text, "", _in(namespace, lambda state: test(dict(state.labels))))


def _named(name: str) -> Callable[[State], bool]:
    return lambda state: state.name == name


def _in(namespace: str, test: Callable[[State], bool]) -> Callable[[State], bool]:
    return lambda state: (not namespace or state.namespace == namespace) and test(state)


@dataclass(slots=True)
class Watcher:
    """Watches until cancelled; when its connection ends it goes on from where it was."""

    wish: Wish
    revision: int
    draw: random.Random
    lifetime: float
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0

    async def run(self, server: Server) -> None:
        """Watch, break off at random, resume."""
        while True:
            self.connections += 1
            try:
                async with asyncio.timeout(self.draw.expovariate(1 / self.lifetime)):
                    await self._watch(server)
            except (TimeoutError, ConnectionError, asyncio.IncompleteReadError):
                continue

    async def _watch(self, server: Server) -> None:
        place = f"namespaces/{self.wish.namespace}/" if self.wish.namespace else ""
        query = {"watch": "1", "resourceVersion": str(self.revision)}
        query |= {"labelSelector": self.wish.labels} if self.wish.labels else {}
        query |= {"fieldSelector": self.wish.fields} if self.wish.fields else {}
        reader, writer = await asyncio.open_connection(server.host, server.port, ssl=server.tls)
        try:
            writer.write(
                f"GET /api/v1/{place}configmaps?{urlencode(query)} HTTP/1.1\r\n"
                f"Host: localhost\r\nAuthorization: Bearer {server.token}\r\n\r\n".encode()
            )
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            await self._read(reader)
        finally:
            writer.transport.abort()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        rest = b""
        while size := int(await reader.readuntil(b"\r\n"), 16):
            *lines, rest = (rest + (await reader.readexactly(size + 2))[:-2]).split(b"\n")
            for line in lines:
                self._take(_event(line))

    def _take(self, event: _Event) -> None:
        found = event.object
        assert found.metadata is not None, f"the watch failed: {found.code} {found.message}"
        self.revision = int(found.metadata.resourceVersion)
        self.seen.append((event.type, self.revision, found.metadata.name))


class Writer:
    """Creates, relabels and deletes config maps of its own, `rate` a second."""

    def __init__(self, transport: GrpcTransport, draw: random.Random) -> None:
        self._transport = transport
        self._draw = draw
        self._states: dict[tuple[str, str], State | None] = {
            (space, f"cm-{number}"): None for space in NAMESPACES for number in range(200)
        }
        self._busy: dict[tuple[str, str], None] = {}
        self.writes: list[Write] = []

    async def run(self, rate: int, seconds: float) -> None:
        """Write at a steady rate; a batch that is late is not left out."""
        loop = asyncio.get_running_loop()
        started, sent, total = loop.time(), 0, int(rate * seconds)
        async with tasks.Group("writer") as group:
            while sent < total:
                due = min(total, int((loop.time() - started) * rate))
                chosen = self._choose(min(due - sent, 200))
                sent += len(chosen)
                if chosen:
                    group.spawn(self._write(chosen), "batch")
                await asyncio.sleep(_TICK)
        self.writes.sort(key=lambda write: write.revision)

    def _choose(self, count: int) -> list[tuple[str, str]]:
        free = [key for key in self._states if key not in self._busy]
        chosen = self._draw.sample(free, min(count, len(free)))
        self._busy.update((key, None) for key in chosen)
        return chosen

    async def _write(self, keys: list[tuple[str, str]]) -> None:
        planned = [self._next(key) for key in keys]
        results = await self._transport.write([operation for operation, _ in planned])
        for key, (_, after), result in zip(keys, planned, results, strict=True):
            if isinstance(result, Exception):
                raise result
            self.writes.append(Write(result.revision, self._states[key], after))
            self._states[key] = after
            del self._busy[key]

    def _next(self, key: tuple[str, str]) -> tuple[Operation, State | None]:
        namespace, name = key
        labels = {"color": str(self._draw.randrange(20)), "size": str(self._draw.randrange(5))}
        if self._draw.random() < 0.05:
            del labels["color"]
        after = State(namespace, name, tuple(labels.items()))
        if self._states[key] is None:
            body = _encode({"metadata": {"name": name, "namespace": namespace, "labels": labels}})
            return Operation(Verb.CREATE, "configmaps", namespace, name, body=body), after
        if self._draw.random() < 0.2:
            return Operation(Verb.DELETE, "configmaps", namespace, name), None
        # The number makes every write a change; null takes away a label that is not drawn.
        meta = {"labels": {"color": None} | labels}
        body = _encode({"metadata": meta, "data": {"n": str(self._draw.random())}})
        patch = Operation(
            Verb.PATCH, "configmaps", namespace, name, body=body, patch_type=MERGE_PATCH
        )
        return patch, after


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it."""

    writes: int
    seconds: float
    events: int
    connections: int
    wrong: list[str]


async def run(
    server: Server,
    transport: GrpcTransport,
    *,
    watchers: int,
    rate: int,
    seconds: float,
    lifetime: float,
    seed: int,
) -> Outcome:
    """Drive it and compare. `lifetime` is the mean life of a connection in seconds."""
    draw = random.Random(seed)
    for name in NAMESPACES:
        body = _encode({"metadata": {"name": name}})
        await transport.write([Operation(Verb.CREATE, "namespaces", "", name, body=body)])
    none = await transport.list("configmaps", "", labels="", fields="", limit=0, token="")
    start = none.revision
    crowd = [
        Watcher(wish(draw), start, random.Random(f"{seed}/{number}"), lifetime)
        for number in range(watchers)
    ]
    writer = Writer(transport, random.Random(f"{seed}/writer"))
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with tasks.Group("watchers") as group:
        for number, watcher in enumerate(crowd):
            group.spawn(watcher.run(server), f"watcher {number}")
        await writer.run(rate, seconds)
        took = loop.time() - began
        expected = [watcher.wish.expected(writer.writes) for watcher in crowd]
        await _all_seen(crowd, expected)
        group.cancel()
    wrong = [
        _difference(watcher, wanted)
        for watcher, wanted in zip(crowd, expected, strict=True)
        if watcher.seen != wanted
    ]
    events = sum(len(watcher.seen) for watcher in crowd)
    connections = sum(watcher.connections for watcher in crowd)
    return Outcome(len(writer.writes), took, events, connections, wrong)


async def _all_seen(crowd: list[Watcher], expected: list[list[Seen]]) -> None:
    """Until everybody has as many events as they should, or waiting is over; and a little more."""
    deadline = asyncio.get_running_loop().time() + 30
    while asyncio.get_running_loop().time() < deadline:
        if all(len(w.seen) >= len(wanted) for w, wanted in zip(crowd, expected, strict=True)):
            break
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)  # what comes double comes late


def _difference(watcher: Watcher, wanted: list[Seen]) -> str:
    at = next(
        (index for index, pair in enumerate(zip(watcher.seen, wanted, strict=False))
         if pair[0] != pair[1]),
        min(len(watcher.seen), len(wanted)),
    )  # fmt: skip
    about = f"{watcher.wish.namespace!r} {watcher.wish.labels or watcher.wish.fields}"
    return (
        f"{about}: {len(watcher.seen)} events of {len(wanted)}; event {at} is "
        f"{watcher.seen[at : at + 2]} and not {wanted[at : at + 2]}"
    )
