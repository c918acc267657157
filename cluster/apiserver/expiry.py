"""Events go an hour after they were last written (--event-ttl of kube-apiserver).

Beyond so many the oldest go before that, for events are memory here: in an hour of 50 new pods a
second they would be a million.
"""

import asyncio
from collections import OrderedDict

import structlog

from cluster.api import errors, objects, timestamps
from cluster.api.operations import Operation, Verb
from cluster.apiserver import bootstrap, codec
from cluster.apiserver.registry import Registry
from cluster.apiserver.watchcache import events
from cluster.apiserver.watchcache.entry import Entry
from cluster.apiserver.watchcache.events import Event

EVENT_SECONDS = 3600.0
MOST_EVENTS = 65_536
_EVERY = 60.0
_TOGETHER = 500


class Expiry:
    """Knows when each event of an open registry was last written, the oldest first."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._written: OrderedDict[str, tuple[float, Entry]] = OrderedDict()
        self._loading = True
        registry.cache.of("events").observe(self._follow)
        self._loading = False
        self._written = OrderedDict(sorted(self._written.items(), key=lambda item: item[1][0]))

    def due(self, seconds: float, now: float, most: int = MOST_EVENTS) -> list[Entry]:
        """The events that were last written `seconds` ago or earlier, and what is beyond `most`."""
        beyond = len(self._written) - most
        found: list[Entry] = []
        for written, entry in self._written.values():
            late = written <= now - seconds or len(found) < beyond
            if not late or len(found) == _TOGETHER:
                break
            found.append(entry)
        return found

    def _follow(self, event: Event) -> None:
        if event.type == events.DELETED and event.previous is not None:
            self._written.pop(event.previous.key, None)
        elif event.entry is not None:
            now = _written_at(event.entry) if self._loading else self._registry.clock.now()
            self._written[event.entry.key] = now, event.entry
            self._written.move_to_end(event.entry.key)

    async def run(self, seconds: float = EVENT_SECONDS, most: int = MOST_EVENTS) -> None:
        """Once a minute delete what was last written `seconds` ago, and the oldest beyond `most`,
        until cancelled.
        """
        log = structlog.get_logger().bind(component="apiserver")
        while True:
            due = self.due(seconds, self._registry.clock.now(), most)
            results = await self._registry.write(
                [_deletion(entry) for entry in due], bootstrap.USER
            )
            failed = [result for result in results if isinstance(result, errors.StatusError)]
            for failure in failed:
                if not isinstance(failure, errors.Conflict | errors.NotFound):
                    log.warning("an event cannot be deleted", error=failure.message)
            if failed or len(due) < _TOGETHER:
                await asyncio.sleep(_EVERY)


def _deletion(entry: Entry) -> Operation:
    """Its end, unless it was written to again."""
    options = {"preconditions": {"resourceVersion": str(entry.revision)}}
    return Operation(
        Verb.DELETE,
        "events",
        entry.namespace,
        entry.name,
        body=codec.document(options),
        want_object=False,
    )


def _written_at(entry: Entry) -> float:
    """When an event that was there before us was last written, as far as it tells."""
    obj = entry.document()
    said = obj.get("lastTimestamp") or objects.meta(obj).get("creationTimestamp") or ""
    try:
        return timestamps.decode(said)
    except ValueError:
        return 0.0
