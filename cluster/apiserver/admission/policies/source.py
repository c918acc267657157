"""Which policies are about a request, and by which bindings."""

from collections.abc import Iterator
from dataclasses import dataclass

from cluster.api.resources import Resource
from cluster.apiserver.admission.matching.attributes import Attributes
from cluster.apiserver.admission.matching.index import Index
from cluster.apiserver.admission.matching.rules import Criteria, Static
from cluster.apiserver.admission.plugin import Request
from cluster.apiserver.admission.policies import definition
from cluster.apiserver.admission.policies.definition import Binding, Policy
from cluster.apiserver.watchcache.cache import WatchCache

_EXCLUDED = (
    "tokenreviews.authentication.k8s.io",
    "selfsubjectreviews.authentication.k8s.io",
    "localsubjectaccessreviews.authorization.k8s.io",
    "selfsubjectaccessreviews.authorization.k8s.io",
    "selfsubjectrulesreviews.authorization.k8s.io",
    "subjectaccessreviews.authorization.k8s.io",
)
"""What no policy is shown: questions that change nothing."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A policy that is about a request, shown in the version of `row`, and its bindings."""

    policy: Policy
    row: Resource
    bindings: tuple[Binding, ...]


class Source:
    """The policies and bindings of one kind, followed in the cache."""

    def __init__(self, policies: str, bindings: str) -> None:
        self._policies: Index[Policy] = Index(policies, definition.policies)
        self._bindings: Index[Binding] = Index(bindings, definition.bindings)

    def open(self, cache: WatchCache) -> None:
        """Follow both from now on."""
        self._policies.open(cache)
        self._bindings.open(cache)

    @property
    def any(self) -> bool:
        """Whether there is a policy at all."""
        return bool(self._policies.items)

    def may_concern(self, request: Request) -> bool:
        """Whether any policy may be about it: most often not."""
        return bool(self._policies.of(request)) and request.row.id not in _EXCLUDED

    def hits(self, attributes: Attributes) -> Iterator[Hit]:
        """The policies that are about a request and have a binding, in the order of their names."""
        request = attributes.request
        bound = self._bindings.of(request)
        for _, policy, static in self._policies.of(request):
            row = _row(policy.criteria, static, attributes)
            if row is None:
                continue
            found = tuple(
                binding
                for _, binding, narrower in bound
                if binding.policy == policy.name
                and _row(binding.criteria, narrower, attributes) is not None
            )
            if found:
                yield Hit(policy, row, found)


def _row(criteria: Criteria, static: Static, attributes: Attributes) -> Resource | None:
    if not attributes.selected(criteria.namespaces, criteria.objects):
        return None
    return static.row(attributes.name)
