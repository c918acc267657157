"""ExtendedResourceToleration: pods that ask for a device tolerate the taint of nodes kept for it.

Source: k8s.io/kubernetes plugin/pkg/admission/extendedresourcetoleration.
"""

from typing import ClassVar

from cluster.api import objects
from cluster.api.quota import names
from cluster.apiserver.admission.plugin import Act, Plugin, Request


class ExtendedResourceToleration(Plugin):
    """Adds a toleration for each extended resource that a pod requests."""

    name: ClassVar[str] = "ExtendedResourceToleration"
    resources: ClassVar[tuple[str, ...]] = ("pods",)

    def mutate(self, request: Request) -> None:
        """Complete spec.tolerations."""
        if request.act not in (Act.CREATE, Act.UPDATE) or request.subresource:
            return
        spec = objects.spec(request.object)
        asked = {
            resource
            for kind in ("containers", "initContainers")
            for container in spec.get(kind) or ()
            for resource in (container.get("resources") or {}).get("requests") or ()
            if names.is_extended(resource)
        }
        said = spec.get("tolerations") or []
        missing = [
            toleration
            for resource in sorted(asked)
            if (toleration := {"key": resource, "operator": "Exists"}) not in said
        ]
        if missing:
            spec["tolerations"] = [*said, *missing]
