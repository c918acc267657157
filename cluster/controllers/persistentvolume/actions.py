"""What a look at a claim or a volume may lead to."""

from dataclasses import dataclass

from cluster.api.objects import Object


@dataclass(frozen=True, slots=True)
class Event:
    """Something to tell the user of."""

    reason: str
    message: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Bind:
    """Bind the claim to this volume, as far as it is not bound yet: volume first, then claim."""

    volume: Object


@dataclass(frozen=True, slots=True)
class Assign:
    """Give the claim this storage class."""

    storage_class: str


@dataclass(frozen=True, slots=True)
class Wait:
    """The claim stays in `phase` (Pending, or Lost for good)."""

    event: Event | None = None
    phase: str = "Pending"


@dataclass(frozen=True, slots=True)
class Provision:
    """Name the provisioner that is to make a volume for the claim."""

    provisioner: str
    event: Event


ForClaim = Bind | Assign | Wait | Provision


@dataclass(frozen=True, slots=True)
class Phase:
    """The volume is in this phase; the event is told where that is new."""

    phase: str
    message: str = ""
    event: Event | None = None


@dataclass(frozen=True, slots=True)
class Unbind:
    """Take the claim away from the volume, and make it available."""


@dataclass(frozen=True, slots=True)
class Delete:
    """The volume has served its purpose: delete it."""


@dataclass(frozen=True, slots=True)
class Wake:
    """The claim has to be looked at; the events are about the volume and the claim."""

    claim: Object
    on_volume: Event | None = None
    on_claim: Event | None = None


ForVolume = Phase | Unbind | Delete | Wake
