"""Job (batch validation). What its policies say is in jobpolicies."""

from typing import Any, Final

from cluster.api import causes, metadata, selectors
from cluster.api.objects import Object
from cluster.api.strategies import batch
from cluster.api.validation import family, jobpolicies, jobstatus, templates, values
from cluster.api.validation import selectors as selector_rules
from cluster.api.validation.values import Causes

_MODES: Final = ("NonIndexed", "Indexed")
_RESTART: Final = ("OnFailure", "Never")
_LONGEST_MANAGER: Final = 63
_FIXED: Final = (
    "completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy",
)  # fmt: skip
_DIRECTIVES: Final = ("nodeSelector", "tolerations", "schedulingGates")


def of_new(obj: Object) -> Causes:
    """What is wrong with a new Job."""
    spec = obj.get("spec") or {}
    found = _generated(obj, spec) + _spec(spec)
    completions = spec.get("completions") or 0
    if spec.get("completionMode") == "Indexed" and completions > 0:
        name = obj["metadata"].get("name") or ""
        host = f"{name}-{completions - 1}"
        if metadata.dns1123_label(host):
            detail = f"will not able to create pod with invalid DNS label: {host}"
            found.append(causes.invalid("metadata.name", name, detail))
    return found


def of_update(old: Object, new: Object) -> Causes:
    """What is wrong with a change of a Job."""
    before, after = old.get("spec") or {}, new.get("spec") or {}
    if before == after:
        return []
    found = _spec(after) + _completions(before, after)
    found += values.immutable("spec.selector", before.get("selector"), after.get("selector"))
    found += _template_update(old, before, after)
    for field in _FIXED:
        found += values.immutable(f"spec.{field}", before.get(field), after.get(field))
    return found


def template(path: str, given: Object) -> Causes:
    """What is wrong with a template of jobs."""
    spec = given.get("spec") or {}
    found = _common(f"{path}.spec", spec)
    if "selector" in spec:
        detail = "`selector` will be auto-generated"
        found.append(causes.invalid(f"{path}.spec.selector", spec["selector"], detail))
    if spec.get("manualSelector"):
        found.append(causes.not_supported(f"{path}.spec.manualSelector", True, ("nil", "false")))
    return found


def _generated(obj: Object, spec: Object) -> Causes:
    """Labels and selector are those that the server gave, unless they are made by hand."""
    selector = spec.get("selector")
    if spec.get("manualSelector") or selector is None:
        return []
    meta = obj["metadata"]
    uid, name = meta.get("uid") or "", meta.get("name") or ""
    wanted = {
        batch.CONTROLLER_UID: uid, batch.JOB_NAME: name,
        batch.LEGACY_CONTROLLER_UID: uid, batch.LEGACY_JOB_NAME: name,
    }  # fmt: skip
    found: Causes = []
    labels = templates.labels(spec.get("template") or {})
    for key, value in wanted.items():
        at = f"spec.template.metadata.labels[{key}]"
        if key not in labels:
            found.append(causes.required(at, f"must be '{value}'"))
        elif labels[key] != value:
            found.append(
                causes.invalid("spec.template.metadata.labels", labels, f"must be '{value}'")
            )
    try:
        chosen = selectors.of(selector).matches(wanted)
    except ValueError:
        return found
    if not chosen:
        found.append(causes.invalid("spec.selector", selector, "`selector` not auto-generated"))
    return found


def _spec(spec: Object) -> Causes:
    found = _common("spec", spec)
    selector, given = spec.get("selector"), spec.get("template") or {}
    if selector is None:
        found.append(causes.required("spec.selector"))
        return found
    found += selector_rules.label_selector("spec.selector", selector)
    if not templates.matches(selector, given):
        found.append(templates.mismatch("spec.template", given))
    return found


