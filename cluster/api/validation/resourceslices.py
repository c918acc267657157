"""ResourceSlice (pkg/apis/resource/validation)."""

import re
from functools import partial
from typing import Any, Final

from cluster.api import causes, metadata, quantity
from cluster.api.objects import Object
from cluster.api.validation import devices, drivernames, family, scheduling, values
from cluster.api.validation.values import Causes

_MOST_DEVICES: Final = 128
_MOST_WITH_MORE: Final = 64
"""Devices, where any has taints, counters or lists of values."""
_MOST_COUNTER_SETS: Final = 8
_MOST_COUNTERS: Final = 32
_MOST_CONSUMED: Final = 2
_MOST_NAMES: Final = 32
_MOST_VALUES: Final = 48
_MOST_TAINTS: Final = 16
_MOST_OPTIONS: Final = 10
_VALUE_LENGTH: Final = 64
_LISTS: Final = ("bools", "ints", "strings", "versions")
_SINGLES: Final = ("bool", "int", "string", "version")
_PLACES: Final = ("nodeName", "nodeSelector", "allNodes", "perDeviceNodeSelection")
_DEVICE_PLACES: Final = ("nodeName", "nodeSelector", "allNodes")
_NUMBER: Final = r"(0|[1-9]\d*)"
_PRE: Final = r"(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
_SEMVER: Final = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(-{_PRE}(\.{_PRE})*)?(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?",
    re.ASCII,
)


def of_new(obj: Object) -> Causes:
    """What is wrong with a new slice."""
    return _slice(obj.get("spec") or {}, None)


def of_update(old: Object, new: Object) -> Causes:
    """What is wrong with a changed slice: whose devices they are, and where, stays."""
    before, after = old.get("spec") or {}, new.get("spec") or {}
    found = _slice(after, before)
    was, now = ((spec.get("pool") or {}).get("name") for spec in (before, after))
    found += values.immutable("spec.pool.name", was, now)
    for field in ("driver", "nodeName"):
        found += values.immutable(f"spec.{field}", before.get(field), after.get(field))
    return found


def _slice(spec: Object, before: Object | None) -> Causes:
    found = drivernames.driver_name("spec.driver", spec.get("driver") or "")
    found += _pool("spec.pool", spec.get("pool") or {})
    found += _place("spec", spec, _PLACES, needed=True)
    if "sharedCounters" in spec and "devices" in spec:
        detail = "only one of `sharedCounters` or `devices` is allowed"
        found.append(causes.invalid("spec", "", detail))
    listed = spec.get("devices") or []
    known = {devices.name_of(each): each for each in (before or {}).get("devices") or ()}
    most = _MOST_WITH_MORE if any(_has_more(each) for each in listed) else _MOST_DEVICES
    check = partial(_device, known, bool(spec.get("perDeviceNodeSelection")))
    found += devices.each("spec.devices", listed, most, check, devices.name_of)
    counters = spec.get("sharedCounters") or []
    found += devices.each(
        "spec.sharedCounters", counters, _MOST_COUNTER_SETS, _counter_set, devices.name_of
    )
    return found + devices.skipped("spec.skipNodeOperations", spec.get("skipNodeOperations"))


def _pool(path: str, pool: Object) -> Causes:
    found = devices.pool_name(f"{path}.name", pool.get("name") or "")
    count, generation = pool.get("resourceSliceCount") or 0, pool.get("generation") or 0
    if count <= 0:
        at = f"{path}.resourceSliceCount"
        found.append(causes.invalid(at, count, "must be greater than zero"))
    if generation < 0:
        detail = "must be greater than or equal to zero"
        found.append(causes.invalid(f"{path}.generation", generation, detail))
    return found


def _place(path: str, holder: Object, places: tuple[str, ...], *, needed: bool) -> Causes:
    """On which nodes devices are: told in one of several ways."""
    found: Causes = []
    told: list[str] = []
    for field in places:
        if field not in holder:
            continue
        value, at = holder[field], f"{path}.{field}"
        if field == "nodeSelector":
            found += _node_selector(at, value)
        elif not value:
            wanted = "a non-empty string" if field == "nodeName" else "true"
            detail = f"must be either unset or set to {wanted}"
            found.append(causes.invalid(at, value, detail))
            continue
        elif field == "nodeName":
            found += values.complaints(at, value, metadata.dns1123_subdomain(value))
        told.append(f"`{field}`")
    if places is _PLACES:
        detail = f"exactly one of {', '.join(f'`{field}`' for field in places)} is required"
        more = ", but multiple fields are set"
    else:
        detail = (
            "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when "
            "`perDeviceNodeSelection` is set to true in the ResourceSlice spec"
        )
        more = ""
    if not told and needed:
        found.append(causes.required(path, detail))
    elif len(told) > 1:
        found.append(causes.invalid(path, f"{{{', '.join(told)}}}", detail + more))
    return found


