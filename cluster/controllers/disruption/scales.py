"""How many pods the controllers of pods want: kinds that are known here, and whatever has a Scale.

What a Deployment's ReplicaSets want is what the Deployment wants.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from cluster.api import errors, objects, resources
from cluster.client import informer
from cluster.client.client import Client
from cluster.controllers import context
from cluster.controllers.disruption.decision import Found, Incalculable

KNOWN: Final = {
    ("apps", "ReplicaSet"): context.REPLICA_SETS,
    ("apps", "StatefulSet"): context.STATEFUL_SETS,
    ("", "ReplicationController"): context.REPLICATION_CONTROLLERS,
}
Reference = Mapping[str, Any]


class Scales:
    """Finds the controllers of pods: those of known kinds in the cache, others at the API."""

    def __init__(self, ctx: context.Context, table: resources.Table) -> None:
        self._client: Client = ctx.client
        self._table = table
        self._deployments = ctx.shared(context.DEPLOYMENTS)
        self._owners = {kind: ctx.shared(resource) for kind, resource in KNOWN.items()}

    async def synced(self) -> None:
        """Wait until the caches are filled."""
        for source in (self._deployments, *self._owners.values()):
            await source.synced()

    async def of(self, space: str, pods: Sequence[objects.Object]) -> dict[str, Found | None]:
        """What wants the pods, by the uids of their controllers; None where that is not there.

        Incalculable, where a controller is of a kind that cannot be scaled.
        """
        found: dict[str, Found | None] = {}
        for pod in pods:
            owner = objects.controller_of(pod)
            if owner is None or owner.get("uid") in found:
                continue
            known = self._owners.get(_kind_of(owner))
            uid = str(owner.get("uid"))
            if known is None:
                found[uid] = await self._asked(space, owner)
            else:
                found[uid] = self._cached(space, known, owner)
        return found

    def _cached(self, space: str, source: informer.Informer, owner: Reference) -> Found | None:
        found = _named(source, space, owner)
        above = objects.controller_of(found) if found is not None else None
        if above is not None and above.get("kind") == "Deployment":
            found = _named(self._deployments, space, above)
        if found is None:
            return None
        return Found(objects.uid(found), int(objects.spec(found).get("replicas") or 0))

    async def _asked(self, space: str, owner: Reference) -> Found | None:
        api_version, kind = str(owner.get("apiVersion")), str(owner.get("kind"))
        row = self._table.of_kind(api_version, kind)
        if row is None or not row.namespaced:
            raise Incalculable(f'no matches for kind "{kind}" in version "{api_version}"')
        if "scale" not in row.subresources:
            raise Incalculable(f"{row.id} does not implement the scale subresource")
        root = f"/apis/{row.api_version}" if row.group else f"/api/{row.version}"
        name = quote(str(owner.get("name")), safe="")
        path = f"{root}/namespaces/{quote(space)}/{row.plural}/{name}/scale"
        try:
            scale = await self._client.read(path)
        except errors.NotFound:
            return None
        except errors.StatusError as failure:
            raise Incalculable(failure.message) from None
        if objects.uid(scale) != owner.get("uid"):
            return None
        return Found(objects.uid(scale), int(objects.spec(scale).get("replicas") or 0))


def _kind_of(owner: Reference) -> tuple[str, str]:
    group = str(owner.get("apiVersion") or "").rpartition("/")[0]
    return group, str(owner.get("kind") or "")


def _named(source: informer.Informer, space: str, owner: Reference) -> objects.Object | None:
    found = source.store.get(f"{space}/{owner.get('name')}")
    return found if found is not None and objects.uid(found) == owner.get("uid") else None
