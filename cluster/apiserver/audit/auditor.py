"""Audit at the REST face: a trail for each request that the policy wants told."""

from typing import Any

import msgspec
from aiohttp import web

from cluster.aio.clock import Clock
from cluster.api import identity
from cluster.api.protobuf import decoder as protobuf
from cluster.apiserver.audit import events, policy
from cluster.apiserver.audit.logfile import LogFile
from cluster.apiserver.audit.policy import Asked, Level
from cluster.apiserver.audit.settings import Settings
from cluster.apiserver.rest.exchange import Exchange
from cluster.apiserver.rest.paths import Target

_decode = msgspec.json.Decoder().decode
_FAILED = 400


class _Meta(msgspec.Struct):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resourceVersion: str = ""


class _Head(msgspec.Struct):
    metadata: _Meta = msgspec.field(default_factory=_Meta)


_head = msgspec.json.Decoder(_Head).decode


class Auditor:
    """Writes what `settings.policy` wants to `log`."""

    def __init__(self, settings: Settings, clock: Clock, log: LogFile) -> None:
        self._policy = settings.policy
        self._clock = clock
        self._log = log

    def begin(
        self, exchange: Exchange, user: identity.User | None, verb: str, target: Target | None
    ) -> "Trail | None":
        """The trail of a request; None where nothing is told of it."""
        http = exchange.http
        path = http.raw_path.partition("?")[0]
        asked = Asked(user if user is not None else _NOBODY, verb, path)
        version = ""
        if target is not None:
            row = target.resource
            version = row.version
            asked = Asked(
                asked.user, verb, path, row.group, row.plural, target.subresource,
                target.namespace, target.name,
            )  # fmt: skip
        verdict = self._policy.verdict(asked)
        if verdict.level is Level.NONE:
            return None
        facts = events.Facts(
            exchange.id, http.raw_path, asked, verdict, self._clock.now(), version, user,
            exchange.asker, http.remote or "", http.headers.get("User-Agent", ""),
        )  # fmt: skip
        trail = Trail(exchange, facts, self._clock, self._log)
        trail.tell(policy.RECEIVED)
        return trail


_NOBODY = identity.User("")


class Trail:
    """The events of one request."""

    def __init__(self, exchange: Exchange, facts: events.Facts, clock: Clock, log: LogFile) -> None:
        self._exchange = exchange
        self._facts = facts
        self._clock = clock
        self._log = log

    def tell(self, stage: str) -> None:
        """The event of a stage, unless the policy leaves it out."""
        if self._facts.verdict.tells(stage):
            self._log.add(events.event(self._facts, stage, self._clock.now()))

    def started(self) -> None:
        """The head of a watch's answer goes out."""
        self._facts.code = 200
        self.tell(policy.STARTED)

    async def complete(self, response: web.StreamResponse, *, panicked: bool) -> None:
        """The answer is known."""
        facts, exchange = self._facts, self._exchange
        facts.code = response.status
        facts.annotations = exchange.note or {}
        body = response.body if isinstance(response, web.Response) else None
        answer = bytes(body) if isinstance(body, bytes | bytearray) else b""
        self._name(answer)
        if response.status >= _FAILED:
            facts.answer = _object(answer)
        if facts.verdict.level >= Level.REQUEST:
            facts.request = await _request(exchange.http)
        if facts.verdict.level >= Level.REQUEST_RESPONSE:
            facts.response = _object(answer)
        self.tell(policy.PANIC if panicked else policy.COMPLETE)

    def _name(self, answer: bytes) -> None:
        """What was made is known by the answer: its name, its uid."""
        if self._facts.asked.verb != "create" or self._facts.code >= _FAILED:
            return
        try:
            meta = _head(answer).metadata
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        for key in ("name", "namespace", "uid", "resourceVersion"):
            self._facts.about[key] = getattr(meta, key)


async def _request(http: web.BaseRequest) -> Any:
    """The body, if it was read; audit reads none by itself."""
    if not http.content.is_eof():
        return None
    raw = await http.read()
    if not raw:
        return None
    if raw.startswith(protobuf.MAGIC):
        try:
            return protobuf.decode(raw)
        except Exception:  # noqa: BLE001  (whoever asked was told that it is broken)
            return None
    return _object(raw)


def _object(text: bytes) -> Any:
    try:
        return _decode(text) if text else None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
