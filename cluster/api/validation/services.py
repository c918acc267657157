"""Service (ValidateService and ValidateServiceUpdate in core validation)."""

from typing import Any, Final

from cluster.api import causes, metadata, objectmeta
from cluster.api.objects import Object
from cluster.api.validation import family, values
from cluster.api.validation.values import Causes

NONE: Final = "None"
LARGEST_AFFINITY_SECONDS: Final = 86400
_TYPES: Final = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_EXTERNAL: Final = ("NodePort", "LoadBalancer")
_POLICIES: Final = ("Cluster", "Local")
_DISTRIBUTIONS: Final = ("PreferClose", "PreferSameNode", "PreferSameZone")
_FAMILIES: Final = ("IPv4", "IPv6")
_FAMILY_POLICIES: Final = ("PreferDualStack", "RequireDualStack", "SingleStack")


def of_new(obj: Object) -> Causes:
    """What is wrong with a service, new or changed."""
    spec = obj.get("spec") or {}
    kind = spec.get("type") or ""
    found = values.one_of("spec.type", kind, _TYPES)
    headless = _primary(spec) == NONE
    ports = spec.get("ports") or []
    if not ports and not headless and kind != "ExternalName":
        found.append(causes.required("spec.ports"))
    if kind == "ExternalName":
        found += _external_name(spec)
    if kind == "LoadBalancer" and headless:
        detail = "may not be set to 'None' for LoadBalancer services"
        found.append(causes.invalid("spec.clusterIPs[0]", NONE, detail))
    for index, port in enumerate(ports):
        found += _port(f"spec.ports[{index}]", port, kind, several=len(ports) > 1)
    found += _duplicates(ports)
    found += objectmeta.check_labels(spec.get("selector") or {}, "spec.selector")
    return found + _affinity(spec) + _addresses(spec) + _policies(spec, kind)


def of_update(old: Object, new: Object) -> Causes:
    """What is wrong with a change of a service."""
    before, after = old.get("spec") or {}, new.get("spec") or {}
    found: Causes = []
    if "ExternalName" not in (before.get("type"), after.get("type")):
        was, now = _primary(before), _primary(after)
        if was and not now:
            detail = "primary clusterIP can not be unset"
            found.append(causes.invalid("spec.clusterIPs[0]", [], detail))
        elif was and was != now:
            shown = after.get("clusterIPs") or [now]
            found.append(causes.invalid("spec.clusterIPs[0]", shown, "may not change once set"))
    return found + of_new(new)


def _primary(spec: Object) -> str:
    listed = spec.get("clusterIPs") or [""]
    return str(spec.get("clusterIP") or listed[0])


def _external_name(spec: Object) -> Causes:
    found: Causes = []
    if spec.get("clusterIP") or spec.get("clusterIPs"):
        detail = "may not be set for ExternalName services"
        found.append(causes.forbidden("spec.clusterIPs", detail))
    name = (spec.get("externalName") or "").removesuffix(".")
    if not name:
        return [*found, causes.required("spec.externalName")]
    told = metadata.dns1123_subdomain(name)
    return found + values.complaints("spec.externalName", spec["externalName"], told)


def _port(path: str, port: Object, kind: str, *, several: bool) -> Causes:
    found: Causes = []
    name = port.get("name") or ""
    if name:
        found += values.complaints(f"{path}.name", name, metadata.dns1123_label(name))
    elif several:
        found.append(causes.required(f"{path}.name"))
    found += values.port_number(f"{path}.port", port.get("port", 0))
    found += values.one_of(f"{path}.protocol", port.get("protocol"), values.PROTOCOLS)
    found += values.port_or_name(f"{path}.targetPort", port.get("targetPort", 0))
    if protocol := port.get("appProtocol"):
        told = metadata.qualified_name(protocol)
        found += values.complaints(f"{path}.appProtocol", protocol, told)
    node_port = port.get("nodePort")
    if node_port and kind == "ClusterIP":
        detail = "may not be used when `type` is 'ClusterIP'"
        found.append(causes.forbidden(f"{path}.nodePort", detail))
    elif node_port:
        found += values.port_number(f"{path}.nodePort", node_port)
    return found


