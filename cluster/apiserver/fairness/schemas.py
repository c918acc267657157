"""Which flow a request belongs to: the first FlowSchema, by precedence, that matches it. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cluster.api import identity

_SERVICE_ACCOUNT = "system:serviceaccount:"


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a request matters here. `resource` is `pods` or `pods/status`, "" with a `path`."""

    verb: str
    group: str = ""
    resource: str = ""
    namespace: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Schema:
    """A FlowSchema: its level's name and how it tells flows apart ("", ByUser, ByNamespace)."""

    name: str
    uid: str
    level: str
    precedence: int
    distinguisher: str
    rules: Sequence[Mapping[str, Any]]

    def matches(self, user: identity.User, asked: Asked) -> bool:
        """Whether one of its rules has both the user and what is asked."""
        return any(
            any(_is(user, subject) for subject in rule.get("subjects") or ())
            and _covers(rule, asked)
            for rule in self.rules
        )

    def flow(self, user: identity.User, asked: Asked) -> str:
        """The flow within the schema."""
        if self.distinguisher == "ByUser":
            return user.name
        return asked.namespace if self.distinguisher == "ByNamespace" else ""


def read(document: Mapping[str, Any]) -> Schema:
    """The schema of a FlowSchema object, which is valid."""
    meta, spec = document["metadata"], document["spec"]
    method = spec.get("distinguisherMethod") or {}
    return Schema(
        meta["name"],
        meta.get("uid", ""),
        spec["priorityLevelConfiguration"]["name"],
        spec.get("matchingPrecedence") or 0,
        method.get("type", ""),
        tuple(spec.get("rules") or ()),
    )


def ordered(schemas: Iterable[Schema]) -> list[Schema]:
    """In the order in which they are tried."""
    return sorted(schemas, key=lambda schema: (schema.precedence, schema.name))


def _is(user: identity.User, subject: Mapping[str, Any]) -> bool:
    kind = subject.get("kind")
    if kind == "User":
        name = (subject.get("user") or {}).get("name")
        return name in ("*", user.name)
    if kind == "Group":
        name = (subject.get("group") or {}).get("name")
        return name == "*" or name in user.groups
    if kind == "ServiceAccount":
        account = subject.get("serviceAccount") or {}
        wanted = f"{_SERVICE_ACCOUNT}{account.get('namespace')}:"
        if not user.name.startswith(wanted):
            return False
        return account.get("name") in ("*", user.name[len(wanted) :])
    return False


def _covers(rule: Mapping[str, Any], asked: Asked) -> bool:
    if asked.resource:
        return any(_covers_resource(found, asked) for found in rule.get("resourceRules") or ())
    return any(_covers_path(found, asked) for found in rule.get("nonResourceRules") or ())


def _covers_resource(rule: Mapping[str, Any], asked: Asked) -> bool:
    if not (
        _has(rule.get("verbs"), asked.verb)
        and _has(rule.get("apiGroups"), asked.group)
        and _has(rule.get("resources"), asked.resource)
    ):
        return False
    if not asked.namespace:
        return bool(rule.get("clusterScope"))
    return _has(rule.get("namespaces"), asked.namespace)


def _covers_path(rule: Mapping[str, Any], asked: Asked) -> bool:
    if not _has(rule.get("verbs"), asked.verb):
        return False
    for wanted in rule.get("nonResourceURLs") or ():
        if wanted in ("*", asked.path):
            return True
        if wanted.endswith("/*") and asked.path.startswith(wanted[:-1]):
            return True
    return False


def _has(wanted: Sequence[str] | None, value: str) -> bool:
    return wanted is not None and ("*" in wanted or value in wanted)
