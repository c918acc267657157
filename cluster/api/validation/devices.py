"""What claims, classes and slices of devices have in common (pkg/apis/resource/validation)."""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

from cluster.api import causes, metadata
from cluster.api.objects import Object
from cluster.api.validation import drivernames, values
from cluster.api.validation.values import Causes

if TYPE_CHECKING:
    from cluster.api import cel

MOST: Final = 32
"""Selectors, configurations, requests and constraints, of each."""
_EXPRESSION_LENGTH: Final = 10 * 1024
_EXPRESSION_COST: Final = 1_000_000
_PARAMETERS_SIZE: Final = 10 * 1024
_POOL_NAME: Final = 253
_IDENTIFIER: Final = 32
_MOST_CONDITIONS: Final = 4
_OPERATORS: Final = ("Equal", "Exists")
_EFFECTS: Final = ("NoExecute", "NoSchedule", "None")


def each(
    path: str,
    listed: Sequence[Any],
    most: int,
    check: Callable[[str, Any], Causes],
    key: Callable[[Any], Any] | None = None,
) -> Causes:
    """A bounded list, all of whose items are checked; with a `key` it is a set.

    One that is too long is not looked into.
    """
    if len(listed) > most:
        return [causes.too_many(path, len(listed), most)]
    found: Causes = []
    for index, item in enumerate(listed):
        found += check(f"{path}[{index}]", item)
    if key is not None:
        seen: set[Any] = set()
        for index, item in enumerate(listed):
            if key(item) in seen:
                found.append(causes.duplicate(f"{path}[{index}]", key(item)))
            seen.add(key(item))
    return found


def name_of(item: Object) -> str:
    """The name of an item, by which it is one of a set."""
    return str(item.get("name") or "")


def label(path: str, text: str) -> Causes:
    """A DNS label."""
    return values.complaints(path, text, metadata.dns1123_label(text))


def class_name(path: str, text: str) -> Causes:
    """The name of a device class."""
    if not text:
        return [causes.required(path)]
    return values.complaints(path, text, metadata.dns1123_subdomain(text))


def pool_name(path: str, text: str) -> Causes:
    """The name of a pool: subdomains with slashes between them."""
    if not text:
        return [causes.required(path)]
    found: Causes = []
    if len(text) > _POOL_NAME:
        found.append(causes.too_long(path, _POOL_NAME))
    for part in text.split("/"):
        found += values.complaints(path, part, metadata.dns1123_subdomain(part))
    return found


def qualified(path: str, text: str, *, fully: bool = False) -> Causes:
    """The name of an attribute or capacity: an identifier, and before it perhaps a domain."""
    parts = text.split("/")
    found: Causes = []
    if len(parts) > 2:
        return [causes.invalid(path, text, "must not contain more than one slash")]
    if len(parts) == 2:
        if parts[0]:
            found += drivernames.driver_name(path, parts[0])
        else:
            found.append(causes.invalid(path, "", "the domain must not be empty"))
        if not parts[1]:
            found.append(causes.invalid(path, "", "the name must not be empty"))
            return found
    found += _identifier(path, parts[-1])
    if fully and len(parts) == 1:
        detail = "a fully qualified name must be a domain and a name separated by a slash"
        found.append(causes.invalid(path, text, detail))
    return found


def _identifier(path: str, text: str) -> Causes:
    found: Causes = []
    if len(text) > _IDENTIFIER:
        found.append(causes.too_long(path, _IDENTIFIER))
    return found + values.complaints(path, text, metadata.c_identifier(text))


def selectors(path: str, listed: list[Object]) -> Causes:
    """Selectors of devices, in CEL."""
    return each(path, listed, MOST, _selector)


def _selector(path: str, selector: Object) -> Causes:
    if selector.get("cel") is None:
        return [causes.required(f"{path}.cel")]
    expression = selector["cel"].get("expression") or ""
    return _expression(f"{path}.cel.expression", expression)


def _expression(path: str, text: str) -> Causes:
    if len(text.encode()) > _EXPRESSION_LENGTH:
        return [causes.too_long(path, _EXPRESSION_LENGTH)]
    if not text.strip():
        return [causes.required(path)]
    fault, cost = _compiled(text)
    if fault:
        return [causes.invalid(path, text, fault)]
    if cost > _EXPRESSION_COST:
        return [causes.forbidden(path, "too complex, exceeds cost limit")]
    return []


