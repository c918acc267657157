"""Policy rules: what one allows, what others lack of them, and how they are written in messages.

Pure. The rules are those of k8s.io/kubernetes pkg/apis/rbac (RuleAllows, Covers, CompactString).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Final

ALL: Final = "*"
MAX_BREAKDOWN: Final = 10_000
"""Rights that one comparison looks at. Rules multiply (groups, resources, names, verbs), so that a
small object could ask for years of work."""
MAX_HELD: Final = 100_000
"""Rights that they are compared with, at most."""


class TooLarge(ValueError):
    """The rules multiply to more single rights than will be compared."""


@dataclass(frozen=True, slots=True)
class Rule:
    """An rbac.authorization.k8s.io/v1 PolicyRule."""

    verbs: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()

    def allows(self, verb: str, group: str, resource: str, subresource: str) -> bool:
        """Whether it allows `verb` on the resource; `names` are not looked at."""
        if verb not in self.verbs and ALL not in self.verbs:
            return False
        if group not in self.groups and ALL not in self.groups:
            return False
        return self._names_resource(resource, subresource)

    def allows_path(self, verb: str, path: str) -> bool:
        """Whether it allows `verb` on a path that is no resource's."""
        if verb not in self.verbs and ALL not in self.verbs:
            return False
        return any(_url_covers(url, path) for url in self.urls)

    def _names_resource(self, resource: str, subresource: str) -> bool:
        if ALL in self.resources:
            return True
        if not subresource:
            return resource in self.resources
        return f"{resource}/{subresource}" in self.resources or f"*/{subresource}" in self.resources


FULL: Final = (
    Rule((ALL,), (ALL,), (ALL,)),
    Rule((ALL,), urls=(ALL,)),
)
"""All there is."""


def of(documents: Any) -> tuple[Rule, ...]:
    """The `rules` of a role."""
    if not isinstance(documents, list):
        return ()
    return tuple(_rule(document) for document in documents if isinstance(document, Mapping))


def document(rule: Rule) -> dict[str, Any]:
    """A rule as the API writes it."""
    fields = {
        "verbs": rule.verbs,
        "apiGroups": rule.groups,
        "resources": rule.resources,
        "resourceNames": rule.names,
        "nonResourceURLs": rule.urls,
    }
    return {name: list(values) for name, values in fields.items() if values or name == "verbs"}


def missing(owned: Iterable[Rule], wanted: Iterable[Rule]) -> list[Rule]:
    """The single rights of `wanted` that no rule of `owned` covers. TooLarge."""
    held = _Held(owned)
    found: list[Rule] = []
    looked = 0
    for rule in wanted:
        if held.everything and not rule.urls:
            continue
        for right in _broken_down(rule):
            looked += 1
            if looked > MAX_BREAKDOWN:
                raise TooLarge(f"the rules grant more than {MAX_BREAKDOWN} single rights")
            if not held.covers(right):
                found.append(right)
    return found


class _Held:
    """Rules taken apart, so that whether they cover a single right is a few looks at a dict."""

    def __init__(self, owned: Iterable[Rule]) -> None:
        self._names: dict[tuple[str, str, str], list[frozenset[str]] | None] = {}
        """The names that each right is limited to; None where it is not."""
        self._paths: dict[str, _Paths] = {}
        self.everything = False
        size = 0
        for rule in owned:
            size += len(rule.verbs) * (len(rule.groups) * len(rule.resources) + len(rule.urls))
            if size > MAX_HELD:
                raise TooLarge(f"the user has more than {MAX_HELD} single rights")
            self._take(rule)

    def covers(self, right: Rule) -> bool:
        """Whether a single right is among them."""
        (verb,) = right.verbs
        if right.urls:
            held = (self._paths.get(verb), self._paths.get(ALL))
            return any(paths is not None and paths.covers(right.urls[0]) for paths in held)
        (group,), (resource,) = right.groups, right.resources
        _, slash, subresource = resource.partition("/")
        resources = (resource, ALL, f"*/{subresource}") if slash else (resource, ALL)
        for key in product((verb, ALL), (group, ALL), resources):
            limits = self._names.get(key, _NOT_HELD)
            if limits is None:
                return True
            if right.names and any(right.names[0] in names for names in limits):
                return True
        return False

    def _take(self, rule: Rule) -> None:
        for verb in rule.verbs if rule.urls else ():
            self._paths.setdefault(verb, _Paths()).add(rule.urls)
        names = frozenset(rule.names)
        for key in product(rule.verbs, rule.groups, rule.resources):
            if not names:
                self._names[key] = None
            elif (limits := self._names.setdefault(key, [])) is not None:
                limits.append(names)
        self.everything = self._names.get((ALL, ALL, ALL), _NOT_HELD) is None


