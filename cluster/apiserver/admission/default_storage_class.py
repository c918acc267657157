"""DefaultStorageClass: claims that name no class get the cluster's default one.

Source: k8s.io/kubernetes plugin/pkg/admission/storage/storageclass/setdefault.
"""

from typing import ClassVar, Final

from cluster.api import objects
from cluster.apiserver.admission import known
from cluster.apiserver.admission.plugin import Act, Plugin, Request
from cluster.apiserver.watchcache.cache import WatchCache

DEFAULT: Final = "storageclass.kubernetes.io/is-default-class"
_BETA_DEFAULT: Final = "storageclass.beta.kubernetes.io/is-default-class"
_BETA_CLASS: Final = "volume.beta.kubernetes.io/storage-class"


class DefaultStorageClass(Plugin):
    """Sets spec.storageClassName of new claims."""

    name: ClassVar[str] = "DefaultStorageClass"
    resources: ClassVar[tuple[str, ...]] = ("persistentvolumeclaims",)

    def __init__(self) -> None:
        self._classes = known.Known("storageclasses.storage.k8s.io")

    def open(self, cache: WatchCache) -> None:
        """Follow the classes."""
        self._classes.open(cache)

    def mutate(self, request: Request) -> None:
        """A claim that says "" wants no class, and gets none."""
        if request.act is not Act.CREATE or request.subresource:
            return
        spec = request.object.setdefault("spec", {})
        said = _BETA_CLASS in objects.annotations(request.object)
        if said or spec.get("storageClassName") is not None:
            return
        found = known.marked_default(self._classes, DEFAULT, _BETA_DEFAULT)
        if found is not None:
            spec["storageClassName"] = objects.name(found)
