"""One step of a StatefulSet: which pods and claims are made, mended and removed, and in what order.

In order (OrderedReady): pods are made from the lowest ordinal up, each when all before it are
available, and removed from the highest down, one at a time; whatever is in the way stops the rest,
a pod of a broken revision too (Kubernetes documents that as a known issue: it must be deleted by
hand). In parallel nothing waits. Scaling goes before updating.
"""

import itertools
from collections.abc import Iterable

from cluster.api import objects
from cluster.controllers.statefulset import identity, update
from cluster.controllers.statefulset.claims import Claims
from cluster.controllers.statefulset.observed import Observed, Replica
from cluster.controllers.statefulset.settings import Settings
from cluster.controllers.statefulset.status import Revisions
from cluster.controllers.statefulset.tasks import Step, Task, Verb

MOST_NEW = 2000
"""Pods that a step makes at most: there may be two billion asked for."""


def decide(
    stateful_set: objects.Object,
    settings: Settings,
    observed: Observed,
    claims: Claims,
    revisions: Revisions,
    *,
    one_by_one: bool = False,
) -> Step:
    """What to do now. `one_by_one`: updates know no maxUnavailable, as before Kubernetes 1.35."""
    step = Step(ordered=settings.ordered, again_at=_next(observed))
    if objects.deleting(stateful_set):
        return step
    builder = _Builder(objects.name(stateful_set), settings, claims, revisions, step)
    if builder.replicas(observed) and builder.condemned(observed) and settings.rolling:
        step.update = update.tasks(settings, observed, revisions.update, one_by_one=one_by_one)
    return step


def _next(observed: Observed) -> float | None:
    """When the next pod becomes available by age."""
    return min((r.due for r in observed.everyone() if r.due is not None), default=None)


class _Builder:
    """Fills a step. Its methods tell whether nothing stands in the way of what comes next."""

    def __init__(
        self, name: str, settings: Settings, claims: Claims, revisions: Revisions, step: Step
    ) -> None:
        self._name = name
        self._settings = settings
        self._claims = claims
        self._revisions = revisions
        self._step = step

    def replicas(self, observed: Observed) -> bool:
        """Make and mend the pods that there should be."""
        for ordinal in self._looked_at(observed):
            found = observed.wanted.get(ordinal)
            clear = self._absent(ordinal) if found is None else self._present(found)
            if self._settings.ordered and not clear:
                return False
        return True

    def _looked_at(self, observed: Observed) -> Iterable[int]:
        """The ordinals in order. In parallel, those that have no pod up to a number only."""
        wanted = range(self._settings.start, self._settings.start + self._settings.replicas)
        if self._settings.ordered or len(wanted) - len(observed.wanted) <= MOST_NEW:
            return wanted
        absent = (ordinal for ordinal in wanted if ordinal not in observed.wanted)
        return sorted([*observed.wanted, *itertools.islice(absent, MOST_NEW)])

    def condemned(self, observed: Observed) -> bool:
        """Remove the pods that there should not be."""
        for found in observed.condemned:
            changed = self._claims.misowned(found.ordinal, found.pod)
            if changed:
                self._step.condemned_claims.append(
                    self._task(Verb.CLAIMS, found, changed_claims=changed)
                )
        if self._settings.ordered:
            return self._highest(observed)
        for found in observed.condemned:
            if not found.terminating:
                self._step.condemned.append(self._task(Verb.DELETE, found))
        return True

    def _highest(self, observed: Observed) -> bool:
        """Remove the highest condemned pod, if it is well or the only one that is not.

        Those that are wanted are all available here, or the step would have ended with them.
        """
        if not observed.condemned:
            return True
        highest = observed.condemned[0]
        ailing = next((r for r in reversed(observed.condemned) if r.unavailable), None)
        if not highest.terminating and (highest is ailing or _is_well(highest)):
            self._step.condemned.append(self._task(Verb.DELETE, highest))
        return False

    def _absent(self, ordinal: int) -> bool:
        """Have the pod of an ordinal made, unless its claims are still to go."""
        if self._claims.stale(ordinal):
            return False
        missing = self._claims.missing(ordinal)
        keeps = self._settings.keeps_current(ordinal)
        self._step.replicas.append(
            Task(
                Verb.CREATE,
                identity.pod_name(self._name, ordinal),
                ordinal,
                revision=self._revisions.current if keeps else self._revisions.update,
                new_claims=missing.create,
                problems=missing.problems,
            )
        )
        return False

    def _present(self, found: Replica) -> bool:
        """Have a pod mended, or removed where it has ended."""
        if found.finished:
            if not found.terminating:
                self._step.replicas.append(self._task(Verb.DELETE, found, ended=True))
            return False
        if found.phase == "Pending":
            self._complete_claims(found)
        if self._settings.ordered and not (_is_well(found) and not found.terminating):
            return False
        self._mend(found)
        return True

    def _complete_claims(self, found: Replica) -> None:
        """Make the claims of a pending pod that somebody removed."""
        missing = self._claims.missing(found.ordinal)
        changed = self._claims.misowned(found.ordinal, found.pod)
        if missing.create or missing.problems or changed:
            self._step.replicas.append(
                self._task(
                    Verb.CLAIMS,
                    found,
                    new_claims=missing.create,
                    changed_claims=changed,
                    problems=missing.problems,
                )
            )

    def _mend(self, found: Replica) -> None:
        named = identity.matches(found.pod)
        mounted = self._claims.mounted(found.pod, found.ordinal)
        pending = found.phase == "Pending"
        changed = () if pending else self._claims.misowned(found.ordinal, found.pod)
        if named and mounted:
            if changed:
                self._step.replicas.append(self._task(Verb.CLAIMS, found, changed_claims=changed))
            return
        missing = self._claims.missing(found.ordinal)
        self._step.replicas.append(
            Task(
                Verb.UPDATE,
                objects.name(found.pod),
                found.ordinal,
                pod=mended(found.pod, found.ordinal, self._claims),
                new_claims=() if mounted or pending else missing.create,
                changed_claims=changed,
                problems=() if mounted else missing.problems,
            )
        )

    def _task(self, verb: Verb, found: Replica, **more: object) -> Task:
        name = objects.name(found.pod)
        return Task(verb, name, found.ordinal, pod=found.pod, **more)  # type: ignore[arg-type]


def mended(pod: objects.Object, ordinal: int, claims: Claims) -> objects.Object:
    """A pod with the labels and volumes that its ordinal asks for."""
    name, meta, spec = objects.name(pod), objects.meta(pod), objects.spec(pod)
    result = {
        **pod,
        "metadata": {**meta, "labels": {**objects.labels(pod), **identity.labels(name, ordinal)}},
    }
    if not claims.mounted(pod, ordinal):
        volumes = identity.with_volumes(spec.get("volumes") or (), claims.volumes(ordinal))
        result["spec"] = {**spec, "volumes": volumes}
    return result


def _is_well(found: Replica) -> bool:
    """Running, ready, and for long enough."""
    return found.ready and found.available
