"""The usage of one object, as quotas count it."""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypedDict

import msgspec

from cluster.api import objects, podrequests, qos, quantity, timestamps
from cluster.api.objects import Object
from cluster.api.quota import names

Amounts = Mapping[str, int]
"""Amounts by the names that quotas have for them: cpu in thousandths, all else in whole units."""
_ENDED: Final = ("Succeeded", "Failed")
_SCOPED: Final = frozenset(("activeDeadlineSeconds", "priorityClassName", "affinity"))
_BETA_CLASS: Final = "volume.beta.kubernetes.io/storage-class"
_TERMS: Final = (
    "requiredDuringSchedulingIgnoredDuringExecution",
    "preferredDuringSchedulingIgnoredDuringExecution",
)


_NOTHING: Final[Amounts] = MappingProxyType({})


class Facts(NamedTuple):
    """What scopes ask about a pod or a claim."""

    terminating: bool = False
    best_effort: bool = False
    priority_class: str = ""
    across_namespaces: bool = False
    attributes_classes: tuple[str, ...] = ()


NO_FACTS: Final = Facts()


class Usage(NamedTuple):
    """What an object uses. `binary` are the names whose amounts are written with Ki, Mi…. After
    `until` (seconds since the epoch; 0: never) nothing is used but `left`: a pod that should be
    gone by then is held against nobody. `silent` are the names that a quota may want each container
    to say and that one does not.
    """

    amounts: Amounts
    facts: Facts = NO_FACTS
    binary: tuple[str, ...] = ()
    until: float = 0.0
    left: Amounts = _NOTHING
    silent: frozenset[str] = frozenset()

    def at(self, now: float) -> "Usage":
        """The usage at a time."""
        if not self.until or now <= self.until:
            return self
        return Usage(self.left, self.facts)


def of(resource: str, obj: Object) -> Usage:
    """The usage of an object of a resource."""
    if resource == names.PODS:
        return _of_pod(obj)
    if resource == names.SERVICES:
        return _of_service(obj)
    if resource == names.CLAIMS:
        return _of_claim(obj)
    return of_count(resource)


def of_count(resource: str) -> Usage:
    """The usage of an object that merely counts."""
    amounts = {f"{names.COUNT}{resource}": 1}
    if resource in names.OBJECTS:
        amounts[resource] = 1
    return Usage(amounts)


def amount(name: str, text: Any) -> int:
    """A quantity in the unit that `name` is counted in. ValueError."""
    return quantity.milli(text) if name.endswith("cpu") else quantity.value(text)


def text(name: str, amount: int, *, binary: bool = False) -> str:
    """The canonical text of an amount."""
    if name.endswith("cpu"):
        return quantity.format_milli(amount)
    return quantity.format(amount, binary=binary)


def _of_pod(pod: Object) -> Usage:
    spec = objects.spec(pod)
    parts = _computed(_signature(spec))
    facts = parts.facts
    meta = objects.meta(pod)
    grace = meta.get("deletionGracePeriodSeconds")
    ended = objects.status(pod).get("phase") in _ENDED
    if _SCOPED.isdisjoint(spec):
        if grace is None and not ended:
            return parts  # the same object for all that are alike: accounts remember it
    else:
        facts = _facts(spec, best_effort=parts.facts.best_effort)
    if ended:
        return Usage(_COUNTED, facts)
    until = 0.0
    if meta.get("deletionTimestamp") and grace is not None:
        until = timestamps.decode(meta["deletionTimestamp"]) + grace
    return Usage(parts.amounts, facts, parts.binary, until, _COUNTED, parts.silent)


_COUNTED: Final[Amounts] = MappingProxyType({"count/pods": 1})
_Part = tuple[Any, ...]


def _signature(spec: Object) -> tuple[Any, ...]:
    """What of a pod's spec its compute resources depend on, to remember them by: most pods are
    like many others.
    """
    inits, overhead = spec.get("initContainers"), spec.get("overhead")
    return (
        tuple([_part(each) for each in spec.get("containers") or ()]),
        tuple([_part(each) for each in inits]) if inits else (),
        _part(spec) if spec.get("resources") else (),
        tuple(overhead.items()) if overhead else (),
    )


def _part(holder: Object) -> _Part:
    resources = holder.get("resources")
    if not resources:
        return (holder.get("restartPolicy"), (), ())
    return (
        holder.get("restartPolicy"),
        tuple((resources.get("requests") or _NOTHING).items()),
        tuple((resources.get("limits") or _NOTHING).items()),
    )


@lru_cache(4096)
def _computed(signature: tuple[Any, ...]) -> Usage:
    """The usage of a pod that runs."""
    containers, inits, own, overhead = signature
    spec: Object = {
        "containers": [_holder(part) for part in containers],
        "initContainers": [_holder(part) for part in inits],
        "overhead": dict(overhead),
    }
    if own:
        spec |= _holder(own)
    pod = {"spec": spec}
    found = {"count/pods": 1, "pods": 1}
    _compute(found, podrequests.of(pod), podrequests.limits_of(pod))
    facts = Facts(best_effort=qos.of(spec) == "BestEffort")
    said = [said_by(holder) for kind in ("containers", "initContainers") for holder in spec[kind]]
    by_pod = said_by(spec)
    silent = frozenset(
        name
        for name in names.REQUIRED
        if name not in by_pod and any(name not in each for each in said)
    )
    binary = _binary(spec)
    return Usage(MappingProxyType(found), facts, binary, 0.0, _COUNTED, silent)


