"""The revisions of a DaemonSet: the present template's, and those to go back to."""

import functools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from cluster.api import errors, objects
from cluster.api.operations import MERGE_PATCH, Operation, Verb
from cluster.client import client
from cluster.controllers import adoption
from cluster.controllers.daemonset import podmaking
from cluster.controllers.deployment import hashing
from cluster.controllers.history import keeper, revisions, snapshot

_encode: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class History:
    """The present template's revision, the older ones in order, and the collisions of names."""

    present: objects.Object
    old: Sequence[objects.Object]
    collisions: int

    @property
    def hash(self) -> str:
        """What the pods of the present template are labelled with."""
        return hash_of(self.present)


def hash_of(revision: objects.Object) -> str:
    """The hash of a revision; one without the label has its name for it."""
    return podmaking.hash_of(revision) or objects.name(revision)


class Histories:
    """Reads and writes the revisions of DaemonSets."""

    def __init__(self, api: client.Client, kept: keeper.History) -> None:
        self._client = api
        self._kept = kept

    async def of(self, owner: adoption.Owner, pods: Sequence[objects.Object]) -> History:
        """The history with the present template's revision in it, made or renumbered if need be.

        Where several hold the present template, one stays: the `pods` of others are its own now.
        """
        data = snapshot.of(owner.object)
        known: Sequence[objects.Object] = await self._kept.of(owner, release=True)
        told = objects.status(owner.object)
        collisions = int(told.get("collisionCount") or 0)
        choice = revisions.choose(known, data)
        if not isinstance(choice, revisions.Keep) and (known or told.get("observedGeneration")):
            known = await self._kept.fresh(owner)
            choice = revisions.choose(known, data)
        builder = functools.partial(_builder, owner, data)
        present, collisions = await self._kept.chosen(choice, builder, collisions)
        uid = objects.uid(present)
        others = [one for one in known if objects.uid(one) != uid]
        twins = [one for one in others if revisions.same(one, data)]
        if twins:
            await self._merge(present, twins, pods)
        return History(present, [one for one in others if one not in twins], collisions)

    async def forget_old(
        self, daemon_set: objects.Object, history: History, live: Collection[str]
    ) -> None:
        """Delete the oldest revisions beyond spec.revisionHistoryLimit; those that pods are made
        of (hashes in `live`) stay, but count.
        """
        limit = objects.spec(daemon_set).get("revisionHistoryLimit")
        keep = revisions.DEFAULT_LIMIT if limit is None else limit
        surplus = max(0, len(history.old) - keep)
        dead = [one for one in history.old if hash_of(one) not in live]
        await self._kept.forget(dead[:surplus])

    async def _merge(
        self,
        present: objects.Object,
        twins: Sequence[objects.Object],
        pods: Sequence[objects.Object],
    ) -> None:
        hashes = {hash_of(one) for one in twins}
        labels = {podmaking.REVISION_LABEL: hash_of(present)}
        relabelled = [
            Operation(
                Verb.PATCH, "pods", objects.namespace(pod), objects.name(pod),
                body=_encode({"metadata": {"uid": objects.uid(pod), "labels": labels}}),
                patch_type=MERGE_PATCH,
            )
            for pod in pods
            if podmaking.hash_of(pod) in hashes
        ]  # fmt: skip
        for outcome in await self._client.submit_all(relabelled):
            if isinstance(outcome, errors.StatusError) and not isinstance(outcome, errors.NotFound):
                raise outcome
        await self._kept.forget(twins)


def _builder(owner: adoption.Owner, data: objects.Object, number: int) -> keeper.Build:
    daemon_set = owner.object
    template = objects.spec(daemon_set).get("template") or {}

    def build(collisions: int) -> objects.Object:
        return revisions.new(
            daemon_set,
            owner.reference,
            data,
            labels=objects.labels(template),
            annotations=objects.annotations(daemon_set),
            number=number,
            hashed=(podmaking.REVISION_LABEL, hashing.template_hash(template, collisions or None)),
        )

    return build
