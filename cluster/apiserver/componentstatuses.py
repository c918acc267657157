"""ComponentStatuses: how the scheduler, the controller manager and the storage are, right now.

Nothing is stored. kube-apiserver asks their health ports; here they have none, and what tells of
them is the Lease that they hold with `--leader-elect`. Of one that holds none nothing is known, and
`kubectl get componentstatuses` says Unknown.
"""

from collections.abc import Iterator
from typing import Final

from cluster.aio.clock import Clock
from cluster.api import objects, timestamps
from cluster.api.objects import Object
from cluster.apiserver import codec
from cluster.apiserver.watchcache.cache import WatchCache
from cluster.apiserver.watchcache.entry import Entry

RESOURCE: Final = "componentstatuses"
_LEASES: Final = "leases.coordination.k8s.io"
_NAMESPACE: Final = "kube-system"
_COMPONENTS: Final = (
    ("controller-manager", "kube-controller-manager"),
    ("scheduler", "kube-scheduler"),
)
_STORAGE: Final = "etcd-0"


class ComponentStatuses:
    """Gives the status of each component, as of now."""

    def __init__(self, cache: WatchCache, clock: Clock) -> None:
        self._cache = cache
        self._clock = clock

    def entries(self) -> list[Entry]:
        """All of them, by name."""
        shape = self._cache.of(RESOURCE).shape
        found = sorted(self._statuses(), key=objects.name)
        return [
            Entry(shape, codec.key(RESOURCE, "", objects.name(obj)), codec.document(obj), 0, 0)
            for obj in found
        ]

    def _statuses(self) -> Iterator[Object]:
        for name, lease in _COMPONENTS:
            entry = self._cache.get(_LEASES, _NAMESPACE, lease)
            yield status(name, None if entry is None else entry.document(), self._clock.now())
        # This server could not answer if it were not.
        yield _made(_STORAGE, {"type": "Healthy", "status": "True", "message": "ok"})


def status(name: str, lease: Object | None, now: float) -> Object:
    """What a component's lease tells of it; `now` is in seconds since the epoch."""
    spec = objects.spec(lease) if lease is not None else {}
    renewed, seconds = spec.get("renewTime"), spec.get("leaseDurationSeconds") or 0
    if not renewed or not spec.get("holderIdentity"):
        return _made(name)
    if now - timestamps.decode(renewed) <= seconds:
        return _made(name, {"type": "Healthy", "status": "True", "message": "ok"})
    why = f"no leader has renewed its lease since {renewed}"
    return _made(name, {"type": "Healthy", "status": "False", "message": why})


def _made(name: str, *conditions: Object) -> Object:
    obj: Object = {"apiVersion": "v1", "kind": "ComponentStatus", "metadata": {"name": name}}
    return obj | {"conditions": list(conditions)} if conditions else obj
