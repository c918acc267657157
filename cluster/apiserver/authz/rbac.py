"""RBAC: roles and bindings of the watch cache, indexed by subject, and decisions remembered.

A decision is remembered until any RBAC object changes, so that a question asked before costs one
look into a dictionary. Semantics and texts: k8s.io/kubernetes plugin/pkg/auth/authorizer/rbac.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from cluster.api import identity, objects
from cluster.apiserver.authz import rules
from cluster.apiserver.authz.attributes import NO_OPINION, Attributes, Decision, UserRules
from cluster.apiserver.authz.rules import Rule
from cluster.apiserver.watchcache.cache import WatchCache
from cluster.apiserver.watchcache.events import Event

GROUP: Final = "rbac.authorization.k8s.io"
ROLES: Final = f"roles.{GROUP}"
CLUSTER_ROLES: Final = f"clusterroles.{GROUP}"
ROLE_BINDINGS: Final = f"rolebindings.{GROUP}"
CLUSTER_ROLE_BINDINGS: Final = f"clusterrolebindings.{GROUP}"
_REMEMBERED: Final = 1 << 14
_WORDS, _LETTERS = 64, 2048

_Place = tuple[str, str]
"""Namespace ("" for cluster-wide) and name."""
_Subject = tuple[str, str]
"""`User` or `Group`, and its name. A service account is the user that it is known as."""


class _Binding(NamedTuple):
    place: _Place
    kind: str
    role: str
    subjects: tuple[tuple[_Subject, str], ...]
    """Each subject, and how it is described."""


class _Verdict(NamedTuple):
    """The decision on a question that leaves the object's name open."""

    by_name: dict[str, Decision] | None
    otherwise: Decision


class Rbac:
    """Decides by the RBAC objects that it has been shown."""

    def __init__(self) -> None:
        self._roles: dict[_Place, tuple[Rule, ...]] = {}
        self._bindings: dict[_Place, _Binding] = {}
        self._by_subject: dict[tuple[str, _Subject], dict[str, _Binding]] = {}
        self._verdicts: dict[tuple[Any, ...], _Verdict] = {}

    def open(self, cache: WatchCache) -> None:
        """Follow the RBAC objects of a cache."""
        cache.of(CLUSTER_ROLES).observe(self._follow(self.put_role, self.drop_role))
        cache.of(ROLES).observe(self._follow(self.put_role, self.drop_role))
        cache.of(CLUSTER_ROLE_BINDINGS).observe(self._follow(self.put_binding, self.drop_binding))
        cache.of(ROLE_BINDINGS).observe(self._follow(self.put_binding, self.drop_binding))

    def authorize(self, asked: Attributes) -> Decision:
        """Allowed by the first binding that allows it; else no opinion."""
        user, verb, group, _, resource, subresource, namespace, name, path, _ = asked
        key = (user.name, user.groups, verb, group, resource, subresource, namespace, path)
        verdict = self._verdicts.get(key)
        if verdict is None:
            verdict = self._decide(asked)
            if _small(asked):
                if len(self._verdicts) >= _REMEMBERED:
                    self._verdicts.clear()
                self._verdicts[key] = verdict
        if verdict.by_name is not None:
            return verdict.by_name.get(name, verdict.otherwise)
        return verdict.otherwise

    def rules_for(self, user: identity.User, namespace: str) -> UserRules:
        """Every rule of every binding of the user, and what could not be resolved."""
        found: list[Rule] = []
        problems: list[str] = []
        for binding, _ in self._of(user, namespace):
            role = self.role_of(binding.kind, binding.role, binding.place[0])
            if role is None:
                problems.append(not_found(binding.kind, binding.role))
            else:
                found += role
        return UserRules(tuple(found), tuple(problems))

    def role_of(self, kind: str, name: str, namespace: str) -> tuple[Rule, ...] | None:
        """The rules of a role that a binding in `namespace` names; None where it is not there."""
        return self._roles.get((namespace if kind == "Role" else "", name))

    def put_role(self, namespace: str, name: str, role: objects.Object) -> None:
        """A Role, or with namespace "" a ClusterRole, came or changed."""
        self._roles[namespace, name] = rules.of(role.get("rules"))
        self._verdicts.clear()

    def drop_role(self, namespace: str, name: str) -> None:
        """A role is gone."""
        self._roles.pop((namespace, name), None)
        self._verdicts.clear()

    def put_binding(self, namespace: str, name: str, binding: objects.Object) -> None:
        """A RoleBinding, or with namespace "" a ClusterRoleBinding, came or changed."""
        self.drop_binding(namespace, name)
        held = _binding(namespace, name, binding)
        self._bindings[held.place] = held
        for subject, _ in held.subjects:
            self._by_subject.setdefault((namespace, subject), {})[name] = held

    def drop_binding(self, namespace: str, name: str) -> None:
        """A binding is gone."""
        self._verdicts.clear()
        held = self._bindings.pop((namespace, name), None)
        if held is None:
            return
        for subject in {subject: None for subject, _ in held.subjects}:
            bound = self._by_subject[namespace, subject]
            del bound[name]
            if not bound:
                del self._by_subject[namespace, subject]

    def _decide(self, asked: Attributes) -> _Verdict:
        """The verdict for every name at once: rules with resourceNames allow single ones."""
        by_name: dict[str, Decision] = {}
        problems: list[str] = []
        for binding, described in self._of(asked.user, asked.namespace):
            role = self.role_of(binding.kind, binding.role, binding.place[0])
            if role is None:
                problems.append(not_found(binding.kind, binding.role))
                continue
            for rule in role:
                if not _allows(rule, asked):
                    continue
                decision = Decision(True, False, _reason(binding, described))
                if not rule.names or asked.path:
                    return _Verdict(by_name or None, decision)
                for name in rule.names:
                    by_name.setdefault(name, decision)
        otherwise = Decision(False, False, f"RBAC: {_joined(problems)}") if problems else NO_OPINION
        return _Verdict(by_name or None, otherwise)

    def _of(self, user: identity.User, namespace: str) -> Iterator[tuple[_Binding, str]]:
        """The bindings that name the user, cluster-wide ones first; and as whom."""
        who: list[_Subject] = [("User", user.name), *(("Group", group) for group in user.groups)]
        known = frozenset(who)
        for place in ("", namespace) if namespace else ("",):
            found: dict[str, _Binding] = {}
            for subject in who:
                found.update(self._by_subject.get((place, subject), ()))
            for name in sorted(found):
                binding = found[name]
                yield binding, next(text for subject, text in binding.subjects if subject in known)

    @staticmethod
    def _follow(
        put: Callable[[str, str, objects.Object], None], drop: Callable[[str, str], None]
    ) -> Callable[[Event], None]:
        def observe(event: Event) -> None:
            if event.entry is not None:
                put(event.entry.namespace, event.entry.name, event.entry.document())
            elif event.previous is not None:
                drop(event.previous.namespace, event.previous.name)

        return observe


