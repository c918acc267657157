"""What is wrong with a configuration: pkg/scheduler/apis/config/validation, by field path."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from cluster.api import causes, durations
from cluster.api.errors import Cause
from cluster.scheduler.configuration.types import EXTENSION_POINTS, LATER_POINTS

_REMOVED: Final = ("AzureDiskLimits", "CinderLimits", "EBSLimits", "GCEPDLimits")
_LARGEST_SUM: Final = (1 << 63) - 1
_MAX_NODE_SCORE: Final = 100

Document = Mapping[str, Any]
Causes = list[Cause]
Missing = Callable[[str], str]
"""Why there is no plugin of a name; "" where there is one."""


def check(document: Document, missing: Missing) -> Causes:
    """What is wrong with a configuration that has its defaults, but for plugins' arguments."""
    found = _client(document.get("clientConnection") or {})
    found += _election("leaderElection", document["leaderElection"])
    if document["parallelism"] <= 0:
        told = "should be an integer value greater than zero"
        found.append(causes.invalid("parallelism", document["parallelism"], told))
    profiles = document["profiles"]
    seen: dict[str, int] = {}
    for index, profile in enumerate(profiles):
        at, name = f"profiles[{index}]", profile.get("schedulerName") or ""
        found += _profile(at, profile, missing)
        if name in seen:
            first = f"profiles[{seen[name]}].schedulerName"
            found.append(causes.duplicate(f"{at}.schedulerName", first))
        seen[name] = index
    found += _queue_sort(profiles)
    found += _percentage("", document)
    found += _backoff(document)
    return found + _extenders(document.get("extenders") or ())


def _client(connection: Document) -> Causes:
    burst = connection.get("burst", 0)
    if burst >= 0:
        return []
    return [causes.invalid("clientConnection.burst", burst, "must be non-negative")]


def _election(path: str, election: Document) -> Causes:
    found: Causes = []
    times = {}
    for name in ("leaseDuration", "renewDeadline", "retryPeriod"):
        try:
            times[name] = durations.parse(election[name])
        except ValueError:
            told = f"time: invalid duration {causes.quoted(election[name])}"
            found.append(causes.invalid(f"{path}.{name}", election[name], told))
    if not election["leaderElect"]:
        return found
    for name, seconds in times.items():
        if seconds <= 0:
            told = "must be greater than zero"
            found.append(causes.invalid(f"{path}.{name}", election[name], told))
    if len(times) == 3 and times["leaseDuration"] < times["renewDeadline"]:
        told = "LeaseDuration must be greater than RenewDeadline"
        found.append(causes.invalid(f"{path}.leaseDuration", election["renewDeadline"], told))
    if election["resourceLock"] != "leases":
        told = 'resourceLock value must be "leases"'
        found.append(causes.invalid(f"{path}.resourceLock", election["resourceLock"], told))
    return found


def _profile(path: str, profile: Document, missing: Missing) -> Causes:
    found: Causes = []
    if not profile.get("schedulerName"):
        found.append(causes.required(f"{path}.schedulerName"))
    found += _percentage(f"{path}.", profile)
    plugins = profile.get("plugins") or {}
    for point in LATER_POINTS:
        if (plugins.get(point) or {}).get("enabled"):
            told = "groups of pods are not scheduled together by this scheduler yet"
            found.append(causes.forbidden(f"{path}.plugins.{point}", told))
    for point in EXTENSION_POINTS:
        found += _plugin_set(f"{path}.plugins.{point}", plugins.get(point) or {}, missing)
    seen: dict[str, None] = {}
    for index, one in enumerate(profile.get("pluginConfig") or ()):
        at, name = f"{path}.pluginConfig[{index}]", one.get("name", "")
        if name in seen:
            found.append(causes.duplicate(at, name))
        seen[name] = None
        found += _removed(at, name)
    return found


def _plugin_set(path: str, given: Document, missing: Missing) -> Causes:
    found: Causes = []
    seen: dict[str, None] = {}
    total = 0
    for index, one in enumerate(given.get("enabled") or ()):
        at, name = f"{path}.enabled[{index}]", one.get("name", "")
        found += _removed(at, name) or _unknown(at, name, missing)
        if name in seen:
            found.append(causes.duplicate(at, name))
        seen[name] = None
        weight = one.get("weight", 0)
        if weight < 0:
            told = "must have a positive weight applied to it"
            found.append(causes.invalid(f"{at}.weight", weight, told))
        total += max(weight, 1) * _MAX_NODE_SCORE
    if total > _LARGEST_SUM:
        found.append(causes.invalid(path, total, "total score of Score plugins could overflow"))
    return found


def _unknown(path: str, name: str, missing: Missing) -> Causes:
    if not name:
        return [causes.required(f"{path}.name")]
    why = missing(name)
    return [Cause("FieldValueNotFound", f'Not found: "{name}": {why}', path)] if why else []


def _removed(path: str, name: str) -> Causes:
    if name not in _REMOVED:
        return []
    version = "kubescheduler.config.k8s.io/v1"
    told = f'was invalid in version "{version}" (KubeSchedulerConfiguration is version "{version}")'
    return [causes.invalid(path, name, told)]


def _queue_sort(profiles: Sequence[Document]) -> Causes:
    """One queue, so one order: the same plugin with the same arguments in all profiles."""
    found: Causes = []
    first = _sort_of(profiles[0])
    enabled = first.get("enabled") or ()
    if len(enabled) > 1:
        at = "profiles[0].plugins.queueSort.Enabled"
        told = "only one queue sort plugin can be enabled"
        found.append(causes.invalid(at, len(enabled), told))
    name = enabled[0].get("name", "") if enabled else ""
    args = _args_of(profiles[0], name)
    for index, profile in enumerate(profiles[1:], 1):
        here = _sort_of(profile)
        if here != first:
            at = f"profiles[{index}].plugins.queueSort"
            found.append(causes.invalid(at, here, "must be the same for all profiles"))
        if name and _args_of(profile, name) != args:
            at = f"profiles[{index}].pluginConfig.args"
            told = "queueSort must be the same for all profiles"
            found.append(causes.invalid(at, _args_of(profile, name), told))
    return found


def _sort_of(profile: Document) -> Document:
    found: Document = (profile.get("plugins") or {}).get("queueSort") or {}
    return {name: value for name, value in found.items() if value}


def _args_of(profile: Document, name: str) -> Any:
    listed = profile.get("pluginConfig") or ()
    return next((one.get("args") for one in listed if one.get("name") == name), None)


def _percentage(path: str, holder: Document) -> Causes:
    found: Causes = []
    for name in ("percentageOfNodesToScore", "percentageOfPlacementsToScore"):
        share = holder.get(name)
        if share is not None and not 0 <= share <= 100:
            told = "not in valid range [0-100]"
            found.append(causes.invalid(f"{path}{name}", share, told))
    return found


def _backoff(document: Document) -> Causes:
    found: Causes = []
    first, longest = document["podInitialBackoffSeconds"], document["podMaxBackoffSeconds"]
    if first <= 0:
        found.append(causes.invalid("podInitialBackoffSeconds", first, "must be greater than 0"))
    if longest < first:
        told = "must be greater than or equal to PodInitialBackoffSeconds"
        found.append(causes.invalid("podMaxBackoffSeconds", longest, told))
    return found


def _extenders(extenders: Sequence[Document]) -> Causes:
    if not extenders:
        return []
    told = (
        "extenders are not called by this scheduler yet; "
        "write a plugin in Python instead (docs/scheduler-plugins.md)"
    )
    return [causes.forbidden("extenders", told)]
