"""DeviceClass, ResourceClaim, ResourceClaimTemplate, DeviceTaintRule (pkg/apis/resource)."""

import re
from functools import partial
from typing import Any, Final

from cluster.api import causes, metadata, objectmeta
from cluster.api.objects import Object
from cluster.api.validation import devices, drivernames, family, metaconditions, scheduling, values
from cluster.api.validation.values import Causes

_GROUP: Final = "resource.k8s.io"
_MOST_ALTERNATIVES: Final = 8
_MOST_RESERVED: Final = 256
_MOST_CONDITIONS: Final = 8
_MOST_TOLERATIONS: Final = 16
_MODES: Final = ("All", "ExactCount")
_SOURCES: Final = ("FromClaim", "FromClass")
_UID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_REFERENCE: Final = (
    "must be the name of a request in the claim or the name of a request and a subrequest "
    "separated by '/'"
)
_ONE_OF: Final = "exactly one of `exactly` or `firstAvailable` is required"

Names = dict[str, list[str]]
"""The requests of a claim, and the alternatives of each."""


def _spec(obj: Object) -> Object:
    return obj.get("spec") or {}


def device_class(obj: Object) -> Causes:
    """What is wrong with a device class."""
    spec = _spec(obj)
    found = devices.selectors("spec.selectors", spec.get("selectors") or [])
    configs = spec.get("config") or []
    found += devices.each("spec.config", configs, devices.MOST, devices.configuration)
    name = spec.get("extendedResourceName")
    if name is not None and ("/" not in name or "kubernetes.io/" in name or _odd(name)):
        detail = "must be a valid extended resource name"
        found.append(causes.invalid("spec.extendedResourceName", name, detail))
    return found


def _odd(name: str) -> bool:
    return name.startswith("requests.") or bool(metadata.qualified_name(f"requests.{name}"))


def claim(obj: Object) -> Causes:
    """What is wrong with a new resource claim."""
    return _claim_spec("spec", _spec(obj))


def template(obj: Object) -> Causes:
    """What is wrong with a new template of resource claims."""
    spec = _spec(obj)
    meta = spec.get("metadata") or {}
    path = "spec.metadata"
    found = objectmeta.check_annotations(meta.get("annotations") or {}, f"{path}.annotations")
    found += objectmeta.check_labels(meta.get("labels") or {}, f"{path}.labels")
    return found + _claim_spec("spec.spec", spec.get("spec") or {})


def _same_spec(old: Object, new: Object) -> Causes:
    return values.immutable("spec", _spec(old), _spec(new))


def _claim_spec(path: str, spec: Object) -> Causes:
    wanted, at = spec.get("devices") or {}, f"{path}.devices"
    names = _names(wanted)
    found = devices.each(
        f"{at}.requests", wanted.get("requests") or [], devices.MOST, _request, devices.name_of
    )
    constraints = wanted.get("constraints") or []
    found += devices.each(
        f"{at}.constraints", constraints, devices.MOST, partial(_constraint, names)
    )
    configs = wanted.get("config") or []
    return found + devices.each(f"{at}.config", configs, devices.MOST, partial(_config, names))


def _names(wanted: Object) -> Names:
    return {
        devices.name_of(request): [
            devices.name_of(each) for each in request.get("firstAvailable") or ()
        ]
        for request in wanted.get("requests") or ()
    }


def _request(path: str, request: Object) -> Causes:
    found = devices.label(f"{path}.name", devices.name_of(request))
    exactly, first = request.get("exactly"), request.get("firstAvailable")
    if exactly is not None and first:
        detail = f"{_ONE_OF}, but multiple fields are set"
        return [*found, causes.invalid(path, None, detail)]
    if first:
        at = f"{path}.firstAvailable"
        return found + devices.each(at, first, _MOST_ALTERNATIVES, _alternative, devices.name_of)
    if exactly is None:
        return [*found, causes.required(path, _ONE_OF)]
    return found + _wanted(f"{path}.exactly", exactly)


def _alternative(path: str, request: Object) -> Causes:
    found = devices.label(f"{path}.name", devices.name_of(request))
    return found + _wanted(path, request)


