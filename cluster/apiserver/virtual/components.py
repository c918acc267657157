"""ComponentStatus: whether the store, the scheduler and the controller manager are well.

kube-apiserver asks their /healthz; ours have no such port. A component is well that renewed its
lease lately, or, where it holds none, that has a watch open here.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from cluster.aio.clock import Clock
from cluster.api import errors, objects, timestamps
from cluster.api.objects import Object
from cluster.apiserver.presence import Presence
from cluster.apiserver.watchcache.cache import WatchCache
from cluster.storage import interface as storage

RESOURCE: Final = "componentstatuses"
_LEASES: Final = "leases.coordination.k8s.io"
_STORE: Final = "etcd-0"
_COMPONENTS: Final = {
    "controller-manager": "kube-controller-manager",
    "scheduler": "kube-scheduler",
}
"""The lease of each in kube-system; its user is `system:` and the same."""
_SECONDS: Final = 5.0
_LEASE_SECONDS: Final = 15.0


class ComponentStatuses:
    """A `computed.Source`."""

    def __init__(
        self, cache: WatchCache, store: storage.Storage, presence: Presence, clock: Clock
    ) -> None:
        self._cache = cache
        self._store = store
        self._presence = presence
        self._clock = clock

    async def get(self, namespace: str, name: str) -> Object:
        """One component. errors.NotFound."""
        if name == _STORE:
            return _status(name, *await self._stored())
        if name in _COMPONENTS:
            return _status(name, *self._follows(_COMPONENTS[name]))
        raise errors.not_found(RESOURCE, name)

    async def list(self, namespace: str) -> Sequence[Object]:
        """All components."""
        return [await self.get("", name) for name in sorted((*_COMPONENTS, _STORE))]

    async def _stored(self) -> tuple[str, str]:
        try:
            async with asyncio.timeout(_SECONDS):
                await self._store.check()
        except TimeoutError:
            return "", f"the store did not answer within {_SECONDS:g} s"
        except storage.Unavailable as error:
            return "", error.told or "the store is not available"
        return "ok", ""

    def _follows(self, name: str) -> tuple[str, str]:
        """The message and the error of a component."""
        lease = self._cache.get(_LEASES, "kube-system", name)
        if lease is not None:
            return _held(name, objects.spec(lease.document()), self._clock.now())
        if self._presence.watches(f"system:{name}"):
            return "ok", ""
        return "", f"system:{name} has no watch open, and there is no lease kube-system/{name}"


def _held(name: str, spec: Object, now: float) -> tuple[str, str]:
    try:
        renewed = timestamps.decode(str(spec.get("renewTime") or ""))
    except ValueError:
        return "", f"the lease kube-system/{name} was never renewed"
    silent = now - renewed
    if silent <= float(spec.get("leaseDurationSeconds") or _LEASE_SECONDS):
        return "ok", ""
    return "", f"the lease kube-system/{name} was renewed {silent:.0f} s ago"


def _status(name: str, message: str, error: str) -> Object:
    condition: dict[str, Any] = {"type": "Healthy", "status": "False" if error else "True"}
    condition["message" if not error else "error"] = message or error
    return {"metadata": {"name": name}, "conditions": [condition]}
