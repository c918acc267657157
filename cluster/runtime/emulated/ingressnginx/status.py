"""Writes where an Ingress is reached into its status, as long as this controller leads."""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from cluster.aio import backoff
from cluster.api import errors, objects
from cluster.client import leaderelection
from cluster.client.client import Client
from cluster.client.election import Config
from cluster.runtime.vos.kernel import Call

_EVERY: Final = 60.0
_RESYNC: Final = 1.0
RESOURCE: Final = "ingresses.networking.k8s.io"


class Status:
    """Keeps status.loadBalancer of the controller's Ingresses. `where` tells what belongs there."""

    def __init__(
        self,
        call: Call,
        client: Client,
        election: Config | None,
        ingresses: Callable[[], Sequence[objects.Object]],
        where: Callable[[], Sequence[Mapping[str, Any]]],
    ) -> None:
        self._call = call
        self._client = client
        self._election = election
        self._ingresses = ingresses
        self._where = where
        self._changed = asyncio.Event()
        # What waits is drawn anew for each pod, and always the same.
        self._random = random.Random(call.kernel.hostname)  # noqa: S311
        self.leads = False

    def look(self) -> None:
        """Something has changed: look soon."""
        self._changed.set()

    async def run(self) -> None:
        """Write what differs, until cancelled; stand again where the lease was lost."""
        pause = backoff.Backoff(self._random, initial=0.5, maximum=10.0)
        while True:
            try:
                await leaderelection.run(
                    self._lead, self._election, self._client, self._call.kernel.clock, self._random
                )
            except (leaderelection.LostLeadership, errors.StatusError):
                self.leads = False
                await pause.wait()

    async def _lead(self) -> None:
        self.leads = True
        while True:
            self._changed.clear()
            await self.write(list(self._where()))
            try:
                async with asyncio.timeout(_EVERY):
                    await self._changed.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(_RESYNC)

    async def write(self, wanted: Sequence[Mapping[str, Any]]) -> None:
        """Write this into every Ingress that has something else."""
        for ingress in self._ingresses():
            status = objects.status(ingress)
            if list((status.get("loadBalancer") or {}).get("ingress") or []) == list(wanted):
                continue
            # ingress-nginx may update and not patch.
            made = {
                **ingress, "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
                "status": {**status, "loadBalancer": {"ingress": list(wanted)} if wanted else {}},
            }  # fmt: skip
            try:
                await self._client.update(RESOURCE, made, subresource="status")
            except (errors.NotFound, errors.Conflict):
                continue  # it is gone, or will be seen anew
            except errors.StatusError:
                self._changed.set()
                return


def of_service(service: objects.Object | None) -> list[Mapping[str, Any]]:
    """Where the service is reached that publishes the controller: of a load balancer, of external
    addresses, or of its own.
    """
    if service is None:
        return []
    spec = objects.spec(service)
    if spec.get("type") == "LoadBalancer":
        found = (objects.status(service).get("loadBalancer") or {}).get("ingress") or []
        listed = [{key: one[key] for key in ("ip", "hostname") if one.get(key)} for one in found]
    elif spec.get("type") == "ExternalName":
        listed = [{"hostname": spec.get("externalName")}]
    else:
        listed = [{"ip": spec["clusterIP"]}] if spec.get("clusterIP") not in (None, "None") else []
    listed += [{"ip": one} for one in spec.get("externalIPs") or ()]
    return sorted(listed, key=lambda one: str(one.get("hostname") or "") + str(one.get("ip") or ""))