def _wanted(path: str, request: Object) -> Causes:
    found = devices.class_name(f"{path}.deviceClassName", request.get("deviceClassName") or "")
    found += devices.selectors(f"{path}.selectors", request.get("selectors") or [])
    mode, count = request.get("allocationMode") or "", request.get("count") or 0
    if mode == "All" and count:
        detail = "must not be specified when allocationMode is 'All'"
        found.append(causes.invalid(f"{path}.count", count, detail))
    elif mode == "ExactCount" and count <= 0:
        found.append(causes.invalid(f"{path}.count", count, "must be greater than zero"))
    elif mode not in _MODES:
        found.append(causes.not_supported(f"{path}.allocationMode", mode, _MODES))
    tolerations = request.get("tolerations") or []
    at = f"{path}.tolerations"
    return found + devices.each(at, tolerations, _MOST_TOLERATIONS, devices.toleration)


def _reference(names: Names, path: str, text: str) -> Causes:
    parts = text.split("/")
    if len(parts) > 2:
        return [causes.invalid(path, text, _REFERENCE)]
    found: Causes = []
    for part in parts:
        found += devices.label(path, part)
    known = parts[0] in names and (len(parts) == 1 or parts[1] in names[parts[0]])
    return found if known else [*found, causes.invalid(path, text, _REFERENCE)]


def _references(names: Names, path: str, listed: list[str]) -> Causes:
    return devices.each(path, listed, devices.MOST, partial(_reference, names), lambda text: text)


def _constraint(names: Names, path: str, constraint: Object) -> Causes:
    found = _references(names, f"{path}.requests", constraint.get("requests") or [])
    for field in ("matchAttribute", "distinctAttribute"):
        if field in constraint:
            return found + devices.qualified(f"{path}.{field}", constraint[field], fully=True)
    detail = (
        'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields '
        "are set"
    )
    return [*found, causes.required(path, detail)]


def _config(names: Names, path: str, config: Object) -> Causes:
    found = _references(names, f"{path}.requests", config.get("requests") or [])
    return found + devices.configuration(path, config)


def claim_status(old: Object, new: Object) -> Causes:
    """What is wrong with a changed status of a claim."""
    status, was = new.get("status") or {}, old.get("status") or {}
    reserved, allocation = status.get("reservedFor") or [], status.get("allocation")
    path = "status.reservedFor"
    found = devices.each(path, reserved, _MOST_RESERVED, _consumer, lambda each: each.get("uid"))
    known = [_device_of(result) for result in _results(allocation)]
    told = status.get("devices") or []
    found += devices.each(
        "status.devices", told, 1 << 30, partial(_device_status, known), _device_of
    )
    if reserved and allocation is None:
        found.append(causes.forbidden(path, "may not be specified when `allocated` is not set"))
    elif new["metadata"].get("deletionTimestamp"):
        before = was.get("reservedFor") or []
        if any(each not in before for each in reserved):
            detail = (
                "new entries may not be added while `deallocationRequested` or "
                "`deletionTimestamp` are set"
            )
            found.append(causes.forbidden(path, detail))
    if allocation is None:
        return found
    if was.get("allocation") is not None:
        return found + values.immutable("status.allocation", was["allocation"], allocation)
    return found + _allocation(
        "status.allocation", allocation, _names(_spec(new).get("devices") or {})
    )


def _results(allocation: Object | None) -> list[Object]:
    return ((allocation or {}).get("devices") or {}).get("results") or []


def _device_of(each: Object) -> tuple[Any, ...]:
    return tuple(each.get(field) or "" for field in ("driver", "pool", "device", "shareID"))


def _consumer(path: str, consumer: Object) -> Causes:
    return [
        causes.required(f"{path}.{field}")
        for field in ("resource", "name", "uid")
        if not consumer.get(field)
    ]


def _device_names(path: str, each: Object) -> Causes:
    found = drivernames.driver_name(f"{path}.driver", each.get("driver") or "")
    found += devices.pool_name(f"{path}.pool", each.get("pool") or "")
    found += devices.label(f"{path}.device", each.get("device") or "")
    share = each.get("shareID")
    if share is not None and _UID.fullmatch(share) is None:
        detail = (
            "uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with "
            "lowercase hexadecimal characters"
        )
        found.append(causes.invalid(f"{path}.shareID", share, detail))
    return found


