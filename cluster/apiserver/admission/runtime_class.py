"""RuntimeClass: pods carry the overhead of the runtime that they ask for, and go where it is.

Source: k8s.io/kubernetes plugin/pkg/admission/runtimeclass.
"""

from typing import Any, ClassVar, Final

from cluster.api import objects, quantity
from cluster.api.objects import Object
from cluster.apiserver.admission import known, tolerations
from cluster.apiserver.admission.plugin import Act, Plugin, Request
from cluster.apiserver.watchcache.cache import WatchCache

_MISMATCH: Final = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"


class RuntimeClass(Plugin):
    """Sets overhead, node selector and tolerations of new pods by their runtime class."""

    name: ClassVar[str] = "RuntimeClass"
    resources: ClassVar[tuple[str, ...]] = ("pods",)

    def __init__(self) -> None:
        self._classes = known.Known("runtimeclasses.node.k8s.io")

    def open(self, cache: WatchCache) -> None:
        """Follow the classes."""
        self._classes.open(cache)

    def mutate(self, request: Request) -> None:
        """errors.Forbidden where the class is unknown or contradicts the pod."""
        if request.act is not Act.CREATE or request.subresource:
            return
        found = self._class(request)
        if found is None:
            return
        spec = request.object["spec"]
        fixed = (found.get("overhead") or {}).get("podFixed")
        if fixed:
            if spec.get("overhead") and not _equal(spec["overhead"], fixed):
                raise request.forbidden(_MISMATCH)
            spec["overhead"] = dict(fixed)
        scheduling = found.get("scheduling")
        if scheduling:
            _schedule(request, spec, scheduling)

    def validate(self, request: Request) -> None:
        """errors.Forbidden for an overhead that no class gives."""
        if request.act is not Act.CREATE or request.subresource:
            return
        overhead = objects.spec(request.object).get("overhead") or {}
        found = self._class(request)
        if found is None:
            if overhead:
                raise request.forbidden(
                    "pod rejected: Pod Overhead set without corresponding RuntimeClass defined "
                    "Overhead"
                )
            return
        fixed = (found.get("overhead") or {}).get("podFixed") or {}
        if not _equal(overhead, fixed):
            raise request.forbidden(_MISMATCH)

    def _class(self, request: Request) -> Object | None:
        name = objects.spec(request.object).get("runtimeClassName")
        if name is None:
            return None
        found = self._classes.get(name)
        if found is None:
            raise request.forbidden(f'pod rejected: RuntimeClass "{name}" not found')
        return found


def _equal(left: dict[str, str], right: dict[str, str]) -> bool:
    """Whether two lists of amounts are the same. A text that is no amount equals itself alone."""
    return left.keys() == right.keys() and all(
        left[name] == right[name] or _amount(left[name]) == _amount(right[name]) for name in left
    )


def _amount(text: Any) -> Any:
    try:
        return quantity.parse(text)
    except ValueError:
        return text


def _schedule(request: Request, spec: dict[str, Any], scheduling: dict[str, Any]) -> None:
    wanted = scheduling.get("nodeSelector") or {}
    said = spec.get("nodeSelector") or {}
    for key in sorted(wanted):
        if key in said and said[key] != wanted[key]:
            raise request.forbidden(
                f"conflict: runtimeClass.scheduling.nodeSelector[{key}] = {wanted[key]}; "
                f"pod.spec.nodeSelector[{key}] = {said[key]}"
            )
    if wanted:
        spec["nodeSelector"] = {**said, **wanted}
    more = scheduling.get("tolerations") or []
    if more:
        spec["tolerations"] = tolerations.merged(spec.get("tolerations") or [], more)
