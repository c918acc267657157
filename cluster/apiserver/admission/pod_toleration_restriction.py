"""PodTolerationRestriction: a namespace says what its pods tolerate, and what they may.

Configuration: `default` and `whitelist`, lists of tolerations, for namespaces that say nothing.
Source: k8s.io/kubernetes plugin/pkg/admission/podtolerationrestriction.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Final, Self

from cluster.api import errors, json_text, objects, qos
from cluster.apiserver.admission import known, tolerations
from cluster.apiserver.admission.plugin import Act, Plugin, Request
from cluster.apiserver.admission.tolerations import Toleration
from cluster.apiserver.watchcache.cache import WatchCache

DEFAULTS: Final = "scheduler.alpha.kubernetes.io/defaultTolerations"
WHITELIST: Final = "scheduler.alpha.kubernetes.io/tolerationsWhitelist"
_PRESSURE: Final = {
    "key": "node.kubernetes.io/memory-pressure", "operator": "Exists", "effect": "NoSchedule",
}  # fmt: skip
_list = json_text.reader(list[dict[str, str | int | None]])


class PodTolerationRestriction(Plugin):
    """Adds the namespace's tolerations, and refuses those beyond its whitelist."""

    name: ClassVar[str] = "PodTolerationRestriction"
    resources: ClassVar[tuple[str, ...]] = ("pods",)

    def __init__(
        self, default: Sequence[Toleration] = (), whitelist: Sequence[Toleration] = ()
    ) -> None:
        self._default = tuple(default)
        self._whitelist = tuple(whitelist)
        self._namespaces = known.Known("namespaces")

    @classmethod
    def configured(cls, document: Any) -> Self:
        """By its part of the admission configuration. ValueError."""
        found = document or {}
        lists = (found.get("default") or [], found.get("whitelist") or [])
        for each in lists:
            if not isinstance(each, list) or not all(isinstance(one, dict) for one in each):
                raise ValueError("PodTolerationRestriction: default and whitelist are lists")
        return cls(*lists)

    def open(self, cache: WatchCache) -> None:
        """Follow the namespaces."""
        self._namespaces.open(cache)

    def mutate(self, request: Request) -> None:
        """Complete spec.tolerations."""
        if request.act not in (Act.CREATE, Act.UPDATE) or request.subresource:
            return
        spec = request.object.setdefault("spec", {})
        more: list[Toleration] = []
        if request.act is Act.CREATE:
            said = self._said(request, DEFAULTS)
            more += self._default if said is None else said
        if qos.of(spec) != "BestEffort":
            more.append(dict(_PRESSURE))
        if more:
            spec["tolerations"] = tolerations.merged(spec.get("tolerations") or [], more)

    def validate(self, request: Request) -> None:
        """errors.Forbidden."""
        if request.act not in (Act.CREATE, Act.UPDATE) or request.subresource:
            return
        whitelist, scope = self._said(request, WHITELIST), "namespace"
        if whitelist is None:
            whitelist, scope = list(self._whitelist), "cluster"
        said = objects.spec(request.object).get("tolerations") or []
        if not tolerations.allowed(said, whitelist):
            raise request.forbidden(
                "pod tolerations (possibly merged with namespace default tolerations) conflict "
                f"with its {scope} whitelist"
            )

    def _said(self, request: Request, annotation: str) -> list[Toleration] | None:
        """What the namespace says; None: nothing."""
        namespace = self._namespaces.get(request.call.namespace) or {}
        text = objects.annotations(namespace).get(annotation)
        if text is None:
            return None
        try:
            return list(_list(text.encode(errors="surrogatepass"))) if text else []
        except json_text.Malformed as error:
            why = f"namespace {request.call.namespace}: annotation {annotation}: {error}"
            raise errors.InternalError(f"Internal error occurred: {why}") from None