def _node_selector(path: str, selector: Object) -> Causes:
    found = scheduling.node_selector(path, selector)
    terms = selector.get("nodeSelectorTerms") or []
    if len(terms) != 1:
        detail = "must have exactly one node selector term"
        found.append(causes.invalid(f"{path}.nodeSelectorTerms", terms, detail))
    return found


def _has_more(device: Object) -> bool:
    lists = any(name in attribute for attribute in _attributes(device).values() for name in _LISTS)
    return lists or bool(device.get("taints") or device.get("consumesCounters"))


def _attributes(device: Object) -> dict[str, Any]:
    return device.get("attributes") or {}


def _device(known: dict[str, Object], chosen: bool, path: str, device: Object) -> Causes:
    was = known.get(devices.name_of(device))
    found = devices.label(f"{path}.name", devices.name_of(device))
    found += _sizes(path, device)
    for name, attribute in _attributes(device).items():
        found += devices.qualified(f"{path}.attributes", name)
        found += _attribute(f"{path}.attributes[{name}]", attribute)
    if was is None or was.get("capacity") != device.get("capacity"):
        many = bool(device.get("allowMultipleAllocations"))
        for name, capacity in (device.get("capacity") or {}).items():
            found += devices.qualified(f"{path}.capacity", name)
            found += _capacity(f"{path}.capacity[{name}]", capacity, many)
    if was is None or was.get("taints") != device.get("taints"):
        taints = device.get("taints") or []
        found += devices.each(f"{path}.taints", taints, _MOST_TAINTS, devices.taint)
    consumed = device.get("consumesCounters") or []
    found += devices.each(
        f"{path}.consumesCounters", consumed, _MOST_CONSUMED, _consumption,
        lambda each: each.get("counterSet"),
    )  # fmt: skip
    if chosen:
        found += _place(path, device, _DEVICE_PLACES, needed=True)
    elif any(field in device for field in _DEVICE_PLACES):
        detail = (
            "`nodeName`, `nodeSelector` and `allNodes` can only be set if "
            "`perDeviceNodeSelection` is set to true in the ResourceSlice spec"
        )
        found.append(causes.invalid(path, None, detail))
    return found + devices.binding_conditions(path, device)


def _sizes(path: str, device: Object) -> Causes:
    found: Causes = []
    count = len(_attributes(device)) + len(device.get("capacity") or ())
    if count > _MOST_NAMES:
        detail = f"the total number of attributes and capacities must not exceed {_MOST_NAMES}"
        found.append(causes.invalid(path, count, detail))
    entries = sum(
        max(1, sum(len(attribute.get(name) or ()) for name in _LISTS))
        for attribute in _attributes(device).values()
    )
    if entries > _MOST_VALUES:
        detail = f"the total number of attribute values must not exceed {_MOST_VALUES}"
        found.append(causes.invalid(path, entries, detail))
    return found


def _attribute(path: str, attribute: Object) -> Causes:
    found: Causes = []
    given = [name for name in (*_SINGLES, *_LISTS) if name in attribute]
    for name in given:
        at, value = f"{path}.{name}", attribute[name]
        if name in _LISTS and not value:
            found.append(causes.invalid(at, value, "must not be empty if specified"))
        texts = value if name in _LISTS else [value]
        if name.removesuffix("s") in ("string", "version"):
            for index, text in enumerate(texts):
                where = f"{at}[{index}]" if name in _LISTS else at
                found += _text(where, text, name.startswith("version"))
    if len(given) != 1:
        shown = attribute if given else ""
        found.append(causes.invalid(path, shown, "exactly one value must be specified"))
    return found


def _text(path: str, text: str, version: bool) -> Causes:
    found: Causes = []
    if version and _SEMVER.fullmatch(text[: _VALUE_LENGTH + 1]) is None:
        detail = "must be a string compatible with semver.org spec 2.0.0"
        found.append(causes.invalid(path, text, detail))
    if len(text.encode()) > _VALUE_LENGTH:
        found.append(causes.too_long(path, _VALUE_LENGTH))
    return found


def _counter_set(path: str, counters: Object) -> Causes:
    name = devices.name_of(counters)
    found = devices.label(f"{path}.name", name) if name else [causes.required(f"{path}.name")]
    return found + _counters(f"{path}.counters", counters.get("counters") or {})


