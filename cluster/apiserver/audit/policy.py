"""audit.k8s.io/v1 Policy: at which level a request is told, and which stages are not. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from cluster.api import identity

API_VERSION: Final = "audit.k8s.io/v1"
RECEIVED: Final = "RequestReceived"
STARTED: Final = "ResponseStarted"
COMPLETE: Final = "ResponseComplete"
PANIC: Final = "Panic"
STAGES: Final = (RECEIVED, STARTED, COMPLETE, PANIC)


class Level(IntEnum):
    """How much is told; each level has all of the one before."""

    NONE = 0
    METADATA = 1
    REQUEST = 2
    REQUEST_RESPONSE = 3

    @property
    def label(self) -> str:
        """As the policy and the events write it."""
        return _LABELS[self]


_LABELS: Final = {
    Level.NONE: "None",
    Level.METADATA: "Metadata",
    Level.REQUEST: "Request",
    Level.REQUEST_RESPONSE: "RequestResponse",
}
_LEVELS: Final = {label: level for level, label in _LABELS.items()}


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a request rules look at. `resource` is the plural; without one `path` counts."""

    user: identity.User
    verb: str
    path: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Resources:
    """Resources of a rule: of one group, by names like `pods`, `pods/log`, `*/status`, `*`."""

    group: str
    resources: tuple[str, ...]
    names: tuple[str, ...]

    def has(self, asked: Asked) -> bool:
        """Whether the request is for one of them."""
        if self.group != asked.group:
            return False
        if not self.resources:
            return True
        if self.names and asked.name not in self.names:
            return False
        return any(self._is(wanted, asked) for wanted in self.resources)

    @staticmethod
    def _is(wanted: str, asked: Asked) -> bool:
        if wanted == "*":
            return True
        resource, slash, subresource = wanted.partition("/")
        if not slash:
            return resource == asked.resource and not asked.subresource
        if not asked.subresource or resource not in ("*", asked.resource):
            return False
        return subresource in ("*", asked.subresource)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a policy."""

    level: Level
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    resources: tuple[Resources, ...] = ()
    urls: tuple[str, ...] = ()
    omit_stages: tuple[str, ...] = ()
    omit_managed_fields: bool | None = None

    def matches(self, asked: Asked) -> bool:
        """Whether the rule is for this request."""
        if self.users and asked.user.name not in self.users:
            return False
        if self.groups and not any(group in self.groups for group in asked.user.groups):
            return False
        if self.verbs and asked.verb not in self.verbs:
            return False
        if self.namespaces or self.resources:
            return bool(asked.resource) and self._covers(asked)
        if self.urls:
            return not asked.resource and any(_path(url, asked.path) for url in self.urls)
        return True

    def _covers(self, asked: Asked) -> bool:
        if self.namespaces and asked.namespace not in self.namespaces:
            return False
        return not self.resources or any(each.has(asked) for each in self.resources)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is told of a request."""

    level: Level
    omit_stages: tuple[str, ...] = ()
    omit_managed_fields: bool = False

    def tells(self, stage: str) -> bool:
        """Whether a stage has an event."""
        return self.level > Level.NONE and stage not in self.omit_stages


_NOTHING: Final = Verdict(Level.NONE)


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules, of which the first that matches decides."""

    rules: Sequence[Rule]
    omit_stages: tuple[str, ...] = ()
    omit_managed_fields: bool = False

    def verdict(self, asked: Asked) -> Verdict:
        """What is told of a request."""
        for rule in self.rules:
            if rule.matches(asked):
                omit = rule.omit_managed_fields
                return Verdict(
                    rule.level,
                    (*self.omit_stages, *rule.omit_stages),
                    self.omit_managed_fields if omit is None else omit,
                )
        return _NOTHING


def read(document: Any) -> Policy:
    """The policy of a document. ValueError with a sentence."""
    if not isinstance(document, Mapping):
        raise ValueError("an audit policy is a mapping")  # noqa: TRY004
    if document.get("apiVersion") != API_VERSION or document.get("kind") != "Policy":
        raise ValueError(f"an audit policy has apiVersion {API_VERSION} and kind Policy")
    known = ("apiVersion", "kind", "metadata", "rules", "omitStages", "omitManagedFields")
    _no_others(document, known, "")
    rules = document.get("rules") or []
    if not isinstance(rules, list) or not rules:
        raise ValueError("rules: an audit policy needs at least one rule")
    return Policy(
        [_rule(rule, f"rules[{index}]") for index, rule in enumerate(rules)],
        _stages(document, ""),
        document.get("omitManagedFields") is True,
    )


_RULE_FIELDS: Final = (
    "level", "users", "userGroups", "verbs", "resources", "namespaces", "nonResourceURLs",
    "omitStages", "omitManagedFields",
)  # fmt: skip


def _rule(rule: Any, path: str) -> Rule:
    if not isinstance(rule, Mapping):
        raise ValueError(f"{path}: a rule is a mapping")  # noqa: TRY004
    _no_others(rule, _RULE_FIELDS, f"{path}.")
    level = _LEVELS.get(rule.get("level", ""))
    if level is None:
        raise ValueError(f"{path}.level: give one of {', '.join(_LEVELS)}")
    urls = _texts(rule, "nonResourceURLs", path)
    resources = rule.get("resources") or ()
    if urls and (resources or rule.get("namespaces")):
        raise ValueError(f"{path}: rules cannot apply to both regular resources and other URLs")
    for url in urls:
        if url != "*" and (not url.startswith("/") or "*" in url.rstrip("*")):
            raise ValueError(
                f"{path}.nonResourceURLs: {url!r} must begin with / and have * at its end alone"
            )
    return Rule(
        level,
        _texts(rule, "users", path),
        _texts(rule, "userGroups", path),
        _texts(rule, "verbs", path),
        _texts(rule, "namespaces", path),
        tuple(_resources(each, f"{path}.resources[{n}]") for n, each in enumerate(resources)),
        urls,
        _stages(rule, f"{path}."),
        rule.get("omitManagedFields"),
    )


def _resources(given: Any, path: str) -> Resources:
    if not isinstance(given, Mapping):
        raise ValueError(f"{path}: give group, resources and resourceNames")  # noqa: TRY004
    _no_others(given, ("group", "resources", "resourceNames"), f"{path}.")
    found = _texts(given, "resources", path)
    names = _texts(given, "resourceNames", path)
    if names and not found:
        raise ValueError(f"{path}.resourceNames: requires at least one resource")
    return Resources(given.get("group") or "", found, names)


def _stages(holder: Mapping[str, Any], path: str) -> tuple[str, ...]:
    found = _texts(holder, "omitStages", path.rstrip("."))
    for stage in found:
        if stage not in STAGES:
            raise ValueError(f"{path}omitStages: {stage!r} is none of {', '.join(STAGES)}")
    return found


def _texts(holder: Mapping[str, Any], field: str, path: str) -> tuple[str, ...]:
    found = holder.get(field) or ()
    if not isinstance(found, list | tuple) or not all(isinstance(each, str) for each in found):
        raise ValueError(f"{path}.{field}: give a list of texts")
    return tuple(found)


def _no_others(holder: Mapping[str, Any], known: Sequence[str], path: str) -> None:
    for field in holder:
        if field not in known:
            raise ValueError(f"{path}{field}: there is no such field")


def _path(wanted: str, path: str) -> bool:
    if wanted in ("*", path):
        return True
    return wanted.endswith("*") and path.startswith(wanted.rstrip("*"))
