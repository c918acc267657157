"""PersistentVolumeClaimResize: only what its class lets grow may grow.

Source: k8s.io/kubernetes plugin/pkg/admission/storage/persistentvolume/resize.
"""

from typing import ClassVar

from cluster.api import objects, quantity
from cluster.api.objects import Object
from cluster.apiserver.admission import known
from cluster.apiserver.admission.plugin import Act, Plugin, Request
from cluster.apiserver.watchcache.cache import WatchCache


class PersistentVolumeClaimResize(Plugin):
    """Refuses larger requests of claims that are not bound, or whose class does not expand."""

    name: ClassVar[str] = "PersistentVolumeClaimResize"
    resources: ClassVar[tuple[str, ...]] = ("persistentvolumeclaims",)

    def __init__(self) -> None:
        self._classes = known.Known("storageclasses.storage.k8s.io")

    def open(self, cache: WatchCache) -> None:
        """Follow the classes."""
        self._classes.open(cache)

    def validate(self, request: Request) -> None:
        """errors.Forbidden."""
        if request.act is not Act.UPDATE or request.subresource or request.old is None:
            return
        if _size(request.object) <= _size(request.old):
            return
        if objects.status(request.old).get("phase") != "Bound":
            raise request.forbidden("Only bound persistent volume claims can be expanded")
        # Either state's class counts as Kubernetes compares it: the old one is the bound one.
        name = objects.spec(request.object).get("storageClassName") or ""
        found = self._classes.get(name)
        if found is None or not found.get("allowVolumeExpansion"):
            raise request.forbidden(
                "only dynamically provisioned pvc can be resized and the storageclass that "
                "provisions the pvc must support resize"
            )


def _size(claim: Object) -> quantity.Amount:
    requests = (objects.spec(claim).get("resources") or {}).get("requests") or {}
    return quantity.parse(requests.get("storage", "0"))
