"""LimitRanger: containers get what their namespace gives, and no more than it allows.

Source: k8s.io/kubernetes plugin/pkg/admission/limitranger.
"""

from typing import ClassVar

from cluster.api import limitranges, objects
from cluster.apiserver.admission import known
from cluster.apiserver.admission.plugin import Act, Plugin, Request
from cluster.apiserver.watchcache.cache import WatchCache


class LimitRanger(Plugin):
    """Applies the LimitRanges of a namespace to its new pods and its claims."""

    name: ClassVar[str] = "LimitRanger"
    resources: ClassVar[tuple[str, ...]] = ("pods", "persistentvolumeclaims")

    def __init__(self) -> None:
        self._ranges = known.Known("limitranges")

    def open(self, cache: WatchCache) -> None:
        """Follow the LimitRanges."""
        self._ranges.open(cache)

    def mutate(self, request: Request) -> None:
        """Fill in requests and limits, and annotate the pod with that."""
        if not self._ranges.any_in(request.call.namespace) or not _concerns(request):
            return
        if request.row.id != "pods":
            return
        pod = request.object
        for limit_range in self._ranges.within(request.call.namespace):
            told = limitranges.give(limit_range, pod)
            if told:
                annotations = objects.annotations(pod)
                text = limitranges.annotation(told)
                pod["metadata"]["annotations"] = annotations | {limitranges.ANNOTATION: text}

    def validate(self, request: Request) -> None:
        """errors.Forbidden."""
        if not self._ranges.any_in(request.call.namespace) or not _concerns(request):
            return
        look = (
            limitranges.complaints_of_pod
            if request.row.id == "pods"
            else limitranges.complaints_of_claim
        )
        for limit_range in self._ranges.within(request.call.namespace):
            found = look(limit_range, request.object)
            if found:
                raise request.forbidden(limitranges.joined(found))


def _concerns(request: Request) -> bool:
    """What of a pod is limited does not change after it was made; resizes are the exception."""
    if request.row.id == "pods" and request.act is Act.UPDATE:
        return request.subresource == "resize"
    if request.act not in (Act.CREATE, Act.UPDATE) or request.subresource:
        return False
    return request.old is None or not objects.deleting(request.old)