def not_found(kind: str, name: str) -> str:
    """`clusterrole.rbac.authorization.k8s.io "x" not found`."""
    return f'{kind.lower()}.{GROUP} "{name}" not found'


def _allows(rule: Rule, asked: Attributes) -> bool:
    if asked.path:
        return rule.allows_path(asked.verb, asked.path)
    return rule.allows(asked.verb, asked.group, asked.resource, asked.subresource)


def _small(asked: Attributes) -> bool:
    """Whether a question is worth remembering: what is asked may be of any length."""
    user, verb, group, _, resource, subresource, namespace, _, path, _ = asked
    said = (user.name, *user.groups, verb, group, resource, subresource, namespace, path)
    return len(said) <= _WORDS and sum(map(len, said)) <= _LETTERS


def _reason(binding: _Binding, described: str) -> str:
    namespace, name = binding.place
    kind = "RoleBinding" if namespace else "ClusterRoleBinding"
    place = f"{name}/{namespace}" if namespace else name
    return f'RBAC: allowed by {kind} "{place}" of {binding.kind} "{binding.role}" to {described}'


def _joined(problems: list[str]) -> str:
    distinct = list(dict.fromkeys(problems))
    return distinct[0] if len(distinct) == 1 else f"[{', '.join(distinct)}]"


def _binding(namespace: str, name: str, document: objects.Object) -> _Binding:
    reference = document.get("roleRef") or {}
    found = [
        subject
        for each in document.get("subjects") or ()
        if (subject := _subject(each, namespace)) is not None
    ]
    return _Binding(
        (namespace, name), reference.get("kind", ""), reference.get("name", ""), tuple(found)
    )


def _subject(document: objects.Object, namespace: str) -> tuple[_Subject, str] | None:
    kind, name = document.get("kind"), document.get("name", "")
    if kind in ("User", "Group"):
        return (kind, name), f'{kind} "{name}"'
    place = document.get("namespace") or namespace
    if kind != "ServiceAccount" or not place:
        return None
    return ("User", identity.service_account(place, name)), f'ServiceAccount "{name}/{place}"'
