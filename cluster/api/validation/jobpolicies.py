"""When a Job has failed or succeeded, and which of its pods count (batch validation)."""

import itertools
import re
from typing import Any, Final

from cluster.api import causes, metadata
from cluster.api.objects import Object
from cluster.api.validation import values
from cluster.api.validation.values import Causes

MAX_PARALLELISM: Final = 100_000
MAX_FAILED: Final = 100_000
_MANY: Final = 100_000
_MANY_FAILED: Final = 10_000
_MANY_PARALLEL: Final = 10_000
_MAX_RULES: Final = 20
_MAX_CODES: Final = 255
_LONGEST_INDEXES: Final = 64 * 1024
_ACTIONS: Final = ("Count", "FailIndex", "FailJob", "Ignore")
_OPERATORS: Final = ("In", "NotIn")
_STATUSES: Final = ("False", "True", "Unknown")
_REPLACEMENTS: Final = ("Failed", "TerminatingOrFailed")
_INDEX: Final = re.compile(r"[-+]?[0-9]{1,18}", re.ASCII)
_HIGH: Final = f"when completions are above {_MANY} and used with backoff limit per index"


def indexed(path: str, spec: Object) -> Causes:
    """What is wrong with the numbers of an indexed job."""
    found: Causes = []
    completions, parallelism = spec.get("completions"), spec.get("parallelism") or 0
    failed = spec.get("maxFailedIndexes")
    if completions is None:
        found.append(causes.required(f"{path}.completions", "when completion mode is Indexed"))
    if parallelism > MAX_PARALLELISM:
        detail = f"must be less than or equal to {MAX_PARALLELISM} when completion mode is Indexed"
        found.append(causes.invalid(f"{path}.parallelism", parallelism, detail))
    if completions is not None and failed is not None and failed > completions:
        detail = "must be less than or equal to completions"
        found.append(causes.invalid(f"{path}.maxFailedIndexes", failed, detail))
    if failed is not None and failed > MAX_FAILED:
        detail = f"must be less than or equal to {MAX_FAILED}"
        found.append(causes.invalid(f"{path}.maxFailedIndexes", failed, detail))
    if (completions or 0) > _MANY and spec.get("backoffLimitPerIndex") is not None:
        found += _very_many(path, parallelism, failed)
    return found


def _very_many(path: str, parallelism: int, failed: int | None) -> Causes:
    found: Causes = []
    if failed is None:
        detail = f"must be specified when completions is above {_MANY}"
        found.append(causes.required(f"{path}.maxFailedIndexes", detail))
    if parallelism > _MANY_PARALLEL:
        detail = f"must be less than or equal to {_MANY_PARALLEL} {_HIGH}"
        found.append(causes.invalid(f"{path}.parallelism", parallelism, detail))
    if failed is not None and failed > _MANY_FAILED:
        detail = f"must be less than or equal to {_MANY_FAILED} {_HIGH}"
        found.append(causes.invalid(f"{path}.maxFailedIndexes", failed, detail))
    return found


def replacement(path: str, spec: Object) -> Causes:
    """What is wrong with podReplacementPolicy."""
    policy = spec.get("podReplacementPolicy")
    known = ("Failed",) if "podFailurePolicy" in spec else _REPLACEMENTS
    if policy is None or policy in known:
        return []
    return [causes.not_supported(f"{path}.podReplacementPolicy", policy, known)]


def failure(path: str, spec: Object) -> Causes:
    """What is wrong with podFailurePolicy."""
    rules = (spec.get("podFailurePolicy") or {}).get("rules") or []
    at = f"{path}.podFailurePolicy.rules"
    found: Causes = []
    if len(rules) > _MAX_RULES:
        found.append(causes.too_many(at, len(rules), _MAX_RULES))
    pod = (spec.get("template") or {}).get("spec") or {}
    names = {
        container.get("name")
        for field in ("containers", "initContainers")
        for container in pod.get(field) or ()
    }
    for index, rule in enumerate(rules):
        found += _failure_rule(f"{at}[{index}]", rule, spec, names)
    return found


def _failure_rule(path: str, rule: Object, spec: Object, names: set[Any]) -> Causes:
    found: Causes = []
    action = rule.get("action") or ""
    if not action:
        found.append(causes.required(f"{path}.action", _valid(_ACTIONS)))
    elif action == "FailIndex" and spec.get("backoffLimitPerIndex") is None:
        detail = "requires the backoffLimitPerIndex to be set"
        found.append(causes.invalid(f"{path}.action", action, detail))
    elif action not in _ACTIONS:
        found.append(causes.not_supported(f"{path}.action", action, _ACTIONS))
    codes, patterns = rule.get("onExitCodes"), rule.get("onPodConditions") or []
    if codes is not None:
        found += _exit_codes(f"{path}.onExitCodes", codes, names)
    if len(patterns) > _MAX_RULES:
        found.append(causes.too_many(f"{path}.onPodConditions", len(patterns), _MAX_RULES))
    for index, pattern in enumerate(patterns):
        found += _pattern(f"{path}.onPodConditions[{index}]", pattern)
    if codes is not None and patterns:
        detail = "specifying both OnExitCodes and OnPodConditions is not supported"
        found.append(causes.invalid_without_value(path, detail))
    if codes is None and not patterns:
        detail = "specifying one of OnExitCodes and OnPodConditions is required"
        found.append(causes.invalid_without_value(path, detail))
    return found


