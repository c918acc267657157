"""watch: events as lines of JSON, sent as they happen.

A batch of events is encoded once for all watchers that want it in the same form, so encoders are
kept: one for each resource, form and wish for bookmarks.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random

from aiohttp import web

from cluster.aio.clock import Clock
from cluster.api import errors
from cluster.api.resources import Resource
from cluster.apiserver import codec
from cluster.apiserver.chaos.watching import AnyWatch
from cluster.apiserver.registry import Registry
from cluster.apiserver.rest import negotiation, protobuf_answers, query, tables
from cluster.apiserver.rest.negotiation import Form
from cluster.apiserver.rest.query import ListOptions
from cluster.apiserver.rest.requests import Call
from cluster.apiserver.rest.tables import Include, Style
from cluster.apiserver.watchcache import events
from cluster.apiserver.watchcache.events import Encoder, Event

LAST_BOOKMARK_SECONDS = 2.0
"""So long before its end a watch is given a bookmark; a shorter watch gets none."""
MIN_SECONDS = 1800
"""A watch that names no timeout ends after this long, or up to twice that
(min-request-timeout of kube-apiserver)."""

_HEADERS = {"Content-Type": negotiation.JSON, "Cache-Control": "no-cache, private"}
_STREAM = f"{negotiation.JSON};stream=watch"
_BINARY = _HEADERS | {"Content-Type": protobuf_answers.WATCH}

Line = Callable[[str, bytes], bytes]
"""Writes an event of a type and an object's JSON."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How a watcher wants its events."""

    resource: Resource
    form: Form
    included: Include = "Metadata"
    bookmarks: bool = False
    initial_end: bool = False


@dataclass(frozen=True, slots=True)
class Watches:
    """Answers watches of `registry`.

    `follow(connection, end)` is told what to call when a client's connection is lost, and gives
    what to call when that is no longer needed.
    """

    registry: Registry
    clock: Clock
    random: Random
    follow: Callable[[object, Callable[[], None]], Callable[[], None]]
    _encoders: dict[tuple[object, ...], Encoder] = field(default_factory=dict)

    async def watch(self, call: Call) -> web.StreamResponse:
        """Send events until the client goes, its time is over, or it cannot keep up."""
        options = query.for_list(call.query)
        encoder = self._encoder(_wish(call, options))
        seconds = options.timeout or MIN_SECONDS * (1 + self.random.random())
        line = protobuf_answers.event if call.form.protobuf else _line
        response = web.StreamResponse(headers=_BINARY if call.form.protobuf else _HEADERS)
        response.enable_chunked_encoding()
        try:
            watch = await self._open(call, options)
        except errors.Expired as error:
            await response.prepare(call.http)
            await response.write(line("ERROR", codec.document(error.status())))
            return response
        async with watch:
            leave = self.registry.bounds.enter(call.user)
            forget = self.follow(call.http.protocol, watch.close)
            unfollow = self.registry.followers.enter(watch, call.user, call.target.resource.id)
            timers = self._last_bookmark(watch, seconds) if options.bookmarks else ()
            try:
                await response.prepare(call.http)
                await _send(watch, encoder, response, seconds, line)
            except ConnectionError:
                pass  # the client went away, as watchers do
            finally:
                for timer in timers:
                    timer.cancel()
                forget()
                leave()
                unfollow()
        return response

    def _last_bookmark(self, watch: AnyWatch, seconds: float) -> Sequence[asyncio.TimerHandle]:
        """Let a watch end with a bookmark, so that the next one begins where it ended."""
        left = seconds - LAST_BOOKMARK_SECONDS
        if left <= 0:
            return ()
        loop = asyncio.get_running_loop()
        return (loop.call_later(left, lambda: watch.remind(self.registry.revision)),)

    async def _open(self, call: Call, options: ListOptions) -> AnyWatch:
        revision, fields = options.revision, options.fields
        if options.initial_events is False and revision in ("", "0"):
            revision = str(self.registry.revision)
        if call.target.name:
            named = f"metadata.name={call.target.name}"
            fields = f"{fields},{named}" if fields else named
        watch = await self.registry.watch(
            call.target.resource.id,
            call.target.namespace,
            revision=revision,
            labels=options.labels,
            fields=fields,
            initial=bool(options.initial_events),
            version=call.target.resource.version,
        )
        return self.registry.suffering(watch, call.user, call.target.resource.id)

    def forget(self) -> None:
        """The table has changed. Encoders of old rows serve their watchers to the end."""
        self._encoders.clear()

    def _encoder(self, wish: Wish) -> Encoder:
        """The one encoder of a wish: batches remember what an encoder made of them."""
        about = (id(wish.resource), wish.form, wish.included, wish.bookmarks, wish.initial_end)
        found = self._encoders.get(about)
        if found is None:
            found = self._encoders[about] = encoder(wish, self.clock)
        return found


def encoder(wish: Wish, clock: Clock) -> Encoder:
    """What writes events in the form that `wish` asks for."""

    def encode(batch: Sequence[Event]) -> bytes:
        now = clock.now() if wish.form.shape == "Table" else 0.0
        return b"".join([_event(wish, event, now) for event in batch])

    return encode


async def _send(
    watch: AnyWatch,
    encoder: Encoder,
    response: web.StreamResponse,
    seconds: float,
    line: Line,
) -> None:
    try:
        async with asyncio.timeout(seconds):
            async for batch in watch:
                lines = batch.frame(encoder)
                if lines:
                    await response.write(lines)
    except TimeoutError:
        return
    except errors.StatusError as error:
        await response.write(line("ERROR", codec.document(error.status())))


def _wish(call: Call, options: ListOptions) -> Wish:
    form = call.form
    if form.media == negotiation.YAML:
        binary = protobuf_answers.known(call.target.resource)
        streams = (_STREAM, protobuf_answers.WATCH) if binary else (_STREAM,)
        raise negotiation.not_acceptable(streams)
    if form.shape == "PartialObjectMetadataList":
        raise errors.NotAcceptable("a watch gives objects, Tables or PartialObjectMetadata")
    return Wish(
        call.target.resource,
        form,
        tables.include(call.query.get("includeObject")),
        options.bookmarks,
        bool(options.initial_events),
    )


def _event(wish: Wish, event: Event, now: float) -> bytes:
    line = protobuf_answers.event if wish.form.protobuf else _line
    if event.type == events.BOOKMARK:
        if not (wish.initial_end if event.initial_end else wish.bookmarks):
            return b""
        json = codec.bookmark(wish.resource, event.revision, initial_end=event.initial_end)
        return line(event.type, _marked(wish, json, event.revision))
    json = event.json
    if wish.form.shape:
        style = Style(wish.form, wish.included, now)
        json = tables.one(wish.resource, json, event.revision, style)
    return line(event.type, json)


def _marked(wish: Wish, json: bytes, revision: int) -> bytes:
    """The object of a bookmark, in the watcher's form."""
    if wish.form.shape == "Table":
        metadata = {"resourceVersion": str(revision)}
        return tables.table(wish.resource, (), metadata, wish.form.version)
    if wish.form.shape:
        return tables.partial(json, wish.form.version)
    return json


@lru_cache(8)
def _head(type: str) -> bytes:
    return f'{{"type":"{type}","object":'.encode()


def _line(type: str, json: bytes) -> bytes:
    return b"%b%b}\n" % (_head(type), json)
