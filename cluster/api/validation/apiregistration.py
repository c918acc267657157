"""APIServices (k8s.io/kube-aggregator/pkg/apis/apiregistration/validation)."""

from typing import Final

from cluster.api import causes, metadata
from cluster.api.objects import Object
from cluster.api.validation import family, values
from cluster.api.validation.values import Causes

_RESOURCE: Final = "apiservices.apiregistration.k8s.io"
_STATUSES: Final = ("True", "False", "Unknown")


def api_service(obj: Object) -> Causes:
    """What is wrong with an APIService."""
    spec = obj.get("spec") or {}
    group, version = spec.get("group") or "", spec.get("version") or ""
    found: Causes = []
    name, wanted = obj["metadata"].get("name") or "", f"{version}.{group}"
    if name != wanted:
        detail = f'must be `spec.version+"."+spec.group`: "{wanted}"'
        found.append(causes.invalid("metadata.name", name, detail))
    if not group and version != "v1":
        detail = "only v1 may have an empty group and it better be legacy kube"
        found.append(causes.required("spec.group", detail))
    if group:
        found += values.complaints("spec.group", group, metadata.dns1123_subdomain(group))
    found += values.complaints("spec.version", version, metadata.dns1035_label(version))
    found += _priority("spec.groupPriorityMinimum", spec.get("groupPriorityMinimum") or 0, 20000)
    found += _priority("spec.versionPriority", spec.get("versionPriority") or 0, 1000)
    return found + (_local(spec) if spec.get("service") is None else _remote(spec))


def _priority(path: str, value: int, highest: int) -> Causes:
    if 0 < value <= highest:
        return []
    return [causes.invalid(path, value, f"must be positive and less than {highest}")]


def _local(spec: Object) -> Causes:
    found: Causes = []
    if spec.get("caBundle"):
        shown = f"{len(spec['caBundle']) * 3 // 4} bytes"
        detail = "local APIServices may not have a caBundle"
        found.append(causes.invalid("spec.caBundle", shown, detail))
    if spec.get("insecureSkipTLSVerify"):
        detail = "local APIServices may not have insecureSkipTLSVerify"
        found.append(causes.invalid("spec.insecureSkipTLSVerify", True, detail))
    return found


def _remote(spec: Object) -> Causes:
    service, path = spec["service"], "spec.service"
    found = [
        causes.required(f"{path}.{field}")
        for field in ("namespace", "name")
        if not service.get(field)
    ]
    port = service.get("port") or 0
    if not 1 <= port <= 65535:
        detail = f"port is not valid: {values.PORT_RANGE}"
        found.append(causes.invalid(f"{path}.port", port, detail))
    if spec.get("insecureSkipTLSVerify") and spec.get("caBundle"):
        detail = "may not be true if caBundle is present"
        found.append(causes.invalid("spec.insecureSkipTLSVerify", True, detail))
    return found


def status(old: Object, new: Object) -> Causes:
    """What is wrong with the conditions of an APIService."""
    found: Causes = []
    for index, condition in enumerate((new.get("status") or {}).get("conditions") or ()):
        at = f"status.conditions[{index}].status"
        said = condition.get("status") or ""
        if said not in _STATUSES:
            found.append(causes.not_supported(at, said, _STATUSES))
    return found


NEW: Final[family.Creates] = {_RESOURCE: api_service}
UPDATE: Final[family.Updates] = {_RESOURCE: lambda old, new: api_service(new)}
STATUS: Final[family.Updates] = {_RESOURCE: status}
OTHER: Final[family.Others] = {}
