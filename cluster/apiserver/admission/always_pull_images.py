"""AlwaysPullImages: who runs a private image must be allowed to pull it.

Source: k8s.io/kubernetes plugin/pkg/admission/alwayspullimages.
"""

from collections.abc import Iterator
from typing import Any, ClassVar, Final

from cluster.api import objects
from cluster.api.objects import Object
from cluster.apiserver.admission.plugin import Act, Plugin, Request

_LISTS: Final = ("initContainers", "containers", "ephemeralContainers")
_SUBRESOURCES: Final = ("", "ephemeralcontainers")


class AlwaysPullImages(Plugin):
    """Makes every container pull its image each time it starts."""

    name: ClassVar[str] = "AlwaysPullImages"
    resources: ClassVar[tuple[str, ...]] = ("pods",)

    def mutate(self, request: Request) -> None:
        """Set imagePullPolicy, and pullPolicy of image volumes."""
        if not _concerns(request):
            return
        for _, holder, field in _pulling(request.object):
            holder[field] = "Always"

    def validate(self, request: Request) -> None:
        """errors.Forbidden where something after this plugin changed it."""
        if not _concerns(request):
            return
        for path, holder, field in _pulling(request.object):
            if holder.get(field) != "Always":
                said = f'Unsupported value: "{holder.get(field) or ""}"'
                raise request.forbidden(f'{path}.{field}: {said}: supported values: "Always"')


def _concerns(request: Request) -> bool:
    if request.act not in (Act.CREATE, Act.UPDATE) or request.subresource not in _SUBRESOURCES:
        return False
    # A pod from before the plugin was on must stay possible to label.
    return request.old is None or bool(_images(request.object) - _images(request.old))


def _images(pod: Object) -> set[str]:
    spec = objects.spec(pod)
    found = {str(each.get("image")) for kind in _LISTS for each in spec.get(kind) or ()}
    for volume in spec.get("volumes") or ():
        if volume.get("image"):
            found.add(str(volume["image"].get("reference")))
    return found


def _pulling(pod: Object) -> Iterator[tuple[str, Any, str]]:
    spec = objects.spec(pod)
    for kind in _LISTS:
        for index, container in enumerate(spec.get(kind) or ()):
            yield f"spec.{kind}[{index}]", container, "imagePullPolicy"
    for index, volume in enumerate(spec.get("volumes") or ()):
        if volume.get("image"):
            yield f"spec.volumes[{index}].image", volume["image"], "pullPolicy"