_NOT_HELD: Final[list[frozenset[str]]] = []


class _Paths:
    """Paths, and beginnings of paths, of one verb."""

    def __init__(self) -> None:
        self._exact: set[str] = set()
        self._beginnings: dict[int, set[str]] = {}

    def add(self, urls: Iterable[str]) -> None:
        """Hold further ones."""
        for url in urls:
            self._exact.add(url)
            if url.endswith("*"):
                beginning = url.rstrip("*")
                self._beginnings.setdefault(len(beginning), set()).add(beginning)

    def covers(self, path: str) -> bool:
        """Whether one of them is the path, or its beginning."""
        return path in self._exact or any(
            length <= len(path) and path[:length] in held
            for length, held in self._beginnings.items()
        )


def compacted(rights: Iterable[Rule]) -> list[Rule]:
    """Rights that differ in their verb alone are joined."""
    joined: dict[Rule, dict[str, None]] = {}
    others: list[Rule] = []
    for right in rights:
        if len(right.groups) != 1 or len(right.resources) != 1 or len(right.names) > 1:
            others.append(right)
        else:
            joined.setdefault(replace(right, verbs=()), {}).update(dict.fromkeys(right.verbs))
    return [*(replace(about, verbs=tuple(verbs)) for about, verbs in joined.items()), *others]


def text(rule: Rule) -> str:
    """`{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`."""
    parts = [
        f"{name}:{quoted(values)}"
        for name, values in (
            ("APIGroups", rule.groups),
            ("Resources", rule.resources),
            ("NonResourceURLs", rule.urls),
            ("ResourceNames", rule.names),
            ("Verbs", rule.verbs),
        )
        if values
    ]
    return "{" + ", ".join(parts) + "}"


def quoted(values: Iterable[str]) -> str:
    """A list as Go's %q writes it: `["a" "b"]`."""
    return "[" + " ".join(_quote(value) for value in values) + "]"


def _quote(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _rule(document: Mapping[str, Any]) -> Rule:
    return Rule(
        _strings(document.get("verbs")),
        _strings(document.get("apiGroups")),
        _strings(document.get("resources")),
        _strings(document.get("resourceNames")),
        _strings(document.get("nonResourceURLs")),
    )


def _strings(values: Any) -> tuple[str, ...]:
    return tuple(str(value) for value in values) if isinstance(values, list) else ()


def _broken_down(rule: Rule) -> Iterator[Rule]:
    """Its single rights: one group, resource, name and verb each, or one path and verb."""
    for group, resource, verb in product(rule.groups, rule.resources, rule.verbs):
        right = Rule((verb,), (group,), (resource,))
        if not rule.names:
            yield right
        for name in rule.names:
            yield replace(right, names=(name,))
    for url, verb in product(rule.urls, rule.verbs):
        yield Rule((verb,), urls=(url,))


def _url_covers(owned: str, path: str) -> bool:
    if owned in (ALL, path):
        return True
    return owned.endswith("*") and path.startswith(owned.rstrip("*"))
