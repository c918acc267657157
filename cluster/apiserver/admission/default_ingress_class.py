"""DefaultIngressClass: ingresses that name no class get the cluster's default one.

Source: k8s.io/kubernetes plugin/pkg/admission/network/defaultingressclass.
"""

from typing import ClassVar, Final

from cluster.api import objects
from cluster.apiserver.admission import known
from cluster.apiserver.admission.plugin import Act, Plugin, Request
from cluster.apiserver.watchcache.cache import WatchCache

DEFAULT: Final = "ingressclass.kubernetes.io/is-default-class"
_OLD_CLASS: Final = "kubernetes.io/ingress.class"


class DefaultIngressClass(Plugin):
    """Sets spec.ingressClassName of new ingresses."""

    name: ClassVar[str] = "DefaultIngressClass"
    resources: ClassVar[tuple[str, ...]] = ("ingresses.networking.k8s.io",)

    def __init__(self) -> None:
        self._classes = known.Known("ingressclasses.networking.k8s.io")

    def open(self, cache: WatchCache) -> None:
        """Follow the classes."""
        self._classes.open(cache)

    def mutate(self, request: Request) -> None:
        """An ingress with the old annotation has its class already."""
        if request.act is not Act.CREATE or request.subresource:
            return
        spec = request.object.setdefault("spec", {})
        said = _OLD_CLASS in objects.annotations(request.object)
        if said or spec.get("ingressClassName") is not None:
            return
        found = known.marked_default(self._classes, DEFAULT)
        if found is not None:
            spec["ingressClassName"] = objects.name(found)
