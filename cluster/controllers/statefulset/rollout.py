"""The revisions of a StatefulSet: which one its pods have, and which one is rolled out."""

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cluster.api import objects
from cluster.controllers import adoption
from cluster.controllers.history import keeper, revisions, snapshot
from cluster.controllers.statefulset import status


@dataclass(frozen=True, slots=True)
class History:
    """All revisions in order, the current one, the one that is rolled out, and the collisions."""

    known: Sequence[objects.Object]
    current: objects.Object
    update: objects.Object
    collisions: int

    @property
    def names(self) -> status.Revisions:
        """Their names, as the status tells them."""
        return status.Revisions(
            objects.name(self.current), objects.name(self.update), self.collisions
        )

    def templates(self, stateful_set: objects.Object) -> dict[str, objects.Object]:
        """The pod templates by revision; one that remembers none means the present one."""
        present = objects.spec(stateful_set).get("template") or {}
        return {
            objects.name(one): snapshot.template_in(one.get("data") or {}) or present
            for one in (self.current, self.update)
        }


class Rollout:
    """Reads and writes the revisions of StatefulSets."""

    def __init__(self, kept: keeper.History) -> None:
        self._kept = kept

    async def history(self, owner: adoption.Owner) -> History | None:
        """The history with the present template's revision in it, made or renumbered if need be.

        None where there is none and the StatefulSet is going: nothing more is made for it.
        """
        stateful_set, data = owner.object, snapshot.of(owner.object)
        known: Sequence[objects.Object] = await self._kept.of(owner, release=False)
        told = objects.status(stateful_set)
        collisions = int(told.get("collisionCount") or 0)
        choice = revisions.choose(known, data)
        if objects.deleting(stateful_set) and not isinstance(choice, revisions.Keep):
            if not known:
                return None
            choice = revisions.Keep(known[-1])
        if not isinstance(choice, revisions.Keep) and (known or told.get("updateRevision")):
            known = await self._kept.fresh(owner)
            choice = revisions.choose(known, data)
        builder = functools.partial(_builder, owner, data)
        update, collisions = await self._kept.chosen(choice, builder, collisions)
        name = told.get("currentRevision")
        current = next((one for one in known if objects.name(one) == name), update)
        return History(known, current, update, collisions)

    async def forget_old(
        self, stateful_set: objects.Object, history: History, live: Iterable[str]
    ) -> None:
        """Delete the revisions beyond spec.revisionHistoryLimit that are not `live` (names)."""
        used = {history.names.current, history.names.update, *live}
        limit = objects.spec(stateful_set).get("revisionHistoryLimit")
        await self._kept.forget(revisions.surplus(history.known, used, limit))


def _builder(owner: adoption.Owner, data: objects.Object, number: int) -> keeper.Build:
    stateful_set = owner.object

    def build(collisions: int) -> objects.Object:
        return revisions.new(
            stateful_set,
            owner.reference,
            data,
            labels=objects.labels(objects.spec(stateful_set).get("template") or {}),
            annotations=objects.annotations(stateful_set),
            number=number,
            collisions=collisions,
        )

    return build