def _device_status(known: list[tuple[Any, ...]], path: str, each: Object) -> Causes:
    found = _device_names(path, each)
    if _device_of(each) not in known:
        shown = "/".join(part for part in _device_of(each) if part)
        found.append(causes.invalid(path, shown, "must be an allocated device in the claim"))
    conditions = each.get("conditions") or []
    at = f"{path}.conditions"
    if len(conditions) > _MOST_CONDITIONS:
        found.append(causes.too_many(at, len(conditions), _MOST_CONDITIONS))
    found += metaconditions.conditions(at, conditions)
    if each.get("data") is not None:
        found += devices.raw(f"{path}.data", each["data"])
    return found


def _allocation(path: str, allocation: Object, names: Names) -> Causes:
    given, at = allocation.get("devices") or {}, f"{path}.devices"
    found = devices.each(
        f"{at}.results", given.get("results") or [], devices.MOST, partial(_result, names)
    )
    configs = given.get("config") or []
    found += devices.each(
        f"{at}.config", configs, 2 * devices.MOST, partial(_allocated_config, names)
    )
    if allocation.get("nodeSelector") is not None:
        found += scheduling.node_selector(f"{path}.nodeSelector", allocation["nodeSelector"])
    return found


def _result(names: Names, path: str, result: Object) -> Causes:
    found = _reference(names, f"{path}.request", result.get("request") or "")
    found += _device_names(path, result)
    found += devices.binding_conditions(path, result)
    for index, toleration in enumerate(result.get("tolerations") or ()):
        found += devices.toleration(f"{path}.tolerations[{index}]", toleration)
    return found + devices.skipped(f"{path}.skipNodeOperations", result.get("skipNodeOperations"))


def _allocated_config(names: Names, path: str, config: Object) -> Causes:
    found = values.one_of(f"{path}.source", config.get("source"), _SOURCES)
    return found + _config(names, path, config)


def taint_rule(obj: Object) -> Causes:
    """What is wrong with a new taint rule."""
    return _taint_rule(obj, None)


def taint_rule_update(old: Object, new: Object) -> Causes:
    """What is wrong with a changed taint rule."""
    return _taint_rule(new, _spec(old).get("taint"))


def _taint_rule(obj: Object, was: Object | None) -> Causes:
    spec = _spec(obj)
    chosen, path = spec.get("deviceSelector") or {}, "spec.deviceSelector"
    checks = {
        "driver": drivernames.driver_name, "pool": devices.pool_name, "device": devices.label,
    }  # fmt: skip
    found: Causes = []
    for field, check in checks.items():
        if field in chosen:
            found += check(f"{path}.{field}", chosen[field])
    return found + devices.taint("spec.taint", spec.get("taint") or {}, was)


def taint_rule_status(_old: Object, new: Object) -> Causes:
    """What is wrong with the status of a taint rule."""
    path, listed = "status.conditions", (new.get("status") or {}).get("conditions") or []
    found = metaconditions.conditions(path, listed)
    if len(listed) > _MOST_CONDITIONS:
        found.append(causes.too_many(path, len(listed), _MOST_CONDITIONS))
    return found


NEW: Final[family.Creates] = {
    f"deviceclasses.{_GROUP}": device_class,
    f"devicetaintrules.{_GROUP}": taint_rule,
    f"resourceclaims.{_GROUP}": claim,
    f"resourceclaimtemplates.{_GROUP}": template,
}
UPDATE: Final[family.Updates] = {
    f"deviceclasses.{_GROUP}": lambda old, new: device_class(new),
    f"devicetaintrules.{_GROUP}": taint_rule_update,
    f"resourceclaims.{_GROUP}": _same_spec,
    f"resourceclaimtemplates.{_GROUP}": _same_spec,
}
STATUS: Final[family.Updates] = {
    f"devicetaintrules.{_GROUP}": taint_rule_status,
    f"resourceclaims.{_GROUP}": claim_status,
}
OTHER: Final[family.Others] = {}
