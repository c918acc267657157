"""Keeping the FlowSchemas and priority levels that every cluster has, and telling what dangles.

kube-apiserver does this at its start and every minute: what is missing is made anew, what was not
changed by anybody (annotation autoupdate-spec) follows its own idea of it, and each FlowSchema's
condition `Dangling` says whether its level is there. Here it is done when something changes.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import structlog

from cluster.api import conditions, errors, flowcontrol
from cluster.api.operations import MERGE_PATCH, Operation, Verb
from cluster.apiserver import bootstrap, codec
from cluster.apiserver.fairness.gate import LEVELS, SCHEMAS
from cluster.apiserver.registry import Registry
from cluster.apiserver.watchcache.events import Event

PAUSE_SECONDS: Final = 1.0
"""Between looks, while much changes."""
_MANAGER: Final = "api-priority-and-fairness-config-consumer-v1"


class Upkeep:
    """Looks after both kinds in `registry`."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._changed = asyncio.Event()
        self._log = structlog.get_logger().bind(component="apiserver")

    async def open(self) -> None:
        """Make what is missing, and hear of changes from now on."""
        if self._registry.table.get(SCHEMAS) is None:
            return  # an emulated version from before they were generally available
        for resource in (SCHEMAS, LEVELS):
            self._registry.cache.of(resource).observe(self._hear)
        await self._look()
        await self._look()  # what was made has its conditions now

    async def run(self) -> None:
        """Look whenever something has changed. Until cancelled."""
        while True:
            await self._changed.wait()
            await asyncio.sleep(PAUSE_SECONDS)
            try:
                await self._look()
            except Exception:
                self._changed.set()  # whoever runs this again has it to do
                raise

    def _hear(self, _event: Event) -> None:
        self._changed.set()

    async def _look(self) -> None:
        self._changed.clear()
        cache = self._registry.cache
        there = {
            resource: [e.document() for e in cache.of(resource).scan(codec.prefix(resource))]
            for resource in (SCHEMAS, LEVELS)
        }
        wanted = operations(there[SCHEMAS], there[LEVELS], self._registry.clock.now())
        for result in await self._registry.write(wanted, bootstrap.USER) if wanted else ():
            if isinstance(result, errors.StatusError) and not isinstance(
                result, errors.AlreadyExists | errors.NotFound | errors.Conflict
            ):
                self._log.warning("cannot look after flow control", error=result.message)


def operations(
    schemas: Sequence[Mapping[str, Any]], levels: Sequence[Mapping[str, Any]], now: float
) -> list[Operation]:
    """What to write, when these objects are there. Pure."""
    found = [
        *_missing(LEVELS, levels, flowcontrol.levels()),
        *_missing(SCHEMAS, schemas, flowcontrol.schemas()),
    ]
    names = [level["metadata"]["name"] for level in levels]
    for schema in schemas:
        said = _dangling(schema, names, now)
        if said is not None:
            name = schema["metadata"]["name"]
            body = codec.document({"status": {"conditions": said}})
            found.append(
                Operation(
                    Verb.PATCH, SCHEMAS, "", name, "status", body, MERGE_PATCH,
                    field_manager=_MANAGER, want_object=False,
                )
            )  # fmt: skip
    return found


def _missing(
    resource: str, there: Sequence[Mapping[str, Any]], ours: Iterable[Mapping[str, Any]]
) -> Iterable[Operation]:
    names = [obj["metadata"]["name"] for obj in there]
    for obj in ours:
        name = obj["metadata"]["name"]
        if name not in names:
            body = codec.document(obj)
            yield Operation(Verb.CREATE, resource, "", name, body=body, want_object=False)


def _dangling(
    schema: Mapping[str, Any], levels: Sequence[str], now: float
) -> list[dict[str, Any]] | None:
    """The conditions that a schema should have; None: it has them."""
    level = schema["spec"]["priorityLevelConfiguration"]["name"]
    what = f'This FlowSchema references the PriorityLevelConfiguration object named "{level}"'
    wanted: dict[str, Any] = {"type": "Dangling"}
    if level in levels:
        wanted |= {"status": "False", "reason": "Found", "message": f"{what} and it exists"}
    else:
        why = f"{what} but there is no such object"
        wanted |= {"status": "True", "reason": "NotFound", "message": why}
    there = [dict(each) for each in (schema.get("status") or {}).get("conditions") or ()]
    for each in there:
        if each.get("type") == "Dangling" and all(each.get(k) == v for k, v in wanted.items()):
            return None
    conditions.put(there, wanted, now)
    return there
