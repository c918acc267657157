"""What the binder knows of the cluster, and how it finds it: indices over the shared informers."""

from collections.abc import Sequence
from typing import Final

from cluster.api import objects
from cluster.api.objects import Object
from cluster.api.persistentvolumes import facts
from cluster.api.persistentvolumes.matching import Volumes
from cluster.controllers import claimusers, context, podstate
from cluster.controllers.persistentvolume import claims

UNBOUND: Final = "unbound"
"""Index of claims: the storage class of one whose binding is not done."""
NAMED_VOLUME: Final = "volume"
"""Index of claims: the volume that it names."""


def _unbound(claim: Object) -> list[str]:
    return [] if facts.fully_bound(claim) else [facts.class_of(claim)]


def _named_volume(claim: Object) -> list[str]:
    name = objects.spec(claim).get("volumeName")
    return [name] if name else []


_CLAIM_INDEXERS: Final = {UNBOUND: _unbound, NAMED_VOLUME: _named_volume}


class Known:
    """Claims, classes and pods as the informers have them; volumes with what was just written."""

    def __init__(self, ctx: context.Context) -> None:
        self.volumes = Volumes()
        self.claims = ctx.informers.get(context.CLAIMS, indexers=_CLAIM_INDEXERS)
        self.volume_source = ctx.shared(context.VOLUMES)
        self.classes = ctx.shared(context.STORAGE_CLASSES)
        self.pods = ctx.shared(context.PODS, claimusers.INDEX)

    def storage_class(self, name: str) -> Object | None:
        """A storage class."""
        return self.classes.store.get(name)

    def default_class(self) -> str | None:
        """The name of the default class."""
        return claims.newest_default(self.classes.store.list())

    def waiting_pods(self, claim: Object) -> Sequence[str]:
        """The names of the pods that use the claim and have no node."""
        users = self.pods.store.by_index(claimusers.CLAIM_USERS, objects.key(claim))
        return [
            objects.name(pod)
            for pod in users
            if not objects.spec(pod).get("nodeName") and not podstate.is_finished(pod)
        ]

    def note(self, volume: Object) -> Object:
        """A volume was written: what is decided before the watch tells of it counts it."""
        known = self.volume_source.store.get(objects.name(volume))
        if known is not None and objects.uid(known) == objects.uid(volume):
            self.volumes.put(volume)
        return volume

    def unbound_of(self, storage_class: str) -> Sequence[str]:
        """The keys of the claims of a class whose binding is not done."""
        return self.claims.store.index_keys(UNBOUND, storage_class)

    def naming(self, volume: str) -> Sequence[str]:
        """The keys of the claims that name a volume."""
        return self.claims.store.index_keys(NAMED_VOLUME, volume)
