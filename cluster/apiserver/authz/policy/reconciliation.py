"""What has to change in an RBAC object for it to grant what the bootstrap policy wants. Pure.

Rights and subjects that are missing are added, none is taken away, and an object whose annotation
`rbac.authorization.kubernetes.io/autoupdate` is "false" is left alone: as kube-apiserver does at
its start (k8s.io/component-helpers/auth/rbac/reconciliation).
"""

from cluster.api import objects
from cluster.api.objects import Object
from cluster.apiserver.authz import rules

AUTOUPDATE = "rbac.authorization.kubernetes.io/autoupdate"


def amended(found: Object, wanted: Object) -> Object | None:
    """The object that should be there in place of `found`; None where nothing is missing.

    A binding that names another role is given back with the right one and without a
    resourceVersion: roleRef never changes, so that it has to be deleted and made anew.
    """
    if objects.annotations(found).get(AUTOUPDATE) == "false":
        return None
    changed = _binding(found, wanted) if "roleRef" in wanted else _role(found, wanted)
    metadata = _metadata(found, wanted)
    if metadata is None:
        return changed
    base = found if changed is None else changed
    return base | {"metadata": base["metadata"] | metadata}


def _role(found: Object, wanted: Object) -> Object | None:
    if "aggregationRule" in wanted:
        return _aggregated(found, wanted)
    if found.get("rules") == wanted.get("rules"):  # the usual case when a server starts again
        return None
    held = rules.of(found.get("rules"))
    missing = rules.missing(held, rules.of(wanted.get("rules")))
    if not missing:
        return None
    added = [rules.document(rule) for rule in rules.compacted(missing)]
    return found | {"rules": [*(found.get("rules") or ()), *added]}


def _aggregated(found: Object, wanted: Object) -> Object | None:
    held = (found.get("aggregationRule") or {}).get("clusterRoleSelectors") or []
    asked = wanted["aggregationRule"]["clusterRoleSelectors"]
    missing = [selector for selector in asked if selector not in held]
    if not missing:
        return None
    return found | {"aggregationRule": {"clusterRoleSelectors": [*held, *missing]}}


def _binding(found: Object, wanted: Object) -> Object | None:
    held = found.get("subjects") or []
    if found.get("roleRef") != wanted["roleRef"]:
        return wanted | {"subjects": _joined(held, wanted.get("subjects") or [])}
    subjects = _joined(held, wanted.get("subjects") or [])
    return None if len(subjects) == len(held) else found | {"subjects": subjects}


def _joined(held: list[Object], wanted: list[Object]) -> list[Object]:
    return held + [subject for subject in wanted if subject not in held]


def _metadata(found: Object, wanted: Object) -> Object | None:
    """Labels and annotations, where some of the wanted ones are missing."""
    changed: Object = {}
    for field in ("labels", "annotations"):
        held = found["metadata"].get(field) or {}
        asked = wanted["metadata"].get(field) or {}
        missing = {key: value for key, value in asked.items() if key not in held}
        if missing:
            changed[field] = held | missing
    return changed or None
