"""Keeps the table of resources current with the CustomResourceDefinitions, and their status too.

Rows change at once, when the watch cache hears of a definition: who has seen it Established finds
it served. Names, conditions and the clean-up of what goes are written by a task, one definition at
a time, as kube-apiserver's naming, establishing, approval and finalizing controllers do.
"""

import asyncio
from collections.abc import Iterator
from random import Random

import structlog

from cluster.aio import tasks
from cluster.aio.retrying import Retries
from cluster.api import errors, objects
from cluster.api.crd import names, rows
from cluster.api.objects import Object
from cluster.api.operations import Operation, Verb
from cluster.api.resources import Resource
from cluster.apiserver import bootstrap, codec
from cluster.apiserver.extensions.instances import Instances
from cluster.apiserver.registry import Registry
from cluster.apiserver.watchcache.events import Event

DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"
_TRIED = ("InstanceDeletionCheck", "InstanceDeletionFailed")
RETRY_INITIAL, RETRY_MAXIMUM = 0.05, 30.0
"""Seconds before a definition that could not be dealt with is looked at again."""


class Extensions:
    """Serves the custom resources of an open registry: `open`, then `run` until cancelled."""

    def __init__(self, registry: Registry, random: Random) -> None:
        self._registry = registry
        self._table = registry.table
        self._waiting: dict[str, None] = {}
        self._cleaning: dict[str, None] = {}
        self._misheard: dict[str, None] = {}
        self._retries = Retries(
            self._again, random=random, initial=RETRY_INITIAL, maximum=RETRY_MAXIMUM
        )
        self._wake = asyncio.Event()
        self._instances = Instances(registry)
        self._built_in = frozenset(row.id for row in registry.table)
        self._log = structlog.get_logger().bind(component="apiserver")

    def open(self) -> None:
        """Put in the rows of the definitions that are there, and follow them from now on."""
        self._registry.cache.of(DEFINITIONS).observe(self._heard)

    async def run(self) -> None:
        """Deal with definitions until cancelled. Run again, it begins with all that are there."""
        for name in (*map(objects.name, self._definitions()), *self._misheard):
            self._again(name)
        self._cleaning.clear()
        async with tasks.Group("extensions") as group:
            while True:
                await self._wake.wait()
                self._wake.clear()
                waiting, self._waiting = self._waiting, {}
                for name in waiting:
                    await self._attempt(name, group)

    def _heard(self, event: Event) -> None:
        """Follow a change; a fault in that must not reach the watch cache, whose feed this is."""
        try:
            self._follow(event)
        except Exception as error:  # noqa: BLE001  (`_attempt` does it over)
            name = (event.entry or event.previous).name  # type: ignore[union-attr]
            self._log.error("rows of a definition not made", definition=name, exc_info=error)
            self._misheard[name] = None
            self._retries.later(name)

    def _follow(self, event: Event) -> None:
        if event.entry is None:
            self._gone(event.previous.name if event.previous is not None else "")
            return
        definition = event.entry.document()
        self._put(definition)
        self._again(event.entry.name)
        if event.previous is not None and _gave_up_names(event.previous.document(), definition):
            self._others(event.entry.name)

    def _gone(self, name: str) -> None:
        if name not in self._built_in:
            self._table.remove(name)
            # Later: what was heard together with this has still to reach the watchers.
            end = self._registry.cache.of(name).end_watches
            asyncio.get_running_loop().call_soon(end)
        self._others(name)

    def _put(self, definition: Object, *, anew: bool = False) -> None:
        name = rows.resource_id(definition)
        if name in self._built_in:
            return  # a definition of what is served already takes nothing over
        before = self._table.versions(name)
        wanted = rows.of(definition, before)
        if not wanted:
            self._table.remove(name)
        elif anew or wanted != before or not all(map(_same_rules, wanted, before)):
            self._table.put(wanted)

    def _hear_again(self, name: str, definition: Object | None) -> None:
        """Do over what failed when it was heard: whoever listens to the table is told again."""
        if definition is None:
            self._gone(name)
        else:
            self._put(definition, anew=True)
            self._others(name)
        del self._misheard[name]

    def _again(self, name: str) -> None:
        self._waiting[name] = None
        self._wake.set()

    def _others(self, name: str) -> None:
        """Names were given back: who else of the group wants them?"""
        group = name.partition(".")[2]
        for entry in self._definitions():
            if entry["spec"].get("group") == group and objects.name(entry) != name:
                self._again(objects.name(entry))

    def _definitions(self) -> Iterator[Object]:
        for entry in self._registry.cache.of(DEFINITIONS).scan(codec.prefix(DEFINITIONS)):
            yield entry.document()

    async def _attempt(self, name: str, group: tasks.Group) -> None:
        """Deal with a definition; what fails is told of and done again, later each time."""
        try:
            await self._deal(name, group)
        except errors.StatusError as error:
            self._log.warning("definition not settled yet", definition=name, error=error.message)
            self._retries.later(name)
        except Exception as error:  # noqa: BLE001  (one definition must not end the others)
            self._log.error("settling a definition failed", definition=name, exc_info=error)
            self._retries.later(name)
        else:
            self._retries.forget(name)

    async def _deal(self, name: str, group: tasks.Group) -> None:
        entry = self._registry.cache.get(DEFINITIONS, "", name)
        definition = entry.document() if entry is not None else None
        going = definition is not None and objects.deleting(definition)
        if going:
            self._clean(name, group)  # which needs no rows where there never were any
        if name in self._misheard:
            self._hear_again(name, definition)
        if definition is not None and not going:
            await self._settle(definition)

    async def _settle(self, definition: Object) -> None:
        """Give it the names that are free, and say so in its conditions."""
        group = objects.spec(definition).get("group")
        others = [
            other
            for other in self._definitions()
            if other["spec"].get("group") == group and objects.uid(other) != objects.uid(definition)
        ]
        given, accepted = names.accepted(definition, names.taken(others))
        wanted = (accepted, names.established(definition, accepted), names.conformance(definition))
        conditions = names.with_conditions(definition, wanted, self._registry.clock.now())
        status = objects.status(definition) | {"acceptedNames": given, "conditions": conditions}
        if status != objects.status(definition):
            await self._update(definition | {"status": status})

    async def _update(self, definition: Object) -> None:
        """Write the status. Whoever changed the definition meanwhile makes this be done again."""
        operation = Operation(
            Verb.UPDATE, DEFINITIONS, "", objects.name(definition), "status",
            codec.document(definition),
        )  # fmt: skip
        try:
            await self._registry.one(operation, bootstrap.USER)
        except (errors.Conflict, errors.NotFound):
            self._again(objects.name(definition))

    # The end of a definition

    def _clean(self, name: str, group: tasks.Group) -> None:
        if name not in self._cleaning:
            self._cleaning[name] = None
            group.spawn(self._finalize(name), f"finalize/{name}")

    async def _finalize(self, name: str) -> None:
        """Delete every object of a definition that goes, then let it go."""
        pause = self._retries.pause()
        try:
            while (definition := self._going(name)) is not None:
                try:
                    await self._finish(definition)
                except (errors.Conflict, errors.NotFound):
                    await pause.wait()
                except errors.StatusError as error:
                    what = "objects of a definition not deleted yet"
                    self._log.warning(what, definition=name, error=error.message)
                    await pause.wait()
                except Exception as error:  # noqa: BLE001  (tried again, as what is refused)
                    what = "deleting a definition failed"
                    self._log.error(what, definition=name, exc_info=error)
                    await pause.wait()
        finally:
            self._cleaning.pop(name, None)

    def _going(self, name: str) -> Object | None:
        entry = self._registry.cache.get(DEFINITIONS, "", name)
        definition = entry.document() if entry is not None else {}
        meta = objects.meta(definition)
        going = meta.get("deletionTimestamp") and names.FINALIZER in (meta.get("finalizers") or ())
        return definition if going else None

    async def _finish(self, definition: Object) -> None:
        progress = names.terminating(
            "True", "InstanceDeletionInProgress", "CustomResource deletion is in progress"
        )
        if not names.has_reason(definition, names.TERMINATING, _TRIED):
            definition = await self._say(definition, progress)
        resource = rows.resource_id(definition)
        if resource in self._built_in:
            done = names.terminating(
                "False", "OverlappingBuiltInResource",
                "instances overlap with built-in resources in storage",
            )  # fmt: skip
        elif not names.is_true(definition, names.ESTABLISHED):
            done = names.terminating("False", "NeverEstablished", "resource was never established")
        else:
            try:
                await self._instances.delete_all(resource)
            except errors.StatusError as error:
                late = isinstance(error, errors.Timeout)
                reason = "InstanceDeletionCheck" if late else "InstanceDeletionFailed"
                failed = names.terminating("True", reason, error.message)
                await self._say(definition, failed)
                raise
            done = names.terminating("False", "InstanceDeletionCompleted", "removed all instances")
        await self._say(definition, done, finished=True)

    async def _say(
        self, definition: Object, condition: Object, *, finished: bool = False
    ) -> Object:
        """The definition with a condition, written; `finished` takes the finalizer away with it."""
        now = self._registry.clock.now()
        status = objects.status(definition) | {
            "conditions": names.with_conditions(definition, (condition,), now)
        }
        wanted = definition | {"status": status}
        if finished:
            meta = dict(objects.meta(definition))
            meta["finalizers"] = [name for name in meta["finalizers"] if name != names.FINALIZER]
            wanted["metadata"] = meta
        operation = Operation(
            Verb.UPDATE, DEFINITIONS, "", objects.name(definition), "status",
            codec.document(wanted),
        )  # fmt: skip
        entry = await self._registry.one(operation, bootstrap.USER)
        return entry.document() if entry is not None and not finished else wanted


def _same_rules(one: Resource, other: Resource) -> bool:
    return one.custom is other.custom


def _gave_up_names(old: Object, new: Object) -> bool:
    before = objects.status(old).get("acceptedNames")
    return bool(before) and before != objects.status(new).get("acceptedNames")
