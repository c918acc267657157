"""The aggregator of an API server: knows who serves what, and keeps that knowledge fresh."""

import asyncio
import contextlib
from dataclasses import replace

import msgspec
import structlog
from aiohttp import web

from cluster.aio import tasks
from cluster.api import conditions, errors, identity, objects
from cluster.api.operations import Operation, Verb
from cluster.api.resources import Resource
from cluster.apiserver import bootstrap
from cluster.apiserver.aggregation import availability, forwarding, registration, services
from cluster.apiserver.aggregation.availability import Verdict
from cluster.apiserver.aggregation.services import GroupVersion, Remote
from cluster.apiserver.outbound.caller import HttpCaller
from cluster.apiserver.registry import Registry
from cluster.apiserver.watchcache.events import Event

AGAIN_SECONDS = 30.0
"""How often an extension server is asked how it is."""
_SOON_SECONDS = 1.0
"""The same while it is not available."""


class Aggregator:
    """Serves the APIServices of an open registry: `open`, then `run` until cancelled."""

    def __init__(self, registry: Registry, caller: HttpCaller) -> None:
        self._registry = registry
        self._caller = caller
        self._remotes: dict[GroupVersion, Remote] = {}
        self._rows: dict[GroupVersion, tuple[Resource, ...]] = {}
        self._missed: dict[str, Event] = {}
        self._changed = asyncio.Event()
        self._served = asyncio.Event()
        self._log = structlog.get_logger().bind(component="apiserver")

    def open(self) -> None:
        """Follow the APIServices, and what this server serves itself."""
        self._registry.cache.of(services.RESOURCE).observe(self._heard)
        self._registry.table.on_change(lambda _resource: self._served.set())
        self._served.set()

    async def run(self) -> None:
        """Keep registrations and conditions current until cancelled. Run again, it looks at all."""
        self._served.set()
        async with tasks.Group("aggregator") as group:
            group.spawn(self._register(), "registration")
            group.spawn(self._check(), "availability")

    def route(self, path: str) -> Remote | None:
        """Who serves `path`, where that is another server."""
        if not self._remotes:
            return None
        parts = path.split("/", 4)
        if len(parts) < 4 or parts[1] != "apis":
            return None
        return self._remotes.get((parts[2], parts[3]))

    def claims(self, group: str) -> bool:
        """Whether another server serves some version of a group."""
        return any(known == group for known, _ in self._remotes)

    async def forward(
        self, found: Remote, user: identity.User, http: web.BaseRequest
    ) -> web.StreamResponse:
        """Pass a request on. errors.StatusError."""
        return await forwarding.forwarded(self._caller, found, user, http)

    async def read(self, found: Remote, user: identity.User, path: str) -> bytes:
        """What its server answers to a GET. errors.StatusError."""
        return await forwarding.fetched(self._caller, found, user, path)

    def _heard(self, event: Event) -> None:
        """Follow a change; a fault in that must not reach the watch cache, whose feed this is."""
        if not self._followed(event):
            self._changed.set()

    def _followed(self, event: Event) -> bool:
        name = (event.entry or event.previous).name  # type: ignore[union-attr]
        self._missed.pop(name, None)
        try:
            self._follow(event)
        except Exception as error:  # noqa: BLE001  (done over with the next checks)
            self._log.error("an APIService was not followed", name=name, exc_info=error)
            self._missed[name] = event
        return name not in self._missed

    def _follow(self, event: Event) -> None:
        before = event.previous.document() if event.previous is not None else None
        if before is not None and event.entry is None:
            self._forget(before)
        if event.entry is None:
            self._served.set()  # it may have been one of this server's own
            return
        obj = event.entry.document()
        found = services.remote(obj, available=conditions.is_true(obj, "Available"))
        if found is None:
            self._forget(obj)
            return
        place = (found.group, found.version)
        known = self._remotes.get(place)
        self._remotes[place] = found
        if known is None or replace(known, available=found.available) != found:
            self._changed.set()

    def _forget(self, obj: objects.Object) -> None:
        spec = objects.spec(obj)
        place = (spec.get("group") or "", spec.get("version") or "")
        if self._remotes.pop(place, None) is not None:
            self._put_rows(place, ())

    async def _register(self) -> None:
        while True:
            await self._served.wait()
            self._served.clear()
            try:
                failures = await registration.keep(self._registry)
            except errors.StatusError as error:  # one of them cannot be read
                failures = [error]
            for failure in failures:
                self._log.warning("an APIService could not be registered", error=failure.message)
            if failures:
                asyncio.get_running_loop().call_later(AGAIN_SECONDS, self._served.set)

    async def _check(self) -> None:
        while True:
            for event in list(self._missed.values()):
                self._followed(event)
            async with tasks.Group("checks") as group:
                for found in list(self._remotes.values()):
                    group.spawn(self._judge(found), found.name)
            well = not self._missed and all(found.available for found in self._remotes.values())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(AGAIN_SECONDS if well else _SOON_SECONDS):
                    await self._changed.wait()
            self._changed.clear()

    async def _judge(self, found: Remote) -> None:
        try:
            await self._look_at(found)
        except errors.StatusError as error:
            self._log.info("an APIService changed while it was judged", error=error.message)
        except Exception as error:  # noqa: BLE001  (one server's fault is not the others')
            self._log.error(
                "looking at an APIService failed unexpectedly", name=found.name, exc_info=error
            )

    async def _look_at(self, found: Remote) -> None:
        verdict = await availability.judged(self._registry.cache, self._caller, found)
        if self._remotes.get((found.group, found.version)) is None:
            return
        if verdict.available:
            self._put_rows((found.group, found.version), tuple(verdict.rows))
        await self._say(found, verdict)

    async def _say(self, found: Remote, verdict: Verdict) -> None:
        entry = await self._registry.get(services.RESOURCE, "", found.name)
        obj = entry.document()
        condition = {
            "type": "Available",
            "status": "True" if verdict.available else "False",
            "reason": verdict.reason,
            "message": verdict.message,
        }
        status = obj.setdefault("status", {})
        if not conditions.put(
            status.setdefault("conditions", []), condition, self._registry.clock.now()
        ):
            return
        body = msgspec.json.encode(obj)
        await self._registry.one(
            Operation(
                Verb.UPDATE, services.RESOURCE, name=found.name, subresource="status", body=body
            ),
            bootstrap.USER,
        )

    def _put_rows(self, place: GroupVersion, rows: tuple[Resource, ...]) -> None:
        """Show what an extension server serves, in discovery and OpenAPI."""
        before = self._rows.get(place, ())
        if before == rows:
            return
        self._rows[place] = rows
        table = self._registry.table
        for resource in dict.fromkeys(row.id for row in (*before, *rows)):
            if table.get(resource) is not None:
                continue  # what this server serves itself is taken over by nobody
            versions = [
                row
                for group_version, known in self._rows.items()
                if group_version[0] == place[0]
                for row in known
                if row.id == resource
            ]
            if versions:
                table.put(versions)
            else:
                table.remove(resource)
