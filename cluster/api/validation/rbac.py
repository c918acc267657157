"""Roles and bindings (k8s.io/kubernetes pkg/apis/rbac/validation)."""

from functools import partial
from typing import Final

from cluster.api import causes, metadata
from cluster.api.objects import Object
from cluster.api.validation import family, selectors, values
from cluster.api.validation.values import Causes

GROUP: Final = "rbac.authorization.k8s.io"
_KINDS: Final = ("ServiceAccount", "User", "Group")


def role(obj: Object) -> Causes:
    """What is wrong with a Role."""
    return _rules(obj, namespaced=True)


def cluster_role(obj: Object) -> Causes:
    """What is wrong with a ClusterRole."""
    found = _rules(obj, namespaced=False)
    gathering = obj.get("aggregationRule")
    if gathering is None:
        return found
    path = "aggregationRule.clusterRoleSelectors"
    chosen = gathering.get("clusterRoleSelectors") or []
    if not chosen:
        detail = "at least one clusterRoleSelector required if aggregationRule is non-nil"
        found.append(causes.required(path, detail))
    for index, selector in enumerate(chosen):
        found += selectors.label_selector(f"{path}[{index}]", selector)
    return found


def binding(obj: Object, *, namespaced: bool) -> Causes:
    """What is wrong with a RoleBinding, or with a ClusterRoleBinding."""
    reference = obj.get("roleRef") or {}
    found: Causes = []
    if reference.get("apiGroup") != GROUP:
        given = reference.get("apiGroup", "")
        found.append(causes.not_supported("roleRef.apiGroup", given, (GROUP,)))
    kinds = ("Role", "ClusterRole") if namespaced else ("ClusterRole",)
    if reference.get("kind") not in kinds:
        found.append(causes.not_supported("roleRef.kind", reference.get("kind", ""), kinds))
    name = reference.get("name", "")
    if name:
        found += values.complaints("roleRef.name", name, metadata.path_segment(name))
    else:
        found.append(causes.required("roleRef.name"))
    for index, subject in enumerate(obj.get("subjects") or ()):
        found += _subject(f"subjects[{index}]", subject, namespaced=namespaced)
    return found


def binding_update(old: Object, new: Object, *, namespaced: bool) -> Causes:
    """What is wrong with a changed binding: the role that it grants stays."""
    found = binding(new, namespaced=namespaced)
    if old.get("roleRef") != new.get("roleRef"):
        found.append(causes.invalid("roleRef", new.get("roleRef"), "cannot change roleRef"))
    return found


def _rules(obj: Object, *, namespaced: bool) -> Causes:
    found: Causes = []
    for index, rule in enumerate(obj.get("rules") or ()):
        found += _rule(f"rules[{index}]", rule, namespaced=namespaced)
    return found


def _rule(path: str, rule: Object, *, namespaced: bool) -> Causes:
    found: Causes = []
    if not rule.get("verbs"):
        found.append(causes.required(f"{path}.verbs", "verbs must contain at least one value"))
    urls = rule.get("nonResourceURLs")
    if urls:
        at = f"{path}.nonResourceURLs"
        if namespaced:
            detail = "namespaced rules cannot apply to non-resource URLs"
            found.append(causes.invalid(at, urls, detail))
        if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
            detail = "rules cannot apply to both regular resources and non-resource URLs"
            found.append(causes.invalid(at, urls, detail))
        return found
    if not rule.get("apiGroups"):
        detail = "resource rules must supply at least one api group"
        found.append(causes.required(f"{path}.apiGroups", detail))
    if not rule.get("resources"):
        detail = "resource rules must supply at least one resource"
        found.append(causes.required(f"{path}.resources", detail))
    return found


def _subject(path: str, subject: Object, *, namespaced: bool) -> Causes:
    kind, name = subject.get("kind", ""), subject.get("name", "")
    group = subject.get("apiGroup", "")
    found: Causes = [] if name else [causes.required(f"{path}.name")]
    if kind == "ServiceAccount":
        if name:
            told = metadata.dns1123_subdomain(name)
            found += values.complaints(f"{path}.name", name, told)
        if group:
            found.append(causes.not_supported(f"{path}.apiGroup", group, ("",)))
        if not namespaced and not subject.get("namespace"):
            found.append(causes.required(f"{path}.namespace"))
    elif kind in _KINDS:
        if group != GROUP:
            found.append(causes.not_supported(f"{path}.apiGroup", group, (GROUP,)))
    else:
        found.append(causes.not_supported(f"{path}.kind", kind, _KINDS))
    return found


NEW: Final[family.Creates] = {
    f"clusterroles.{GROUP}": cluster_role,
    f"clusterrolebindings.{GROUP}": partial(binding, namespaced=False),
    f"roles.{GROUP}": role,
    f"rolebindings.{GROUP}": partial(binding, namespaced=True),
}
UPDATE: Final[family.Updates] = {
    f"clusterroles.{GROUP}": lambda old, new: cluster_role(new),
    f"clusterrolebindings.{GROUP}": partial(binding_update, namespaced=False),
    f"roles.{GROUP}": lambda old, new: role(new),
    f"rolebindings.{GROUP}": partial(binding_update, namespaced=True),
}
STATUS: Final[family.Updates] = {}
OTHER: Final[family.Others] = {}