@lru_cache(256)
def _compiled(text: str) -> tuple[str, int]:
    """What is wrong with an expression ("": nothing), and what it may cost."""
    from cluster.api import cel
    from cluster.api.cel import costs, types

    try:
        program = cel.compile(text, _environment())
    except cel.CompileError as error:
        return str(error), 0
    if program.type not in (types.BOOL, types.DYN):
        return "must evaluate to bool or the unknown type, not " + program.type.shown(), 0
    return "", costs.estimate(program).most


@lru_cache(1)
def _environment() -> "cel.Environment":
    from cluster.api import cel
    from cluster.api.cel import types

    inner = types.map_of(types.STRING, types.DYN, largest=MOST)
    amounts = types.map_of(types.STRING, types.opaque("kubernetes.Quantity"), largest=MOST)
    fields = {
        "driver": types.STRING,
        "allowMultipleAllocations": types.BOOL,
        "attributes": types.map_of(types.STRING, inner, largest=MOST),
        "capacity": types.map_of(types.STRING, amounts, largest=MOST),
    }
    return cel.Environment({"device": types.object_of("kubernetes.DRADevice", fields)})


def configuration(path: str, config: Object) -> Causes:
    """What a driver is told: parameters that only it understands."""
    opaque = config.get("opaque")
    if opaque is None:
        return [causes.required(f"{path}.opaque")]
    at = f"{path}.opaque"
    found = drivernames.driver_name(f"{at}.driver", opaque.get("driver") or "")
    return found + raw(f"{at}.parameters", opaque.get("parameters"))


def raw(path: str, value: Any) -> Causes:
    """A JSON object of any shape, of a bounded size."""
    if value is None:
        return [causes.required(path)]
    if len(msgspec.json.encode(value)) > _PARAMETERS_SIZE:
        return [causes.too_long(path, _PARAMETERS_SIZE)]
    if not isinstance(value, dict):
        return [causes.invalid(path, "<value omitted>", "must be a valid JSON object")]
    return []


def toleration(path: str, each: Object) -> Causes:
    """A toleration of device taints."""
    key, operator = each.get("key") or "", each.get("operator") or ""
    value, effect = each.get("value") or "", each.get("effect") or ""
    found: Causes = []
    if key:
        found += values.complaints(f"{path}.key", key, metadata.qualified_name(key))
    if operator == "Exists" and value:
        detail = "must be empty for operator `Exists`"
        found.append(causes.invalid(f"{path}.value", value, detail))
    elif operator == "Equal":
        found += values.complaints(f"{path}.value", value, metadata.label_value(value))
    found += values.one_of(f"{path}.operator", operator, _OPERATORS)
    if effect and effect not in _EFFECTS:
        found.append(causes.not_supported(f"{path}.effect", effect, _EFFECTS))
    return found


def taint(path: str, each: Object, was: Object | None = None) -> Causes:
    """A taint of a device; an effect that was there already may stay."""
    key, value = each.get("key") or "", each.get("value") or ""
    found = values.complaints(f"{path}.key", key, metadata.qualified_name(key))
    if value:
        found += values.complaints(f"{path}.value", value, metadata.label_value(value))
    if was is None or was.get("effect") != each.get("effect"):
        found += values.one_of(f"{path}.effect", each.get("effect"), _EFFECTS)
    return found


def binding_conditions(path: str, holder: Object) -> Causes:
    """The conditions for which binding waits, and those by which it fails: both or none."""
    names = ("bindingConditions", "bindingFailureConditions")
    wanted, failing = (holder.get(name) or [] for name in names)
    found: Causes = []
    for name, listed in zip(names, (wanted, failing), strict=True):
        found += each(f"{path}.{name}", listed, _MOST_CONDITIONS, _condition, lambda text: text)
    found += [
        causes.invalid(
            f"{path}.{names[1]}[{index}]",
            text,
            "bindingFailureConditions must not overlap with bindingConditions",
        )
        for index, text in enumerate(failing)
        if text in wanted
    ]
    for missing, given in ((0, 1), (1, 0)):
        if not holder.get(names[missing]) and holder.get(names[given]):
            detail = f"{names[missing]} are required to use {names[given]}"
            found.append(causes.invalid(f"{path}.{names[missing]}", [], detail))
    return found


def _condition(path: str, text: str) -> Causes:
    return values.complaints(path, text, metadata.qualified_name(text))


def skipped(path: str, operations: Iterable[str] | None) -> Causes:
    """What a kubelet need not do for devices: what is not prepared is not unprepared either."""
    listed = list(operations or ())
    prepare, unprepare = "NodePrepareResources", "NodeUnprepareResources"
    if prepare in listed and unprepare not in listed and "*" not in listed:
        detail = f"{prepare} cannot be skipped unless {unprepare} is also skipped"
        return [causes.invalid(path, listed, detail)]
    return []