def _duplicates(ports: list[Object]) -> Causes:
    found: Causes = []
    names: dict[str, None] = {}
    taken: dict[tuple[Any, ...], None] = {}
    for index, port in enumerate(ports):
        name, protocol = port.get("name") or "", port.get("protocol")
        if name and name in names:
            found.append(causes.duplicate(f"spec.ports[{index}].name", name))
        key = ("port", protocol, port.get("port"))
        if key in taken:
            shown = {"protocol": protocol, "port": port.get("port")}
            found.append(causes.duplicate(f"spec.ports[{index}]", shown))
        node = ("node", protocol, port.get("nodePort"))
        if port.get("nodePort") and node in taken:
            at = f"spec.ports[{index}].nodePort"
            found.append(causes.duplicate(at, port["nodePort"]))
        names[name] = taken[key] = taken[node] = None
    return found


def _affinity(spec: Object) -> Causes:
    known = ("ClientIP", "None")
    found = values.one_of("spec.sessionAffinity", spec.get("sessionAffinity"), known)
    config = (spec.get("sessionAffinityConfig") or {}).get("clientIP")
    if spec.get("sessionAffinity") == "ClientIP" and config is not None:
        seconds = config.get("timeoutSeconds", 0)
        if not 0 < seconds <= LARGEST_AFFINITY_SECONDS:
            at = "spec.sessionAffinityConfig.clientIP.timeoutSeconds"
            detail = f"must be greater than 0 and less than {LARGEST_AFFINITY_SECONDS}"
            found.append(causes.invalid(at, seconds, detail))
    return found


def _addresses(spec: Object) -> Causes:
    found: Causes = []
    listed = spec.get("clusterIPs") or []
    if len(listed) > 2:
        detail = "may only hold up to 2 values"
        found.append(causes.invalid("spec.clusterIPs", listed, detail))
    if listed and spec.get("clusterIP") and listed[0] != spec["clusterIP"]:
        found.append(
            causes.invalid("spec.clusterIPs", listed, "first value must match `clusterIP`")
        )
    for index, address in enumerate(listed):
        if address == NONE and len(listed) > 1:
            detail = "'None' must be the first and only value"
            found.append(causes.invalid(f"spec.clusterIPs[{index}]", address, detail))
        elif address != NONE:
            found += values.ip(f"spec.clusterIPs[{index}]", address)
    for index, address in enumerate(spec.get("externalIPs") or ()):
        found += values.ip(f"spec.externalIPs[{index}]", address)
    for index, each in enumerate(spec.get("ipFamilies") or ()):
        found += values.one_of(f"spec.ipFamilies[{index}]", each, _FAMILIES)
    policy = spec.get("ipFamilyPolicy")
    if policy is not None:
        found += values.one_of("spec.ipFamilyPolicy", policy, _FAMILY_POLICIES)
    return found


def _policies(spec: Object, kind: str) -> Causes:
    found: Causes = []
    external = spec.get("externalTrafficPolicy")
    if external and kind not in _EXTERNAL and not spec.get("externalIPs"):
        detail = "may only be set for externally-accessible services"
        found.append(causes.invalid("spec.externalTrafficPolicy", external, detail))
    elif external:
        found += values.one_of("spec.externalTrafficPolicy", external, _POLICIES)
    internal = spec.get("internalTrafficPolicy")
    if internal is not None:
        found += values.one_of("spec.internalTrafficPolicy", internal, _POLICIES)
    distribution = spec.get("trafficDistribution")
    if distribution is not None and distribution not in _DISTRIBUTIONS:
        at = "spec.trafficDistribution"
        found.append(causes.not_supported(at, distribution, _DISTRIBUTIONS))
    return found


NEW: Final[family.Creates] = {
    "services": of_new,
}
UPDATE: Final[family.Updates] = {
    "services": of_update,
}
STATUS: Final[family.Updates] = {}
OTHER: Final[family.Others] = {}
