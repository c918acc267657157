"""Rules: operations, groups, versions, resources and scope that a webhook or policy is about.

Source: k8s.io/apiserver pkg/admission/plugin/webhook/predicates and policy/matching. All of it but
the names of objects depends on the row of a request alone, and is found out once for each.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cluster.api import selectors
from cluster.api.resources import Resource, Table
from cluster.api.selectors import Selector

_ANY: Final = "*"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; `names` are those of the objects, none for all."""

    operations: tuple[str, ...]
    groups: tuple[str, ...]
    versions: tuple[str, ...]
    resources: tuple[tuple[str, str], ...]
    scope: str
    names: tuple[str, ...]

    def covers(self, row: Resource, subresource: str, operation: str) -> bool:
        """Whether it is about a resource, whatever the object is called."""
        return (
            _within(self.operations, operation)
            and _within(self.groups, row.group)
            and _within(self.versions, row.version)
            and self._scoped(row)
            and any(
                plural in (_ANY, row.plural) and part in (_ANY, subresource)
                for plural, part in self.resources
            )
        )

    def _scoped(self, row: Resource) -> bool:
        # An object of the kind Namespace is cluster-scoped, though it has a namespace: itself.
        return self.scope == _ANY or (self.scope == "Namespaced") is row.namespaced


def _within(known: Sequence[str], wanted: str) -> bool:
    return _ANY in known or wanted in known


def rules(found: Iterable[Any] | None) -> tuple[Rule, ...]:
    """The rules of a webhook, or of a policy's matchConstraints."""
    return tuple(
        Rule(
            tuple(each.get("operations") or ()),
            tuple(each.get("apiGroups") or ()),
            tuple(each.get("apiVersions") or ()),
            tuple(_split(text) for text in each.get("resources") or ()),
            each.get("scope") or _ANY,
            tuple(each.get("resourceNames") or ()),
        )
        for each in found or ()
    )


def _split(text: str) -> tuple[str, str]:
    plural, _, part = text.partition("/")
    return plural, part


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version in which objects would be shown; where `names` are given, only those objects."""

    row: Resource
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Static:
    """What of a match depends on the row of the request alone."""

    candidates: tuple[Candidate, ...]
    excluded: tuple[Candidate, ...] = ()

    def row(self, name: str) -> Resource | None:
        """The version in which an object of this name is shown; None: it is not matched."""
        if any(not each.names or name in each.names for each in self.excluded):
            return None
        for each in self.candidates:
            if not each.names or name in each.names:
                return each.row
        return None


@dataclass(frozen=True, slots=True)
class Criteria:
    """What a webhook, a policy or a binding is about. Without `included` rules a binding is about
    everything that its policy is.
    """

    included: tuple[Rule, ...]
    excluded: tuple[Rule, ...]
    equivalent: bool
    namespaces: Selector
    objects: Selector

    def static(
        self, row: Resource, others: Sequence[Resource], subresource: str, operation: str
    ) -> Static | None:
        """How requests of `row` are matched, whose `others` are its other versions; None: never."""
        found = self._candidates(self.included, row, others, subresource, operation)
        if not self.included:
            found = (Candidate(row, ()),)
        if not found:
            return None
        excluded = self._candidates(self.excluded, row, others, subresource, operation)
        return Static(found, excluded)

    def _candidates(
        self,
        known: Sequence[Rule],
        row: Resource,
        others: Sequence[Resource],
        subresource: str,
        operation: str,
    ) -> tuple[Candidate, ...]:
        found = [
            Candidate(row, rule.names) for rule in known if rule.covers(row, subresource, operation)
        ]
        if self.equivalent:
            found += [
                Candidate(other, rule.names)
                for rule in known
                for other in others
                if rule.covers(other, subresource, operation)
            ]
        return tuple(found)


def of_webhook(hook: Any) -> Criteria:
    """The criteria of a webhook."""
    return _criteria(hook, hook.get("rules"), ())


def of_resources(found: Any) -> Criteria:
    """The criteria of MatchResources (a policy's or a binding's), None matching everything."""
    known = found or {}
    return _criteria(known, known.get("resourceRules"), known.get("excludeResourceRules"))


def _criteria(found: Any, included: Any, excluded: Any) -> Criteria:
    return Criteria(
        rules(included),
        rules(excluded),
        found.get("matchPolicy") == "Equivalent",
        _selector(found.get("namespaceSelector")),
        _selector(found.get("objectSelector")),
    )


def _selector(found: Any) -> Selector:
    if not found:
        return selectors.EVERYTHING
    try:
        return selectors.of(found)
    except ValueError:
        return selectors.NOTHING


def others(table: Table, row: Resource) -> tuple[Resource, ...]:
    """The other served versions of what `row` shows, under whatever group."""
    try:
        stored = table.stored(row)
    except KeyError:
        return ()
    return tuple(
        each
        for each in table
        if each is not row and not each.remote and (each.stored_as or each.id) == stored.id
    )
