"""Environment variables of a container (ValidateEnv, ValidateEnvFrom in core validation)."""

import re
from typing import Final

from cluster.api import causes
from cluster.api.objects import Object
from cluster.api.validation import values
from cluster.api.validation.values import Causes

_NAME: Final = re.compile(r"[ -<>-~]+", re.ASCII)  # printable ASCII but "="
_NAME_MESSAGE: Final = (
    "a valid environment variable name must consist only of printable ASCII characters other "
    "than '='"
)
_SOURCES: Final = (
    "fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef",
)  # fmt: skip
_FIELDS: Final = (
    "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName",
    "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
)  # fmt: skip
_SUBSCRIPT: Final = re.compile(r"metadata\.(labels|annotations)\['.+'\]", re.ASCII)
_RESOURCE: Final = re.compile(r"(limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-.+)")
_RESOURCES: Final = (
    "limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu",
    "requests.ephemeral-storage", "requests.memory",
)  # fmt: skip


def variables(path: str, listed: list[Object]) -> Causes:
    """What is wrong with `env`."""
    found: Causes = []
    for index, variable in enumerate(listed):
        name = variable.get("name") or ""
        if not name:
            found.append(causes.required(f"{path}[{index}].name"))
        elif _NAME.fullmatch(name) is None:
            found.append(causes.invalid(f"{path}[{index}].name", name, _NAME_MESSAGE))
        if "valueFrom" in variable:
            found += _value_from(f"{path}[{index}].valueFrom", variable)
    return found


def _value_from(path: str, variable: Object) -> Causes:
    named = [name for name in _SOURCES if name in variable["valueFrom"]]
    found: Causes = []
    if variable.get("value"):
        if named:
            detail = "may not be specified when `value` is not empty"
            found.append(causes.invalid(path, "", detail))
    elif not named:
        detail = (
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or "
            "`secretKeyRef`"
        )
        found.append(causes.invalid(path, "", detail))
    elif len(named) > 1:
        detail = "may not have more than one field specified at a time"
        found.append(causes.invalid(path, "", detail))
    for name in named:
        found += _source(f"{path}.{name}", name, variable["valueFrom"][name])
    return found


def _source(path: str, name: str, source: Object) -> Causes:
    if name == "fieldRef":
        return _field_ref(path, source)
    if name == "resourceFieldRef":
        return _resource_ref(path, source)
    if name == "fileKeyRef":
        wanted = ("volumeName", "path", "key")
        return [causes.required(f"{path}.{field}") for field in wanted if not source.get(field)]
    found = [] if source.get("name") else [causes.required(f"{path}.name")]
    if not source.get("key"):
        return [*found, causes.required(f"{path}.key")]
    return found + values.complaints(f"{path}.key", source["key"], values.config_key(source["key"]))


def _field_ref(path: str, source: Object) -> Causes:
    field = source.get("fieldPath") or ""
    if not field:
        return [causes.required(f"{path}.fieldPath")]
    if field in _FIELDS or _SUBSCRIPT.fullmatch(field):
        return []
    if field in ("metadata.labels", "metadata.annotations"):
        return [causes.not_supported(f"{path}.fieldPath", field, _FIELDS)]
    detail = f"error converting fieldPath: field label not supported: {field}"
    return [causes.invalid(f"{path}.fieldPath", field, detail)]


def _resource_ref(path: str, source: Object) -> Causes:
    resource = source.get("resource") or ""
    if not resource:
        return [causes.required(f"{path}.resource")]
    if _RESOURCE.fullmatch(resource) is None:
        return [causes.not_supported(f"{path}.resource", resource, _RESOURCES)]
    return []


def sources(path: str, listed: list[Object]) -> Causes:
    """What is wrong with `envFrom`."""
    found: Causes = []
    for index, source in enumerate(listed):
        at = f"{path}[{index}]"
        named = [name for name in ("configMapRef", "secretRef") if name in source]
        if not named:
            detail = "must specify one of: `configMapRef` or `secretRef`"
            found.append(causes.invalid(at, "", detail))
        elif len(named) > 1:
            detail = "may not have more than one field specified at a time"
            found.append(causes.invalid(at, "", detail))
        found += [
            causes.required(f"{at}.{name}.name") for name in named if not source[name].get("name")
        ]
    return found
