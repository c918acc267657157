"""Reading and writing ControllerRevisions for their owners."""

from collections.abc import Callable, Iterable

from cluster.api import errors, objects, selectors
from cluster.client import client, informer
from cluster.controllers import adoption, context, ownership, selection
from cluster.controllers.history import revisions

MAX_COLLISIONS = 20
"""Names that are tried for one revision. Each is a 32-bit hash: one collision is news already."""

Build = Callable[[int], objects.Object]
"""The revision to create, named for a collision count."""


class History:
    """The revisions in one informer's store (`context.shared(context.CONTROLLER_REVISIONS)`)."""

    def __init__(self, api: client.Client, source: informer.Informer) -> None:
        self._client = api
        self._source = source

    async def of(self, owner: adoption.Owner, *, release: bool) -> list[objects.Object]:
        """The revisions of `owner`, oldest first, after adopting orphans that it selects.

        Those that it owns and no longer selects are let go with `release` (DaemonSets do) and are
        otherwise left alone, and not given.
        """
        matches = selection.matcher_of(owner.object)
        found = await adoption.claimed(
            self._client,
            owner,
            self._source,
            lambda one: release or matches(objects.labels(one)),
        )
        return revisions.ordered(found)

    async def fresh(self, owner: adoption.Owner) -> list[objects.Object]:
        """What `owner` controls by the API itself, oldest first: ask before giving a number.

        The cache may not show the last revision yet, and two would get one number.
        """
        selector = selection.selector_of(owner.object)
        found = await self._client.list(
            context.CONTROLLER_REVISIONS,
            objects.namespace(owner.object),
            labels=selectors.as_text(selector),
        )
        return revisions.ordered(ownership.controlled(owner.object, found.items))

    async def chosen(
        self, choice: revisions.Choice, builder: Callable[[int], Build], collisions: int
    ) -> tuple[objects.Object, int]:
        """The revision that `revisions.choose` means, and the collision count it took.

        `builder` gives what makes one of a number. errors.StatusError.
        """
        if isinstance(choice, revisions.Keep):
            return choice.revision, collisions
        if isinstance(choice, revisions.Renumber):
            return await self.renumber(choice), collisions
        return await self.create(builder(choice.number), collisions)

    async def forget(self, surplus: Iterable[objects.Object]) -> None:
        """Delete revisions; those that are gone are gone."""
        for one in surplus:
            try:
                await self._client.delete(
                    context.CONTROLLER_REVISIONS,
                    objects.name(one),
                    objects.namespace(one),
                    uid=objects.uid(one),
                )
            except errors.NotFound:
                continue

    async def create(self, build: Build, collisions: int) -> tuple[objects.Object, int]:
        """Create a revision; the revision and the collision count it took.

        One of that name with the same data is taken for it, whoever owns it: an earlier attempt
        made it, or it was made for another object of the owner's name. One with other data is a
        collision, and the next name is tried.
        """
        for count in range(collisions, collisions + MAX_COLLISIONS):
            wanted = build(count)
            try:
                return await self._client.create(context.CONTROLLER_REVISIONS, wanted), count
            except errors.AlreadyExists:
                present = await self._client.get(
                    context.CONTROLLER_REVISIONS, objects.name(wanted), objects.namespace(wanted)
                )
            if revisions.same(present, wanted["data"]):
                return present, count
        raise errors.conflict(
            context.CONTROLLER_REVISIONS, objects.name(wanted), "too many hashes collide"
        )

    async def renumber(self, choice: revisions.Renumber) -> objects.Object:
        """Give a revision a new number. errors.Conflict where it changed since it was read."""
        return await self._client.update(
            context.CONTROLLER_REVISIONS, {**choice.revision, "revision": choice.number}
        )