def _consumption(path: str, consumption: Object) -> Causes:
    name, at = consumption.get("counterSet") or "", f"{path}.counterSet"
    found = devices.label(at, name) if name else [causes.required(at)]
    return found + _counters(f"{path}.counters", consumption.get("counters") or {})


def _counters(path: str, counters: Object) -> Causes:
    if not counters:
        return [causes.required(path)]
    if len(counters) > _MOST_COUNTERS:
        return [causes.too_many(path, len(counters), _MOST_COUNTERS)]
    return [cause for name in counters for cause in devices.label(path, name)]


def _capacity(path: str, capacity: Object, many: bool) -> Causes:
    policy, at = capacity.get("requestPolicy"), f"{path}.requestPolicy"
    if policy is None:
        return []
    if not many:
        return [causes.forbidden(at, "allowMultipleAllocations must be true")]
    options, limits = policy.get("validValues") or [], policy.get("validRange")
    if options and limits is not None:
        detail = (
            'exactly one policy can be specified, cannot specify "validValues" and "validRange" '
            "at the same time"
        )
        return [causes.forbidden(at, detail)]
    given = "validValues" if options else "validRange" if limits is not None else ""
    if given and "default" not in policy:
        return [causes.required(f"{at}.default", f"required when {given} is defined")]
    whole = capacity.get("value") or "0"
    if options:
        return _options(f"{at}.validValues", options, policy["default"], whole)
    return [] if limits is None else _range(f"{at}.validRange", limits, policy["default"], whole)


def _options(path: str, options: list[str], default: str, whole: str) -> Causes:
    amounts = [quantity.parse(text) for text in options]
    found: Causes = [
        causes.invalid(
            f"{path}[{index + 1}]", options[index + 1], "values must be sorted in ascending order"
        )
        for index in range(len(amounts) - 1)
        if amounts[index] > amounts[index + 1]
    ]
    found += devices.each(path, options, _MOST_OPTIONS, partial(_option, whole), quantity.parse)
    if quantity.parse(default) not in amounts:
        detail = "default value is not valid according to the requestPolicy"
        found.append(causes.invalid(path, default, detail))
    return found


def _option(whole: str, path: str, text: str) -> Causes:
    if quantity.parse(text) <= quantity.parse(whole):
        return []
    return [causes.invalid(path, text, f"option is larger than capacity value: {whole}")]


def _range(path: str, limits: Object, default: str, whole: str) -> Causes:
    low = limits.get("min")
    if low is None:
        return [causes.required(f"{path}.min", "required when validRange is defined")]
    least, most = quantity.parse(low), quantity.parse(whole)
    found: Causes = []
    if least > most:
        detail = f"min is larger than capacity value: {whole}"
        found.append(causes.invalid(f"{path}.min", low, detail))
    if quantity.parse(default) < least:
        found.append(causes.invalid(f"{path}.default", default, f"default is less than min: {low}"))
    high = limits.get("max")
    if high is not None:
        if least > quantity.parse(high):
            found.append(causes.invalid(f"{path}.max", low, f"min is larger than max: {high}"))
        if quantity.parse(high) > most:
            detail = f"max is larger than capacity value: {whole}"
            found.append(causes.invalid(f"{path}.max", high, detail))
        if quantity.parse(default) > quantity.parse(high):
            detail = f"default is more than max: {high}"
            found.append(causes.invalid(f"{path}.default", default, detail))
    if "step" in limits:
        found += _step(f"{path}.step", limits["step"], low, (default, high), whole)
    return found


def _step(path: str, step: str, low: str, others: tuple[str | None, ...], whole: str) -> Causes:
    size, least = quantity.parse(step), quantity.parse(low)
    if size <= 0:
        return [causes.invalid(path, step, "must be greater than zero")]
    found: Causes = []
    if least + size > quantity.parse(whole):
        detail = f"one step {least + size} is larger than capacity value: {whole}"
        found.append(causes.invalid(path, step, detail))
    for text in others:
        if text is not None and (quantity.parse(text) - least) % size:
            detail = f"value is not a multiple of a given step ({step}) from ({low})"
            found.append(causes.invalid(path, text, detail))
    return found


_ID: Final = "resourceslices.resource.k8s.io"
NEW: Final[family.Creates] = {_ID: of_new}
UPDATE: Final[family.Updates] = {_ID: of_update}
STATUS: Final[family.Updates] = {}
OTHER: Final[family.Others] = {}
