"""A request and its answer, as those who protect and watch the server see them.

Order, as in kube-apiserver: who asks is known, then audit, then priority and fairness, then
authorization. The router tells the exchange what it finds out; the exchange holds the request's
seat, counts it, writes the audit events, and adds their headers to whatever answer goes out.
"""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Protocol

from aiohttp import hdrs, web
from aiohttp.http import SERVER_SOFTWARE
from multidict import istr

from cluster.api import identity
from cluster.apiserver.fairness.gate import Ticket
from cluster.apiserver.metrics.requests import RequestMetrics
from cluster.apiserver.rest.paths import Target

AUDIT_ID = istr("Audit-ID")
_LONGEST_ID = 64
_STREAMS = ("attach", "exec", "log", "portforward", "proxy")
_MUTATING = frozenset(("create", "update", "patch", "delete", "deletecollection"))


_REFUSED = {
    401: "unauthorized", 413: "body too large", 429: "too many requests", 504: "slow request",
}  # fmt: skip
"""Answers that are counted and logged as refusals, by status."""


class Door(Protocol):
    """Who lets requests in: priority and fairness, or plain bounds."""

    def enter(
        self, user: identity.User, verb: str, resource: str, namespace: str, subresource: str
    ) -> Ticket:
        """A ticket, which may be `pending`. errors.TooManyRequests."""
        ...


class Trail(Protocol):
    """The audit of one request."""

    def started(self) -> None:
        """The head of a long answer goes out."""
        ...

    async def complete(self, response: web.StreamResponse, *, panicked: bool) -> None:
        """The request is done."""
        ...


class Auditor(Protocol):
    """Begins audits."""

    def begin(
        self, exchange: "Exchange", user: identity.User | None, verb: str, target: Target | None
    ) -> Trail | None:
        """The audit of a request; None where the policy wants none."""
        ...


class Protection:
    """What protects and watches the REST face; each part may be absent."""

    def __init__(
        self,
        random: Random,
        *,
        door: Door | None = None,
        auditor: Auditor | None = None,
        metrics: RequestMetrics | None = None,
    ) -> None:
        self.door = door
        self.auditor = auditor
        self.metrics = metrics if metrics is not None else RequestMetrics()
        seed = f"{random.getrandbits(128):032x}"
        self._prefix = f"{seed[:8]}-{seed[8:12]}-4{seed[13:16]}-a{seed[17:20]}-"
        self._number = random.getrandbits(40)
        self.time: Callable[[], float] = self._first_time

    def begin(self, http: web.BaseRequest) -> "Exchange":
        """A request has come."""
        exchange = Exchange(self, http)
        if isinstance(http, Request):
            http.exchange = exchange
        return exchange

    def _first_time(self) -> float:
        """The time of the loop that serves; later calls go there at once."""
        self.time = asyncio.get_running_loop().time
        return self.time()

    def id(self) -> str:
        """A new audit id, in the form of a uuid: unlike every other, but for its end."""
        self._number = (self._number + 1) & 0xFFFFFFFFFFFF
        return f"{self._prefix}{self._number:012x}"


class Exchange:
    """One request on its way."""

    __slots__ = (
        "_protection", "_seat", "_target", "_verb", "asker", "http", "id", "note", "start", "trail",
        "user",
    )  # fmt: skip

    def __init__(self, protection: Protection, http: web.BaseRequest) -> None:
        self._protection = protection
        self._seat: Ticket | None = None
        self._target: Target | None = None
        self._verb = ""
        self.http = http
        self.start = protection.time()
        said = http.headers.get(AUDIT_ID)
        self.id = protection.id() if said is None or not _fit(said) else said[:_LONGEST_ID]
        self.trail: Trail | None = None
        self.user: identity.User | None = None
        self.asker: identity.User | None = None
        self.note: dict[str, str] | None = None

    def known(self, user: identity.User, verb: str, target: Target | None) -> None:
        """Who asks for what: audit begins."""
        self.user, self._verb, self._target = user, verb, target
        protection = self._protection
        if protection.auditor is not None:
            self.trail = protection.auditor.begin(self, user, verb, target)
        protection.metrics.begin(verb in _MUTATING)

    async def admitted(
        self, user: identity.User, verb: str, target: Target | None, path: str
    ) -> None:
        """`known`, and in. errors.TooManyRequests."""
        self.known(user, verb, target)
        seat = self.enter(path)
        if seat is not None and seat.pending:
            await seat.wait()

    def enter(self, path: str) -> Ticket | None:
        """Take a seat. A ticket that is `pending` must be waited for. errors.TooManyRequests.

        What streams is no request that ends soon, and takes none, as in Kubernetes; a watch gives
        its seat back when it has begun.
        """
        door, user = self._protection.door, self.user
        target, verb = self._target, self._verb
        if door is None or user is None:
            return None
        if target is None:
            self._seat = door.enter(user, verb, path, "", "")
        elif target.subresource not in _STREAMS:
            self._seat = door.enter(
                user, verb, target.resource.id, target.namespace, target.subresource
            )
        return self._seat

    def annotate(self, key: str, value: str) -> None:
        """An annotation of the audit events."""
        if self.trail is not None:
            if self.note is None:
                self.note = {}
            self.note[key] = value

    def decided(self, allowed: bool, _denied: bool, reason: str) -> None:
        """What authorization said, for audit."""
        self.annotate("authorization.k8s.io/decision", "allow" if allowed else "forbid")
        self.annotate("authorization.k8s.io/reason", reason)

    def prepare(self, response: web.StreamResponse) -> None:
        """The head of the answer is about to go out."""
        headers = response.headers
        headers[AUDIT_ID] = self.id
        seat = self._seat
        if seat is not None:
            for name, value in seat.headers:
                headers[name] = value
        if self._verb == "watch":
            if seat is not None:
                seat.release()
            if self.trail is not None:
                self.trail.started()

    def end(self, response: web.StreamResponse) -> None:
        """The answer is known, whether it has gone out or not."""
        if self._seat is not None:
            self._seat.release()
        metrics = self._protection.metrics
        if self.user is not None:
            metrics.end(self._verb in _MUTATING)
        seconds = self._protection.time() - self.start
        metrics.observe(self._verb, self._target, response.status, seconds)
        reason = _REFUSED.get(response.status)
        if reason is not None:
            refused = getattr(self.http.protocol, "refused", None)
            if refused is not None:
                refused(reason)

    async def audit(self, response: web.StreamResponse, *, panicked: bool = False) -> None:
        """Write the last audit event, where there is to be one."""
        auditor = self._protection.auditor
        if self.user is None and auditor is not None and response.status == 401:
            self.trail = auditor.begin(self, None, self.http.method.lower(), None)
        if self.trail is not None:
            await self.trail.complete(response, panicked=panicked)


def _fit(said: str) -> bool:
    """Whether a client's id may stand in a header of the answer."""
    return said.isascii() and said.isprintable()


class Request(web.BaseRequest):
    """aiohttp's request, which shows its exchange each answer before it goes out."""

    exchange: Exchange | None = None
    patience: float = 0.0
    """Seconds that its body may take; 0: what `requests` says."""
    garbled: bool = False
    """Whether its body comes in an encoding that nobody here unpacks."""

    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        exchange, self.exchange = self.exchange, None  # no cycle is left to the collector
        if exchange is not None:
            exchange.prepare(response)
        if response.headers.get(hdrs.SERVER) == SERVER_SOFTWARE:
            # kube-apiserver does not say what it is; what a pod behind a proxy says stays.
            del response.headers[hdrs.SERVER]
        if self.garbled:
            response.force_close()
            response.headers["Connection"] = "close"
