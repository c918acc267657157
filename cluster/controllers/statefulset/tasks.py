"""What a step asks for: tasks, each about one pod, in phases that follow upon one another."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field

from cluster.api import objects


class Verb(enum.StrEnum):
    """What becomes of the pod. Claims come first, whatever it is."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    CLAIMS = "claims"
    """Nothing: the task is about its claims alone."""


@dataclass(frozen=True, slots=True)
class Task:
    """`pod` is the pod as it is seen (None: there is none), `revision` names what a new one is of.

    `problems` say why its claims cannot be made; with any, the task has failed. `ended`: the pod is
    deleted because it has ended by itself, and will be made anew.
    """

    verb: Verb
    name: str
    ordinal: int
    pod: objects.Object | None = None
    revision: str = ""
    new_claims: Sequence[objects.Object] = ()
    changed_claims: Sequence[objects.Object] = ()
    problems: Sequence[str] = ()
    ended: bool = False


@dataclass(slots=True)
class Step:
    """Phases in order: one that fails is the last. The last of a whole step is the update.

    `ordered`: a phase's tasks are carried out one by one, else together. `again_at` is the wall
    time at which there is more to decide though nothing has happened, or None.
    """

    ordered: bool
    replicas: list[Task] = field(default_factory=list)
    condemned_claims: list[Task] = field(default_factory=list)
    condemned: list[Task] = field(default_factory=list)
    update: list[Task] = field(default_factory=list)
    again_at: float | None = None

    @property
    def phases(self) -> Sequence[Sequence[Task]]:
        """All phases, the empty ones too."""
        return (self.replicas, self.condemned_claims, self.condemned, self.update)
