"""PodNodeSelector: a namespace keeps its pods on some nodes.

Configuration: `podNodeSelectorPluginConfig` with `clusterDefaultNodeSelector` and, by namespace, a
whitelist of labels. Source: k8s.io/kubernetes plugin/pkg/admission/podnodeselector.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Self

from cluster.api import errors, objects
from cluster.apiserver.admission import known
from cluster.apiserver.admission.plugin import Act, Plugin, Request
from cluster.apiserver.watchcache.cache import WatchCache

ANNOTATION: Final = "scheduler.alpha.kubernetes.io/node-selector"
_DEFAULT: Final = "clusterDefaultNodeSelector"


class PodNodeSelector(Plugin):
    """Joins the namespace's node selector with the pod's, and refuses contradictions."""

    name: ClassVar[str] = "PodNodeSelector"
    resources: ClassVar[tuple[str, ...]] = ("pods",)

    def __init__(self, selectors: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self._selectors = dict(selectors or {})
        self._namespaces = known.Known("namespaces")

    @classmethod
    def configured(cls, document: Any) -> Self:
        """By its part of the admission configuration. ValueError."""
        found = (document or {}).get("podNodeSelectorPluginConfig") or {}
        if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
            raise ValueError("podNodeSelectorPluginConfig: want node selectors by namespace")
        return cls({name: _labels(text) for name, text in found.items()})

    def open(self, cache: WatchCache) -> None:
        """Follow the namespaces."""
        self._namespaces.open(cache)

    def mutate(self, request: Request) -> None:
        """Complete spec.nodeSelector. errors.Forbidden."""
        if request.act is not Act.CREATE or request.subresource:
            return
        wanted = self._wanted(request)
        spec = request.object["spec"]
        said = spec.get("nodeSelector") or {}
        if _conflict(wanted, said):
            raise _conflicting(request)
        if wanted:
            spec["nodeSelector"] = {**wanted, **said}

    def validate(self, request: Request) -> None:
        """errors.Forbidden."""
        if request.act is not Act.CREATE or request.subresource:
            return
        said = objects.spec(request.object).get("nodeSelector") or {}
        if _conflict(self._wanted(request), said):
            raise _conflicting(request)
        whitelist = self._selectors.get(request.call.namespace)
        if whitelist and not said.items() <= whitelist.items():
            raise request.forbidden(
                "pod node label selector labels conflict with its namespace whitelist"
            )

    def _wanted(self, request: Request) -> Mapping[str, str]:
        namespace = self._namespaces.get(request.call.namespace) or {}
        text = objects.annotations(namespace).get(ANNOTATION)
        if text is None:
            return self._selectors.get(_DEFAULT) or {}
        try:
            return _labels(text)
        except ValueError as error:
            raise errors.InternalError(f"Internal error occurred: {error}") from None


def _labels(text: str) -> dict[str, str]:
    """`a=b,c=d` as labels. ValueError."""
    found = {}
    for part in text.split(",") if text.strip() else ():
        key, equals, value = part.strip().partition("=")
        if not equals or not key.strip():
            raise ValueError(f"invalid selector: {part.strip()}")
        found[key.strip()] = value.strip()
    return found


def _conflict(left: Mapping[str, str], right: Mapping[str, str]) -> bool:
    return any(key in right and right[key] != value for key, value in left.items())


def _conflicting(request: Request) -> errors.Forbidden:
    return request.forbidden(
        "pod node label selector conflicts with its namespace node label selector"
    )