def _holder(part: _Part) -> Object:
    policy, requests, limits = part
    return {
        "restartPolicy": policy,
        "resources": {"requests": dict(requests), "limits": dict(limits)},
    }


def said_by(holder: Object) -> set[str]:
    """The names that a container, or a pod as a whole, says amounts for."""
    resources = holder.get("resources") or {}
    found = set()
    for name in resources.get("requests") or ():
        found |= {name, names.REQUESTS + name}
    found.update(names.LIMITS + name for name in resources.get("limits") or ())
    return found


def _compute(found: dict[str, int], requests: Amounts, limits: Amounts) -> None:
    for name, amount in requests.items():
        if name in ("cpu", "memory", "ephemeral-storage") or name.startswith(names.HUGE_PAGES):
            found[name] = found[names.REQUESTS + name] = amount
        elif names.is_extended(name):
            found[names.REQUESTS + name] = amount
    for name, amount in limits.items():
        if name in ("cpu", "memory", "ephemeral-storage"):
            found[names.LIMITS + name] = amount


def _binary(spec: Object) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for kind in ("containers", "initContainers"):
        for container in spec.get(kind) or ():
            resources = container.get("resources") or {}
            for name, said in (resources.get("requests") or {}).items():
                if str(said).endswith("i"):
                    found[name] = found[names.REQUESTS + name] = None
            for name, said in (resources.get("limits") or {}).items():
                if str(said).endswith("i"):
                    found[names.LIMITS + name] = None
    return tuple(found)


def _facts(spec: Object, *, best_effort: bool) -> Facts:
    deadline = spec.get("activeDeadlineSeconds")
    return Facts(
        deadline is not None and deadline >= 0,
        best_effort,
        spec.get("priorityClassName") or "",
        _crosses(spec["affinity"]) if spec.get("affinity") else False,
    )


def _crosses(affinity: Object) -> bool:
    """Whether a pod's affinity looks at pods of other namespaces."""
    for kind in ("podAffinity", "podAntiAffinity"):
        for listed in _TERMS:
            for term in (affinity.get(kind) or {}).get(listed) or ():
                found = term.get("podAffinityTerm") or term
                if found.get("namespaces") or found.get("namespaceSelector") is not None:
                    return True
    return False


def _of_service(service: Object) -> Usage:
    spec = objects.spec(service)
    found = {"count/services": 1, "services": 1}
    kind = spec.get("type")
    if kind not in ("NodePort", "LoadBalancer"):
        return Usage(found)
    ports = spec.get("ports") or ()
    if kind == "LoadBalancer":
        found["services.loadbalancers"] = 1
        if spec.get("allocateLoadBalancerNodePorts") is False:
            ports = [port for port in ports if port.get("nodePort")]
    found["services.nodeports"] = len(ports)
    return Usage(found)


def _of_claim(claim: Object) -> Usage:
    spec, status = objects.spec(claim), objects.status(claim)
    found = {"count/persistentvolumeclaims": 1, names.CLAIMS: 1}
    kind = objects.annotations(claim).get(_BETA_CLASS) or spec.get("storageClassName") or ""
    infixes = [f"{kind}{names.STORAGE_CLASS}"] if kind else []
    for infix in infixes:
        found[infix + names.CLAIMS] = 1
    asked = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    binary: tuple[str, ...] = ()
    if asked is not None:
        amount = quantity.value(asked)
        # While a volume shrinks back after a failed growth, what was allocated still counts.
        held = (status.get("allocatedResources") or {}).get("storage")
        if held is not None:
            amount = max(amount, quantity.value(held))
        of_storage = [names.STORAGE, *(infix + names.STORAGE for infix in infixes)]
        for name in of_storage:
            found[name] = amount
        if str(asked).endswith("i"):
            binary = tuple(of_storage)
    return Usage(found, Facts(attributes_classes=_attributes_classes(spec, status)), binary)


def _attributes_classes(spec: Object, status: Object) -> tuple[str, ...]:
    found = (
        spec.get("volumeAttributesClassName"),
        status.get("currentVolumeAttributesClassName"),
        (status.get("modifyVolumeStatus") or {}).get("targetVolumeAttributesClassName"),
    )
    return tuple(dict.fromkeys(each for each in found if each))


class _Meta(TypedDict, total=False):
    annotations: dict[str, str] | None
    deletionTimestamp: str | None
    deletionGracePeriodSeconds: int | None


class _Container(TypedDict, total=False):
    resources: dict[str, Any] | None
    restartPolicy: str | None


class _Spec(TypedDict, total=False):
    containers: list[_Container] | None
    initContainers: list[_Container] | None
    resources: dict[str, Any] | None
    overhead: dict[str, str] | None
    activeDeadlineSeconds: int | None
    priorityClassName: str | None
    affinity: dict[str, Any] | None


class _Status(TypedDict, total=False):
    phase: str | None


class _Pod(TypedDict, total=False):
    metadata: _Meta | None
    spec: _Spec | None
    status: _Status | None


_read_pod = msgspec.json.Decoder(_Pod).decode
_read = msgspec.json.Decoder(dict[str, Any]).decode


def of_json(resource: str, json: bytes) -> Usage:
    """The usage of a stored object, read from its JSON with as little decoding as can be."""
    if resource == names.PODS:
        return _of_pod(_read_pod(json))  # type: ignore[arg-type]
    if resource in (names.SERVICES, names.CLAIMS):
        return of(resource, _read(json))
    return of_count(resource)
