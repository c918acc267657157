"""Label and field selectors: their text forms, the LabelSelector document, and matching.

Grammar and error texts: k8s.io/apimachinery/pkg/labels and pkg/fields. A label selector text is
`app=web,tier in (a,b),!old`; a field selector text is `metadata.name=x,status.phase!=Running`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from cluster.api import errors, label_text, resources
from cluster.api.label_text import Requirement


@dataclass(frozen=True, slots=True)
class Selector:
    """Requirements that must all hold. `nothing` matches no mapping at all."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False

    @property
    def empty(self) -> bool:
        """Whether everything matches."""
        return not self.requirements and not self.nothing

    def matches(self, mapping: Mapping[str, str]) -> bool:
        """Whether labels (or field values) meet every requirement."""
        if self.nothing:
            return False
        for requirement in self.requirements:  # noqa: SIM110 - a generator costs more than the test
            if not requirement.matches(mapping):
                return False
        return True

    def exact(self, key: str) -> str | None:
        """The one value that `key` must have, where the selector says so (`key=value`)."""
        for requirement in self.requirements:
            if requirement.key == key and requirement.operator in ("=", "=="):
                return requirement.values[0]
        return None

    def renamed(self, keys: Mapping[str, str]) -> "Selector":
        """The same of other keys; one that is not in `keys` stays."""
        renamed = [
            Requirement(keys.get(each.key, each.key), each.operator, each.values)
            for each in self.requirements
        ]
        return Selector(tuple(renamed), self.nothing)

    def __str__(self) -> str:
        return ",".join(str(requirement) for requirement in self.requirements)


EVERYTHING: Final = Selector()
NOTHING: Final = Selector(nothing=True)


@lru_cache(1024)
def parse_labels(text: str) -> Selector:
    """The label selector of a text; "" matches everything. errors.BadRequest."""
    try:
        return Selector(label_text.parse(text))
    except label_text.Malformed as error:
        raise errors.BadRequest(str(error)) from None


def parse_fields(text: str, resource: resources.Resource) -> Selector:
    """The field selector of a text, over the field labels of `resource`. errors.BadRequest."""
    terms = [term for term in _split_terms(text) if term]
    return Selector(tuple(_field_requirement(term, text, resource) for term in terms))


_OPERATORS: Final = {
    "In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!",
}  # fmt: skip


def of(selector: Mapping[str, Any] | None) -> Selector:
    """The selector of a metav1.LabelSelector document. None matches nothing, {} everything.

    ValueError with Kubernetes' sentence where the document is not a valid selector.
    """
    if selector is None:
        return NOTHING
    found = [_equal(key, value) for key, value in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or ():
        operator = _OPERATORS.get(expression.get("operator", ""))
        if operator is None:
            raise ValueError(
                f'"{expression.get("operator", "")}" is not a valid label selector operator'
            )
        values = tuple(sorted(expression.get("values") or ()))
        found.append(label_text.checked(expression.get("key", ""), operator, values))
    return Selector(tuple(sorted(found, key=lambda requirement: requirement.key)))


def _equal(key: str, value: str) -> Requirement:
    return Requirement(key, "=", (value,))


# What a field label gives where the object does not have the field, if it is not "".
_ABSENT: Final = {
    "spec.unschedulable": "false",
    "spec.hostNetwork": "false",
    "status.replicas": "0",
}


def field_values(resource: resources.Resource, obj: Mapping[str, Any]) -> dict[str, str]:
    """The value of each field label of `resource` in `obj`, as text."""
    found: dict[str, str] = {}
    for label, path in resource.fields.items():
        value: Any = obj
        for step in path:
            value = value.get(step) if isinstance(value, Mapping) else None
        if type(value) is str:
            found[label] = value
        else:
            found[label] = _as_text(label, value)
    if resource.id == "events" and not found.get("source"):
        found["source"] = obj.get("reportingComponent") or ""
    return found


def _as_text(label: str, value: Any) -> str:
    if value is None or isinstance(value, Mapping | list):
        return _ABSENT.get(label, "")
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _split_terms(text: str) -> Iterable[str]:
    """The terms between commas that no backslash precedes."""
    start, index = 0, 0
    while index < len(text):
        if text[index] == "\\":
            index += 1
        elif text[index] == ",":
            yield text[start:index]
            start = index + 1
        index += 1
    yield text[start:]


def _field_requirement(term: str, text: str, resource: resources.Resource) -> Requirement:
    split = _split_operator(term)
    if split is None:
        raise errors.BadRequest(f"invalid selector: '{text}'; can't understand '{term}'")
    label, operator, raw = split
    if label not in resource.fields:
        raise errors.BadRequest(_unknown_label(label, resource))
    return Requirement(label, operator, (_unescaped(raw, text),))


def _split_operator(term: str) -> tuple[str, str, str] | None:
    index = 0
    while index < len(term):
        for operator in ("!=", "==", "="):
            if term.startswith(operator, index):
                return term[:index], operator, term[index + len(operator) :]
        index += 2 if term[index] == "\\" else 1
    return None


def _unescaped(raw: str, text: str) -> str:
    """The value with `\\\\`, `\\,` and `\\=` taken for what they mean."""
    result: list[str] = []
    characters = iter(raw)
    for character in characters:
        if character == "\\":
            follower = next(characters, "")
            if follower not in ("\\", ",", "="):
                raise errors.BadRequest(
                    f"invalid field selector: invalid escape sequence: \\{follower}"
                )
            result.append(follower)
        elif character in (",", "="):
            raise errors.BadRequest(
                f"invalid field selector: unescaped character in value: {character}"
            )
        else:
            result.append(character)
    return "".join(result)


_META_LABELS: Final = ("metadata.name", "metadata.namespace")


def _unknown_label(label: str, resource: resources.Resource) -> str:
    if all(known in _META_LABELS for known in resource.fields):
        known = '"metadata.name", "metadata.namespace"'
        return f'"{label}" is not a known field selector: only {known}'
    return f"field label not supported: {label}"


def as_text(selector: Selector) -> str:
    """The text form, which parse_labels reads back (`status.selector` of a Scale)."""
    return str(selector)
