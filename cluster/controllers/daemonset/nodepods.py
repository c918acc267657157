"""What is to be done on each node: a pod to make, pods to delete.

Source of the rules: kube-controller-manager's DaemonSet controller. Without surge a node has one
pod, the oldest; with surge it may have two, while the new one becomes available.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cluster.api import objects
from cluster.controllers.daemonset.observed import Daemon, Observed

Wait = Callable[[str], float]
"""Seconds until a failed pod on a node (by name) may be deleted."""


@dataclass(slots=True)
class Step:
    """Nodes that need a pod, and pods to delete. `ended` are those of them that failed or
    succeeded, with their node; `wait` is the shortest back-off of another that failed.
    """

    create: list[str] = field(default_factory=list)
    delete: list[objects.Object] = field(default_factory=list)
    ended: list[tuple[str, Daemon]] = field(default_factory=list)
    wait: float | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing is to be done now."""
        return not self.create and not self.delete


def decide(seen: Observed, surging: bool, wait: Wait) -> Step:
    """What to do so that every node has the pod that it should have, whatever its template."""
    step = Step()
    for node, verdict in seen.verdicts.items():
        daemons = seen.pods.get(node)
        if daemons is None:
            if verdict.run:
                step.create.append(node)
        elif verdict.stay:
            running, waiting = _running(step, node, daemons, wait)
            if not surging:
                step.delete += [one.pod for one in running[1:]]
            elif running:
                step.delete += _superfluous(running)
            elif verdict.run and not waiting:
                step.create.append(node)
        else:
            step.delete += [one.pod for one in daemons if not one.terminating]
    for node, daemons in seen.pods.items():
        if node not in seen.verdicts:
            # No scheduler will ever bind them; bound ones are the pod garbage collector's.
            step.delete += [one.pod for one in daemons if not one.bound and not one.terminating]
    return step


def _running(
    step: Step, node: str, daemons: Sequence[Daemon], wait: Wait
) -> tuple[list[Daemon], bool]:
    """The pods that have not ended, and whether another lies there in back-off.

    Those that ended otherwise are deleted.
    """
    running: list[Daemon] = []
    waiting = False
    for one in daemons:
        if one.terminating:
            continue
        if one.phase not in ("Failed", "Succeeded"):
            running.append(one)
            continue
        seconds = wait(node) if one.phase == "Failed" else 0.0
        if seconds > 0:
            waiting = True
            step.wait = seconds if step.wait is None else min(step.wait, seconds)
        else:
            step.ended.append((node, one))
            step.delete.append(one.pod)
    return running, waiting


def _superfluous(running: Sequence[Daemon]) -> list[objects.Object]:
    """With surge: all but the oldest of each kind, and the old one once it is needed no more."""
    if len(running) == 1:
        return []
    new = [one for one in running if one.updated]
    old = [one for one in running if not one.updated]
    doomed = [*new[1:], *old[1:]]
    if new and old and (not old[0].ready or new[0].available):
        doomed.append(old[0])
    return [one.pod for one in doomed]
