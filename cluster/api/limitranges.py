"""What LimitRanges ask of pods and claims, and give to containers. Pure.

Source: k8s.io/kubernetes plugin/pkg/admission/limitranger and the page "Limit Ranges" of the
Kubernetes documentation. Complaints come in the order of the names of resources (in Kubernetes in
any order).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from cluster.api import objects, podrequests, quantity
from cluster.api.objects import Object

ANNOTATION: Final = "kubernetes.io/limit-ranger"
Amounts = Mapping[str, str]
_LISTS: Final = (("containers", "container"), ("initContainers", "init container"))


def give(limit_range: Object, pod: Object) -> list[str]:
    """Fill in what containers do not say, in place; what was done, for the annotation."""
    limits, requests = _defaults(limit_range)
    if not limits and not requests:
        return []
    told: list[str] = []
    spec = objects.spec(pod)
    for kind, word in _LISTS:
        for container in spec.get(kind) or ():
            told += _given(container, f"{word} {container.get('name') or ''}", limits, requests)
    return told


def annotation(told: Sequence[str]) -> str:
    """What the annotation says of it."""
    return f"LimitRanger plugin set: {'; '.join(told)}"


def _defaults(limit_range: Object) -> tuple[dict[str, str], dict[str, str]]:
    limits: dict[str, str] = {}
    requests: dict[str, str] = {}
    for limit in objects.spec(limit_range).get("limits") or ():
        if limit.get("type") == "Container":
            requests |= limit.get("defaultRequest") or {}
            limits |= limit.get("default") or {}
    return limits, requests


def _given(container: Object, label: str, limits: Amounts, requests: Amounts) -> list[str]:
    resources = container.get("resources") or {}
    told = []
    for field, word, wanted in (("requests", "request", requests), ("limits", "limit", limits)):
        said = resources.get(field) or {}
        missing = sorted(name for name in wanted if name not in said)
        if missing:
            resources = resources | {field: said | {name: wanted[name] for name in missing}}
            told.append(f"{', '.join(missing)} {word} for {label}")
    if told:
        container["resources"] = resources
    return told


def complaints_of_pod(limit_range: Object, pod: Object) -> list[str]:
    """What a LimitRange has against a pod."""
    found: list[str] = []
    spec = objects.spec(pod)
    for limit in objects.spec(limit_range).get("limits") or ():
        if limit.get("type") == "Container":
            for kind, _ in _LISTS:
                for container in spec.get(kind) or ():
                    resources = container.get("resources") or {}
                    requests = resources.get("requests") or {}
                    found += _bounds(limit, requests, resources.get("limits") or {})
        elif limit.get("type") == "Pod":
            found += _bounds(limit, _total(spec, "requests"), _total(spec, "limits"))
    return found


def complaints_of_claim(limit_range: Object, claim: Object) -> list[str]:
    """What a LimitRange has against a claim: requests alone count."""
    found: list[str] = []
    requests = (objects.spec(claim).get("resources") or {}).get("requests") or {}
    for limit in objects.spec(limit_range).get("limits") or ():
        if limit.get("type") != "PersistentVolumeClaim":
            continue
        kind = limit["type"]
        for name, bound in _sorted(limit, "min"):
            found += _minimum(kind, name, bound, requests, {})
        for name, bound in _sorted(limit, "max"):
            found += _maximum_request(kind, name, bound, requests)
    return found


def joined(found: Sequence[str]) -> str:
    """Several complaints as one: each once, in brackets if there are several."""
    once = list(dict.fromkeys(found))
    return once[0] if len(once) == 1 else f"[{', '.join(once)}]"


def _bounds(limit: Object, requests: Amounts, limits: Amounts) -> Iterator[str]:
    kind = limit["type"]
    for name, bound in _sorted(limit, "min"):
        yield from _minimum(kind, name, bound, requests, limits)
    for name, bound in _sorted(limit, "max"):
        yield from _maximum(kind, name, bound, requests, limits)
    for name, bound in _sorted(limit, "maxLimitRequestRatio"):
        yield from _ratio(kind, name, bound, requests, limits)


def _sorted(limit: Object, field: str) -> Iterable[tuple[str, str]]:
    return sorted((limit.get(field) or {}).items())


def _minimum(kind: str, name: str, bound: str, requests: Amounts, limits: Amounts) -> Iterator[str]:
    rule = f"minimum {name} usage per {kind} is {_text(bound)}"
    if name not in requests:
        yield f"{rule}.  No request is specified"
    elif _amount(requests[name]) < _amount(bound):
        yield f"{rule}, but request is {_text(requests[name])}"
    elif name in limits and _amount(limits[name]) < _amount(bound):
        yield f"{rule}, but limit is {_text(limits[name])}"


def _maximum(kind: str, name: str, bound: str, requests: Amounts, limits: Amounts) -> Iterator[str]:
    rule = f"maximum {name} usage per {kind} is {_text(bound)}"
    if name not in limits:
        yield f"{rule}.  No limit is specified"
    elif _amount(limits[name]) > _amount(bound):
        yield f"{rule}, but limit is {_text(limits[name])}"
    elif name in requests and _amount(requests[name]) > _amount(bound):
        yield f"{rule}, but request is {_text(requests[name])}"


def _maximum_request(kind: str, name: str, bound: str, requests: Amounts) -> Iterator[str]:
    rule = f"maximum {name} usage per {kind} is {_text(bound)}"
    if name not in requests:
        yield f"{rule}.  No request is specified"
    elif _amount(requests[name]) > _amount(bound):
        yield f"{rule}, but request is {_text(requests[name])}"


def _ratio(kind: str, name: str, bound: str, requests: Amounts, limits: Amounts) -> Iterator[str]:
    rule = f"{name} max limit to request ratio per {kind} is {_text(bound)}"
    request, limit = (_amount(each.get(name, "0")) for each in (requests, limits))
    if not request:
        yield f"{rule}, but no request is specified or request is 0"
    elif not limit:
        yield f"{rule}, but no limit is specified or limit is 0"
    elif limit > _amount(bound) * request:
        yield f"{rule}, but provided ratio is {float(limit) / float(request):.6f}"


def _amount(text: Any) -> quantity.Amount:
    return quantity.parse(text)


def _text(text: Any) -> str:
    return quantity.canonical(text)


def _total(spec: Object, field: str) -> dict[str, str]:
    """The pod's requests or limits: of what every container names, the sum; init containers count
    by the largest. What the pod itself says takes the place of that.
    """
    running = list(spec.get("containers") or ())
    starting = spec.get("initContainers") or ()
    running += [each for each in starting if each.get("restartPolicy") == "Always"]
    held = [(each.get("resources") or {}).get(field) or {} for each in running]
    found: dict[str, int] = {}
    for name in dict.fromkeys(name for each in held for name in each):
        if all(name in each for each in held):
            found[name] = sum(podrequests.amount(name, each[name]) for each in held)
    for container in starting:
        for name, text in ((container.get("resources") or {}).get(field) or {}).items():
            found[name] = max(found.get(name, 0), podrequests.amount(name, text))
    found |= podrequests.amounts((spec.get("resources") or {}).get(field))
    return {
        name: quantity.format_milli(amount) if name == podrequests.CPU else quantity.format(amount)
        for name, amount in found.items()
    }
