"""Carrying a step out: writes in batches, and the events that tell of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from cluster.api import errors, objects
from cluster.api.operations import Operation, Verb
from cluster.client import client, recorder
from cluster.controllers import ownership, podwrites, reporting
from cluster.controllers.statefulset import identity, tasks
from cluster.controllers.statefulset.tasks import Task

MAX_BATCH = 500
"""Tasks that are carried out together at most. The first batch is one, each doubles the last."""

PODS, CLAIMS = "pods", "persistentvolumeclaims"

_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Outcome:
    """What came of a step: what was written, by resource; the pods whose deletion was not; how
    many pods were deleted for the update; and the first failure.
    """

    written: list[tuple[str, objects.Object]] = field(default_factory=list)
    deleted: set[str] = field(default_factory=set)
    replaced: int = 0
    failure: errors.StatusError | None = None


class Actor:
    """Carries out steps of one StatefulSet. `templates` are the pod templates by revision."""

    def __init__(
        self,
        api: client.Client,
        events: recorder.Recorder,
        stateful_set: objects.Object,
        templates: Mapping[str, objects.Object],
    ) -> None:
        self._client = api
        self._recorder = events
        self._set = stateful_set
        self._templates = templates
        self._owner = ownership.reference(stateful_set, "apps/v1", "StatefulSet")
        self._outcome = Outcome()

    async def carry_out(self, step: tasks.Step) -> Outcome:
        """Carry out phase after phase; the first that fails is the last."""
        for phase in step.phases:
            done = await self._phase(phase, 1 if step.ordered else MAX_BATCH)
            if phase is step.update:
                self._outcome.replaced = done
            if self._outcome.failure is not None:
                break
        return self._outcome

    async def _phase(self, phase: Sequence[Task], largest: int) -> int:
        """How many tasks were done."""
        done = at = 0
        size = 1
        while at < len(phase) and self._outcome.failure is None:
            batch = phase[at : at + size]
            at += len(batch)
            done += await self._batch(batch)
            size = min(2 * size, largest)
        return done

    async def _batch(self, batch: Sequence[Task]) -> int:
        ready = await self._with_claims(batch)
        acting = [task for task in ready if task.verb is not tasks.Verb.CLAIMS]
        outcomes = await self._client.submit_all([self._operation(task) for task in acting])
        done = len(ready) - len(acting)
        for task, outcome in zip(acting, outcomes, strict=True):
            done += self._settle(task, outcome)
        return done

    # Claims

    async def _with_claims(self, batch: Sequence[Task]) -> list[Task]:
        """Make and mend the claims of a batch; the tasks that have all they need."""
        wanted = [
            (task, claim, verb)
            for task in batch
            for verb, claims in (
                (Verb.CREATE, task.new_claims),
                (Verb.UPDATE, task.changed_claims),
            )
            for claim in claims
        ]
        outcomes = await self._client.submit_all(
            [_claim_operation(verb, claim) for _, claim, verb in wanted]
        )
        problems = {task.ordinal: list(task.problems) for task in batch}
        for (task, claim, verb), outcome in zip(wanted, outcomes, strict=True):
            if isinstance(outcome, errors.StatusError):
                what = "create" if verb is Verb.CREATE else "update"
                name = objects.name(claim)
                problems[task.ordinal].append(f"failed to {what} PVC {name}: {outcome}")
                self._fail(outcome)
                if verb is Verb.CREATE and not isinstance(outcome, errors.AlreadyExists):
                    self._claim_failed(task, claim, outcome)
            else:
                self._outcome.written.append((CLAIMS, outcome))
                if verb is Verb.CREATE:
                    self._claim_made(task, claim)
        return [task for task in batch if self._is_clear(task, problems[task.ordinal])]

    def _is_clear(self, task: Task, problems: Sequence[str]) -> bool:
        if not problems:
            return True
        text = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
        self._fail(errors.conflict(PODS, task.name, text))
        if task.verb is not tasks.Verb.CLAIMS:
            self._pod_failed(task, text)
        return False

    def _claim_made(self, task: Task, claim: objects.Object) -> None:
        text = f"create Claim {objects.name(claim)} Pod {task.name} in StatefulSet {self._name}"
        self._say(recorder.NORMAL, "SuccessfulCreate", f"{text} success")

    def _claim_failed(self, task: Task, claim: objects.Object, failure: Exception) -> None:
        text = f"create Claim {objects.name(claim)} for Pod {task.name} in StatefulSet {self._name}"
        self._say(recorder.WARNING, "FailedCreate", f"{text} failed error: {failure}")

    # Pods

    def _operation(self, task: Task) -> Operation:
        if task.verb is tasks.Verb.CREATE:
            template = self._templates[task.revision]
            return identity.creation(self._set, self._owner, template, task.ordinal, task.revision)
        pod = task.pod or {}
        if task.verb is tasks.Verb.DELETE:
            if task.ended:
                self._recreating(pod)
            return podwrites.deletion(pod)
        return Operation(
            Verb.UPDATE, PODS, objects.namespace(pod), objects.name(pod), body=_encode(pod)
        )

    def _settle(self, task: Task, outcome: objects.Object | errors.StatusError) -> bool:
        """Tell what became of a pod; whether it is as the task wanted it."""
        deletion = task.verb is tasks.Verb.DELETE
        if not isinstance(outcome, errors.StatusError):
            if deletion:
                self._outcome.deleted.add(objects.uid(task.pod or {}))
            else:
                self._outcome.written.append((PODS, outcome))
            verb = task.verb.value
            text = f"{verb} Pod {task.name} in StatefulSet {self._name} successful"
            self._say(recorder.NORMAL, f"Successful{verb.title()}", text)
            return True
        if deletion and isinstance(outcome, errors.NotFound | errors.Conflict):
            return True  # gone, or another pod of that name by now: this one is deleted
        self._fail(outcome)
        # Somebody was faster, or nothing can be made here any more: no news to a user.
        if not isinstance(outcome, errors.AlreadyExists) and not reporting.namespace_terminating(
            outcome
        ):
            self._pod_failed(task, str(outcome))
        return False

    def _pod_failed(self, task: Task, why: str) -> None:
        verb = task.verb.value
        text = f"{verb} Pod {task.name} in StatefulSet {self._name} failed error: {why}"
        self._say(recorder.WARNING, f"Failed{verb.title()}", text)

    def _recreating(self, pod: objects.Object) -> None:
        what = f"StatefulSet {objects.key(self._set)} is recreating"
        if objects.status(pod).get("phase") == "Failed":
            text = f"{what} failed Pod {objects.name(pod)}"
            self._say(recorder.WARNING, "RecreatingFailedPod", text)
        else:
            text = f"{what} terminated Pod {objects.name(pod)}"
            self._say(recorder.NORMAL, "RecreatingTerminatedPod", text)

    @property
    def _name(self) -> str:
        return objects.name(self._set)

    def _fail(self, failure: errors.StatusError) -> None:
        self._outcome.failure = self._outcome.failure or failure

    def _say(self, kind: str, reason: str, text: str) -> None:
        self._recorder.event(self._set, kind, reason, text)


def doomed(step: tasks.Step) -> Iterable[str]:
    """The uids of the pods that a step deletes."""
    for phase in step.phases:
        for task in phase:
            if task.verb is tasks.Verb.DELETE and task.pod is not None:
                yield objects.uid(task.pod)


def _claim_operation(verb: Verb, claim: objects.Object) -> Operation:
    name = objects.name(claim)
    return Operation(verb, CLAIMS, objects.namespace(claim), name, body=_encode(claim))