def _pattern(path: str, pattern: Object) -> Causes:
    kind, status = pattern.get("type") or "", pattern.get("status") or ""
    found = values.complaints(f"{path}.type", kind, metadata.qualified_name(kind))
    if not status:
        found.append(causes.required(f"{path}.status", _valid(_STATUSES)))
    elif status not in _STATUSES:
        found.append(causes.not_supported(f"{path}.status", status, _STATUSES))
    return found


def _exit_codes(path: str, codes: Object, names: set[Any]) -> Causes:
    found: Causes = []
    operator, listed = codes.get("operator") or "", codes.get("values") or []
    if not operator:
        found.append(causes.required(f"{path}.operator", _valid(_OPERATORS)))
    elif operator not in _OPERATORS:
        found.append(causes.not_supported(f"{path}.operator", operator, _OPERATORS))
    name = codes.get("containerName")
    if name is not None and name not in names:
        detail = "must be one of the container or initContainer names in the pod template"
        found.append(causes.invalid(f"{path}.containerName", name, detail))
    at = f"{path}.values"
    if not listed:
        found.append(causes.invalid(at, listed, "at least one value is required"))
    elif len(listed) > _MAX_CODES:
        found.append(causes.too_many(at, len(listed), _MAX_CODES))
    seen: dict[int, None] = {}
    for index, code in enumerate(listed):
        if operator == "In" and code == 0:
            detail = "must not be 0 for the In operator"
            found.append(causes.invalid(f"{at}[{index}]", code, detail))
        if code in seen:
            found.append(causes.duplicate(f"{at}[{index}]", code))
        seen[code] = None
    if any(after < before for before, after in itertools.pairwise(listed)):
        found.append(causes.invalid(at, listed, "must be ordered"))
    return found


def success(path: str, spec: Object) -> Causes:
    """What is wrong with successPolicy."""
    policy = spec.get("successPolicy")
    if policy is None:
        return []
    if spec.get("completionMode") != "Indexed":
        detail = "requires indexed completion mode"
        return [causes.invalid(f"{path}.successPolicy", policy, detail)]
    at, rules = f"{path}.successPolicy.rules", policy.get("rules") or []
    found: Causes = []
    if not rules:
        detail = "at least one rules must be specified when the successPolicy is specified"
        found.append(causes.required(at, detail))
    if len(rules) > _MAX_RULES:
        found.append(causes.too_many(at, len(rules), _MAX_RULES))
    for index, rule in enumerate(rules):
        found += _success_rule(f"{at}[{index}]", rule, spec.get("completions") or 0)
    return found


def _success_rule(path: str, rule: Object, completions: int) -> Causes:
    count, text = rule.get("succeededCount"), rule.get("succeededIndexes")
    if count is None and text is None:
        detail = "at least one of succeededCount or succeededIndexes must be specified"
        return [causes.required(path, detail)]
    found: Causes = []
    total = 0
    if text is not None:
        at = f"{path}.succeededIndexes"
        if len(text) > _LONGEST_INDEXES:
            return [causes.too_long(at, _LONGEST_INDEXES)]
        try:
            total = counted(text, completions)
        except ValueError as error:
            detail = f"error parsing succeededIndexes: {error}"
            found.append(causes.invalid(at, text, detail))
    if count is not None:
        at = f"{path}.succeededCount"
        found += values.not_negative(at, count)
        detail = "must be less than or equal to"
        if count > completions:
            of = f"{detail} {completions} (the number of specified completions)"
            found.append(causes.invalid(at, count, of))
        if text is not None and count > total:
            of = f"{detail} {total} (the number of indexes in the specified succeededIndexes field)"
            found.append(causes.invalid(at, count, of))
    return found


def counted(text: str, completions: int) -> int:
    """How many indexes `0,2-4` names of so many. ValueError, with what is wrong."""
    total, last = 0, -1
    for part in text.split(",") if text else ():
        ends = part.split("-")
        if len(ends) > 2:
            raise ValueError(
                f"the fragment {causes.quoted(part)} violates the requirement that an index "
                "interval can have at most two parts separated by '-'"
            )
        first, end = _index(ends[0], completions), _index(ends[-1], completions)
        if len(ends) == 2 and first >= end:
            raise ValueError(f"non-increasing order, previous: {first}, current: {end}")
        if last >= first:
            raise ValueError(f"non-increasing order, previous: {last}, current: {first}")
        total, last = total + end - first + 1, end
    return total


def _index(text: str, completions: int) -> int:
    if _INDEX.fullmatch(text) is None:
        raise ValueError(f"cannot convert string to integer for index: {causes.quoted(text)}")
    if int(text) >= completions:
        raise ValueError(f"too large index: {causes.quoted(text)}")
    return int(text)


def _valid(known: tuple[str, ...]) -> str:
    return f"valid values: [{' '.join(causes.quoted(text) for text in known)}]"