def _common(path: str, spec: Object) -> Causes:
    """What a job and the template of one have in common."""
    found = values.not_negatives(
        path, spec, "parallelism", "completions", "activeDeadlineSeconds", "backoffLimit",
        "ttlSecondsAfterFinished", "backoffLimitPerIndex", "maxFailedIndexes",
    )  # fmt: skip
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        detail = "when maxFailedIndexes is specified"
        found.append(causes.required(f"{path}.backoffLimitPerIndex", detail))
    found += _manager(f"{path}.managedBy", spec.get("managedBy"))
    mode = spec.get("completionMode")
    if mode is not None and mode not in _MODES:
        found.append(causes.not_supported(f"{path}.completionMode", mode, _MODES))
    if mode == "Indexed":
        found += jobpolicies.indexed(path, spec)
    elif mode in (None, "NonIndexed"):
        found += [
            causes.invalid(f"{path}.{field}", spec[field], "requires indexed completion mode")
            for field in ("backoffLimitPerIndex", "maxFailedIndexes")
            if spec.get(field) is not None
        ]
    found += jobpolicies.failure(path, spec)
    found += jobpolicies.success(path, spec)
    found += jobpolicies.replacement(path, spec)
    given = spec.get("template") or {}
    found += templates.template(f"{path}.template", given)
    return found + _restart(f"{path}.template.spec.restartPolicy", given, spec)


def _manager(path: str, manager: str | None) -> Causes:
    if manager is None:
        return []
    found: Causes = []
    prefix, slash, rest = manager.partition("/")
    if not manager:
        found.append(causes.required(path))
    elif not slash or not prefix or not rest:
        detail = 'must be a domain-prefixed path (such as "acme.io/foo")'
        found.append(causes.invalid(path, manager, detail))
    else:
        found += values.complaints(path, prefix, metadata.dns1123_subdomain(prefix))
    if len(manager) > _LONGEST_MANAGER:
        found.append(causes.too_long(path, _LONGEST_MANAGER))
    return found


def _restart(path: str, given: Object, spec: Object) -> Causes:
    policy = (given.get("spec") or {}).get("restartPolicy") or ""
    if policy in ("", "Always"):
        return [causes.required(path, 'valid values: "OnFailure", "Never"')]
    if policy not in _RESTART:
        return [causes.not_supported(path, policy, _RESTART)]
    if "podFailurePolicy" in spec and policy != "Never":
        detail = 'only "Never" is supported when podFailurePolicy is specified'
        return [causes.invalid(path, policy, detail)]
    return []


def _completions(before: Object, after: Object) -> Causes:
    """An indexed job may be made larger or smaller, with its parallelism."""
    old, new = before.get("completions"), after.get("completions")
    elastic = after.get("completionMode") == "Indexed" and old is not None and new is not None
    if old == new or (elastic and new == after.get("parallelism")):
        return []
    if not elastic:
        return values.immutable("spec.completions", old, new)
    detail = f"can only be modified in tandem with parallelism: {after.get('parallelism')}"
    return [causes.invalid("spec.completions", new, detail)]


def _template_update(old: Object, before: Object, after: Object) -> Causes:
    """Of a suspended job that never ran, where its pods may go is still open."""
    was, now = before.get("template") or {}, after.get("template") or {}
    never_ran = before.get("suspend") and (old.get("status") or {}).get("startTime") is None
    shown = now
    if never_ran:
        was, now = _without_directives(was), _without_directives(now)
    if was == now:
        return []
    return [causes.invalid("spec.template", shown, values.IMMUTABLE)]


def _without_directives(given: Object) -> Object:
    meta = {
        field: value
        for field, value in (given.get("metadata") or {}).items()
        if field not in ("labels", "annotations")
    }
    spec: dict[str, Any] = {
        field: value
        for field, value in (given.get("spec") or {}).items()
        if field not in _DIRECTIVES
    }
    affinity = {
        field: value
        for field, value in (spec.pop("affinity", None) or {}).items()
        if field != "nodeAffinity"
    }
    return {"metadata": meta, "spec": spec | ({"affinity": affinity} if affinity else {})}


NEW: Final[family.Creates] = {"jobs.batch": of_new}
UPDATE: Final[family.Updates] = {"jobs.batch": of_update}
STATUS: Final[family.Updates] = {"jobs.batch": jobstatus.of_update}
OTHER: Final[family.Others] = {}
