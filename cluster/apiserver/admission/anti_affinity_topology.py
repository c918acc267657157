"""LimitPodHardAntiAffinityTopology: pods may keep others off a node, not off a zone.

Source: k8s.io/kubernetes plugin/pkg/admission/antiaffinity.
"""

from typing import ClassVar, Final

from cluster.api import objects
from cluster.apiserver.admission.plugin import Act, Plugin, Request

HOSTNAME: Final = "kubernetes.io/hostname"


class LimitPodHardAntiAffinityTopology(Plugin):
    """Refuses required anti-affinity over anything but nodes."""

    name: ClassVar[str] = "LimitPodHardAntiAffinityTopology"
    resources: ClassVar[tuple[str, ...]] = ("pods",)

    def validate(self, request: Request) -> None:
        """errors.Forbidden."""
        if request.act not in (Act.CREATE, Act.UPDATE) or request.subresource:
            return
        affinity = objects.spec(request.object).get("affinity") or {}
        terms = (affinity.get("podAntiAffinity") or {}).get(
            "requiredDuringSchedulingIgnoredDuringExecution"
        )
        for term in terms or ():
            key = term.get("topologyKey")
            if key != HOSTNAME:
                raise request.forbidden(
                    "affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey "
                    f"{key} but only key {HOSTNAME} is allowed"
                )
