"""Audit at the REST face: a trail for each request that the policy wants told."""

from typing import Any

import msgspec
from aiohttp import web

from cluster.aio.clock import Clock
from cluster.api import identity, json_text
from cluster.apiserver.audit import events, policy
from cluster.apiserver.audit.logfile import LogFile
from cluster.apiserver.audit.policy import Asked, Level
from cluster.apiserver.audit.settings import Settings
from cluster.apiserver.rest import requests
from cluster.apiserver.rest.exchange import Exchange
from cluster.apiserver.rest.paths import Target

_FAILED = 400
_NAMED_BY_BODY = ("create", "update")
_UNHEARD = (400, 401, 406, 413, 415)
"""With these, the body was not looked at, or could not be read: nothing is told of its object."""
_DECISION = "authorization.k8s.io/decision"


class _Meta(msgspec.Struct):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resourceVersion: str = ""


class _Head(msgspec.Struct):
    metadata: _Meta = msgspec.field(default_factory=_Meta)


_head = json_text.reader(_Head)


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
        heard = facts.code not in _UNHEARD and facts.annotations.get(_DECISION) != "forbid"
        names = heard and facts.asked.verb in _NAMED_BY_BODY
        if names or facts.verdict.level >= Level.REQUEST:
            asked = await requests.taken(exchange.http)
            if names:
                self._name(asked)
            if facts.verdict.level >= Level.REQUEST:
                facts.request = _object(asked)
        if response.status >= _FAILED:
            facts.answer = _object(answer)
        if facts.verdict.level >= Level.REQUEST_RESPONSE:
            facts.response = _object(answer)
        self.tell(policy.PANIC if panicked else policy.COMPLETE)

    def _name(self, asked: bytes) -> None:
        """What the path does not say of an object, the object that was sent may.

        So what gets its name of the server is told of without one, as in Kubernetes.
        """
        try:
            meta = _head(asked).metadata
        except json_text.Malformed:
            return
        for key in ("name", "namespace", "uid", "resourceVersion"):
            self._facts.about[key] = getattr(meta, key)


def _object(text: bytes) -> Any:
    try:
        return json_text.decoded(text) if text else None
    except json_text.Malformed:
        return None
