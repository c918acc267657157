"""One reconciliation of a Deployment as a value: what to write, in order, and what to say.

A step is small on purpose: it changes sizes once and waits for the ReplicaSets to follow, so that
the next decision is made on what really happened.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cluster.api import objects
from cluster.controllers import ownership
from cluster.controllers.deployment import (
    budget,
    progress,
    proportions,
    revisions,
    status,
    strategy,
)


@dataclass(frozen=True, slots=True)
class CreateReplicaSet:
    """Create the ReplicaSet of the current template."""

    object: objects.Object


@dataclass(frozen=True, slots=True)
class UpdateReplicaSet:
    """Write a changed ReplicaSet; where its size changed, say so (`before` to `after`)."""

    object: objects.Object
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class DeleteReplicaSet:
    """Remove an old revision from the history."""

    object: objects.Object


Action = CreateReplicaSet | UpdateReplicaSet | DeleteReplicaSet


@dataclass(slots=True)
class Decision:
    """Actions in order, then the deployment's new status and revision.

    `again_in`: seconds until it must be looked at again by time alone, None for never.
    """

    actions: list[Action] = field(default_factory=list)
    status: objects.Object = field(default_factory=dict)
    revision: int = 0
    again_in: float | None = None


def decide(
    deployment: objects.Object,
    replica_sets: Sequence[objects.Object],
    old_pods_remain: bool,
    now: float,
) -> Decision:
    """What to do for `deployment`, which owns `replica_sets`, at `now` (wall, seconds).

    `old_pods_remain` says whether pods of other than the current template still exist, finished
    ones left out: Recreate waits for them.
    """
    return _Step(deployment, replica_sets, now).run(old_pods_remain)


class _Step:
    """The working state of one decision: ReplicaSets as they will be after the actions so far."""

    def __init__(
        self, deployment: objects.Object, replica_sets: Sequence[objects.Object], now: float
    ) -> None:
        # A shallow copy whose status is replaced, never changed, as conditions come to be known.
        self._deployment = dict(deployment)
        self._now = now
        self._new, self._old = revisions.split(deployment, replica_sets)
        self._decision = Decision(revision=revisions.of(deployment))

    def run(self, old_pods_remain: bool) -> Decision:
        if objects.deleting(self._deployment):
            return self._report_sizes()
        self._note_pause()
        if objects.spec(self._deployment).get("paused"):
            self._adopt_current()
            self._resize(proportions.scale(self._deployment, self._new, self._old))
            self._clean_up()
            return self._report_sizes()
        if proportions.is_scaling(self._deployment, self._all()):
            self._adopt_current()
            self._resize(proportions.scale(self._deployment, self._new, self._old))
            return self._report_sizes()
        if budget.is_rolling(self._deployment):
            return self._roll()
        return self._recreate(old_pods_remain)

    def _roll(self) -> Decision:
        new = self._adopt_current() or self._create()
        sizes = strategy.roll_new(self._deployment, new, self._old)
        if not sizes:
            sizes = strategy.roll_old(self._deployment, new, self._old)
        if sizes:
            self._resize(sizes)
        elif self._complete():
            self._clean_up()
        return self._report_progress()

    def _recreate(self, old_pods_remain: bool) -> Decision:
        self._adopt_current()
        sizes = strategy.empty(self._old)
        if sizes:
            self._resize(sizes)
            return self._report_progress()
        if old_pods_remain or any(budget.observed(rs) for rs in self._old):
            return self._report_progress()
        new = self._new if self._new is not None else self._create()
        self._resize(strategy.roll_new(self._deployment, new, self._old))
        if self._complete():
            self._clean_up()
        return self._report_progress()

    def _all(self) -> list[objects.Object]:
        return [*self._old, *([self._new] if self._new is not None else [])]

    def _note_pause(self) -> None:
        found = status.paused_condition(self._deployment, self._now)
        if found is not None:
            self._note(found)

    def _note(self, condition: objects.Object) -> None:
        changed = dict(objects.status(self._deployment))
        status.put(changed, condition)
        self._deployment["status"] = changed

    def _adopt_current(self) -> objects.Object | None:
        """Bring the current template's ReplicaSet up to date: annotations, revision, readiness."""
        new = self._new
        if new is None:
            return None
        revision = revisions.newest(self._old) + 1
        annotations = revisions.annotated(self._deployment, objects.annotations(new), revision)
        min_ready = objects.spec(self._deployment).get("minReadySeconds") or 0
        old_min_ready = objects.spec(new).get("minReadySeconds") or 0
        if annotations != objects.annotations(new) or min_ready != old_min_ready:
            changed = _changed(new, annotations, {"minReadySeconds": min_ready})
            size = budget.replicas(new)
            self._decision.actions.append(UpdateReplicaSet(changed, size, size))
            self._new = new = changed
        self._decision.revision = revisions.of(new)
        if not self._has_progress():
            message = f'Found new replica set "{objects.name(new)}"'
            self._note_progress("FoundNewReplicaSet", message)
        return new

    def _create(self) -> objects.Object:
        revision = revisions.newest(self._old) + 1
        new = revisions.new_replica_set(
            self._deployment,
            ownership.reference(self._deployment, "apps/v1", "Deployment"),
            collisions=objects.status(self._deployment).get("collisionCount"),
            count=strategy.new_size(self._deployment, self._old, 0),
            revision=revision,
        )
        self._decision.actions.append(CreateReplicaSet(new))
        self._decision.revision = revision
        self._new = new
        message = f'Created new replica set "{objects.name(new)}"'
        self._note_progress("NewReplicaSetCreated", message)
        return new

    def _has_progress(self) -> bool:
        return status.find(objects.status(self._deployment), status.PROGRESSING) is not None

    def _note_progress(self, reason: str, message: str) -> None:
        if budget.progress_deadline(self._deployment) is not None:
            found = status.condition(status.PROGRESSING, "True", reason, message, self._now)
            self._note(found)

    def _resize(self, sizes: strategy.Sizes) -> None:
        wanted = revisions.replica_annotations(self._deployment)
        for replica_set in self._all():
            size = sizes.get(objects.name(replica_set))
            if size is None:
                continue
            before = budget.replicas(replica_set)
            annotations = objects.annotations(replica_set)
            if size == before and wanted.items() <= annotations.items():
                continue
            changed = _changed(replica_set, annotations | wanted, {"replicas": size})
            self._replace(changed, before, size)

    def _replace(self, changed: objects.Object, before: int, after: int) -> None:
        """Put a resized ReplicaSet in place; it joins an action on it that is planned already."""
        name = objects.name(changed)
        actions = self._decision.actions
        for index, action in enumerate(actions):
            if objects.name(action.object) == name and isinstance(action, UpdateReplicaSet):
                actions[index] = UpdateReplicaSet(changed, action.before, after)
                break
        else:
            actions.append(UpdateReplicaSet(changed, before, after))
        if self._new is not None and objects.name(self._new) == name:
            self._new = changed
        self._old = [changed if objects.name(rs) == name else rs for rs in self._old]

    def _complete(self) -> bool:
        counted = status.counted(self._deployment, self._all(), self._new, self._now)
        return status.complete(self._deployment, counted)

    def _clean_up(self) -> None:
        doomed = revisions.surplus(self._deployment, self._old)
        self._decision.actions.extend(DeleteReplicaSet(rs) for rs in doomed)

    def _report_sizes(self) -> Decision:
        """The status while paused or being scaled: no word about progress."""
        self._decision.status = status.counted(self._deployment, self._all(), self._new, self._now)
        return self._decision

    def _report_progress(self) -> Decision:
        decision = self._decision
        decision.status = progress.rollout_status(
            self._deployment, self._all(), self._new, self._now
        )
        decision.again_in = progress.check_after(self._deployment, decision.status, self._now)
        return decision


def _changed(
    replica_set: objects.Object, annotations: dict[str, str], spec: objects.Object
) -> objects.Object:
    """A copy with other annotations and spec fields; the one given is shared and stays."""
    return {
        **replica_set,
        "metadata": {**objects.meta(replica_set), "annotations": annotations},
        "spec": {**objects.spec(replica_set), **spec},
    }
