"""PodSpec, of a pod or a template (ValidatePodSpec in core validation)."""

from typing import Final

from cluster.api import causes, metadata, objectmeta
from cluster.api.objects import Object
from cluster.api.validation import containers, resourcelists, scheduling, values, volumes
from cluster.api.validation.values import Causes

RESTART_POLICIES: Final = ("Always", "OnFailure", "Never")
_DNS_POLICIES: Final = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_PREEMPTION: Final = ("PreemptLowerPriority", "Never")
LARGEST_INT32: Final = 2**31 - 1


def pod_spec(path: str, spec: Object) -> Causes:
    """What is wrong with the spec of a pod at `path`."""
    listed = spec.get("volumes") or []
    found = volumes.volumes(f"{path}.volumes", listed) if listed else []
    names = {volume.get("name") or "" for volume in listed}
    regular = spec.get("containers") or []
    found += containers.regular(f"{path}.containers", regular, names)
    if first := spec.get("initContainers"):
        found += containers.init(f"{path}.initContainers", first, names, regular)
    restart = spec.get("restartPolicy")
    found += values.one_of(f"{path}.restartPolicy", restart, RESTART_POLICIES)
    found += values.one_of(f"{path}.dnsPolicy", spec.get("dnsPolicy"), _DNS_POLICIES)
    if labels := spec.get("nodeSelector"):
        found += objectmeta.check_labels(labels, f"{path}.nodeSelector")
    found += _numbers(path, spec)
    found += _names(path, spec)
    found += _host(path, spec)
    return found + _placement(path, spec)


def _numbers(path: str, spec: Object) -> Causes:
    found: Causes = []
    grace = spec.get("terminationGracePeriodSeconds")
    if grace is not None and grace < 0:
        at = f"{path}.terminationGracePeriodSeconds"
        found.append(causes.invalid(at, grace, values.NOT_NEGATIVE))
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None:
        found += values.within(f"{path}.activeDeadlineSeconds", deadline, 1, LARGEST_INT32)
    if "resources" in spec:
        found += resourcelists.requirements(f"{path}.resources", spec["resources"])
    return found


def _names(path: str, spec: Object) -> Causes:
    found: Causes = []
    for field in ("serviceAccountName", "nodeName", "priorityClassName", "runtimeClassName"):
        if spec.get(field):
            told = metadata.dns1123_subdomain(spec[field])
            found += values.complaints(f"{path}.{field}", spec[field], told)
    for field in ("hostname", "subdomain"):
        if spec.get(field):
            told = metadata.dns1123_label(spec[field])
            found += values.complaints(f"{path}.{field}", spec[field], told)
    for index, gate in enumerate(spec.get("readinessGates") or ()):
        kind = gate.get("conditionType") or ""
        at = f"{path}.readinessGates[{index}].conditionType"
        found += values.complaints(at, kind, metadata.qualified_name(kind))
    return found + _gates(path, spec)


def _gates(path: str, spec: Object) -> Causes:
    found: Causes = []
    seen: dict[str, None] = {}
    for index, gate in enumerate(spec.get("schedulingGates") or ()):
        at, name = f"{path}.schedulingGates[{index}]", gate.get("name") or ""
        found += values.complaints(at, name, metadata.qualified_name(name))
        if name in seen:
            found.append(causes.duplicate(at, name))
        seen[name] = None
    if seen and spec.get("nodeName"):
        detail = "cannot be set until all schedulingGates have been cleared"
        found.append(causes.forbidden(f"{path}.nodeName", detail))
    return found


def _host(path: str, spec: Object) -> Causes:
    found: Causes = []
    if spec.get("hostPID") and spec.get("shareProcessNamespace"):
        detail = "ShareProcessNamespace and HostPID cannot both be enabled"
        found.append(causes.invalid(f"{path}.shareProcessNamespace", True, detail))
    for index, alias in enumerate(spec.get("hostAliases") or ()):
        found += values.ip(f"{path}.hostAliases[{index}].ip", alias.get("ip") or "")
    config = spec.get("dnsConfig") or {}
    if spec.get("dnsPolicy") == "None" and not config.get("nameservers"):
        detail = "must provide at least one DNS nameserver when `dnsPolicy` is None"
        found.append(causes.required(f"{path}.dnsConfig.nameservers", detail))
    for index, server in enumerate(config.get("nameservers") or ()):
        found += values.ip(f"{path}.dnsConfig.nameservers[{index}]", server)
    if spec.get("hostNetwork"):
        found += _host_network(path, spec)
    return found


def _host_network(path: str, spec: Object) -> Causes:
    detail = "must match `containerPort` when `hostNetwork` is true"
    return [
        causes.invalid(f"{path}.containers[{at}].ports[{place}].hostPort", port["hostPort"], detail)
        for at, container in enumerate(spec.get("containers") or ())
        for place, port in enumerate(container.get("ports") or ())
        if port.get("hostPort") and port["hostPort"] != port.get("containerPort")
    ]


def _placement(path: str, spec: Object) -> Causes:
    found: Causes = []
    if wanted := spec.get("tolerations"):
        found += scheduling.tolerations(f"{path}.tolerations", wanted)
    if affinity := spec.get("affinity"):
        found += scheduling.affinity(f"{path}.affinity", affinity)
    if constraints := spec.get("topologySpreadConstraints"):
        found += scheduling.spread(f"{path}.topologySpreadConstraints", constraints)
    preemption = spec.get("preemptionPolicy")
    if preemption is not None:
        found += values.one_of(f"{path}.preemptionPolicy", preemption, _PREEMPTION)
    return found
