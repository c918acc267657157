"""Carries out what was reserved for a pod's claims, and waits until it is done."""

import asyncio
from dataclasses import dataclass, field
from typing import Final, Protocol

from cluster.api import errors, nodeselectors, objects
from cluster.api.objects import Object
from cluster.api.persistentvolumes import facts
from cluster.scheduler.framework.status import SUCCESS, Code, Status
from cluster.scheduler.nodes.table import NodeTable
from cluster.scheduler.volumes.store import CLAIMS, VOLUMES, VolumeStore

TIMEOUT: Final = 600.0
"""Seconds that the controllers have (Kubernetes: bindTimeoutSeconds)."""


class Writer(Protocol):
    """What it needs of a client."""

    async def update(self, resource: str, obj: Object, *, subresource: str = "") -> Object:
        """Replace an object. errors.StatusError."""
        ...


@dataclass(slots=True)
class Reserved:
    """Volumes as they are to be written, and claims that have to be bound in the end."""

    volumes: list[Object] = field(default_factory=list)
    provisions: list[Object] = field(default_factory=list)
    claims: list[str] = field(default_factory=list)
    """Keys of all the claims that are waited for."""


class Failure(Exception):
    """The binding cannot be done: the pod is scheduled anew."""


async def bind(
    reserved: Reserved, node: str, nodes: NodeTable, store: VolumeStore,
    *, writer: Writer, seconds: float,
) -> Status:  # fmt: skip
    """Write what was reserved, and wait until every claim has its volume."""
    names = [objects.name(volume) for volume in reserved.volumes]
    try:
        with store.waiters.open([*reserved.claims, *names]) as event:
            floors = await _write(reserved, writer)
            async with asyncio.timeout(seconds):
                while not _done(reserved, floors, node, nodes, store):
                    event.clear()
                    await event.wait()
    except errors.StatusError as failure:
        return Status(Code.ERROR, (failure.message,))
    except Failure as failure:
        return Status(Code.ERROR, (f"binding volumes: {failure}",))
    except TimeoutError:
        return Status(Code.ERROR, ("binding volumes: context deadline exceeded",))
    return SUCCESS


async def _write(reserved: Reserved, writer: Writer) -> dict[str, int]:
    """The revision that each written object has to be known at, by its key."""
    written = [await writer.update(VOLUMES, volume) for volume in reserved.volumes]
    written += [await writer.update(CLAIMS, claim) for claim in reserved.provisions]
    return {objects.key(obj): objects.revision(obj) for obj in written}


def _done(
    reserved: Reserved, floors: dict[str, int], node: str, nodes: NodeTable, store: VolumeStore
) -> bool:
    """Whether all is bound. Failure where it never will be."""
    row = nodes.row(node)
    if row is None:
        raise Failure(f'node "{node}" not found')
    found = nodes.node(row)
    for volume in reserved.volumes:
        if not _volume_holds(volume, floors, found, store):
            return False
    for claim in reserved.provisions:
        if not _selection_holds(claim, floors, found, store):
            return False
    return all(_bound(key, store) for key in reserved.claims)


def _volume_holds(volume: Object, floors: dict[str, int], node: Object, store: VolumeStore) -> bool:
    name = objects.name(volume)
    stored = store.stored(VOLUMES, name)
    if stored is None:
        raise Failure(f'persistentvolume "{name}" not found')
    if objects.revision(stored) < floors[name]:
        return False
    if not (objects.spec(stored).get("claimRef") or {}).get("uid"):
        raise Failure(f'ClaimRef got reset for pv "{name}"')
    _check_place(stored, node)
    return True


def _selection_holds(
    claim: Object, floors: dict[str, int], node: Object, store: VolumeStore
) -> bool:
    key, name = objects.key(claim), objects.name(claim)
    stored = store.stored(CLAIMS, key)
    if stored is None:
        raise Failure(f'persistentvolumeclaim "{name}" not found')
    if objects.revision(stored) < floors[key]:
        return False
    if objects.annotations(stored).get(facts.SELECTED_NODE) != objects.name(node):
        raise Failure(f'provisioning failed for PVC "{name}"')
    volume = store.stored(VOLUMES, objects.spec(stored).get("volumeName") or "")
    if volume is not None:
        _check_place(volume, node)
    return True


def _check_place(volume: Object, node: Object) -> None:
    required = (objects.spec(volume).get("nodeAffinity") or {}).get("required")
    if required is None:
        return
    terms = [nodeselectors.term(each) for each in required.get("nodeSelectorTerms") or ()]
    if not any(term.matches(node) for term in terms):
        name = objects.name(volume)
        raise Failure(f'pv "{name}" node affinity doesn\'t match node "{objects.name(node)}"')


def _bound(key: str, store: VolumeStore) -> bool:
    claim = store.stored(CLAIMS, key)
    if claim is None:
        raise Failure(f'persistentvolumeclaim "{objects.split_key(key)[1]}" not found')
    return facts.fully_bound(claim)
