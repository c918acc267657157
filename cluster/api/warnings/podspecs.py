"""Pods, in whatever they are described (pkg/api/pod/warnings.go)."""

from collections.abc import Iterator
from typing import Any, Final

from cluster.api import metadata, quantity
from cluster.api.objects import Object
from cluster.api.recall import Recall
from cluster.api.warnings import scripts

_GONE_ANNOTATIONS: Final = {
    "scheduler.alpha.kubernetes.io/critical-pod":
        'non-functional in v1.16+; use the "priorityClassName" field instead',
    "security.alpha.kubernetes.io/sysctls":
        'non-functional in v1.11+; use the "sysctls" field instead',
    "security.alpha.kubernetes.io/unsafe-sysctls":
        'non-functional in v1.11+; use the "sysctls" field instead',
}  # fmt: skip
_SECCOMP: Final = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP_CONTAINER: Final = "container.seccomp.security.alpha.kubernetes.io/"
_USE_SECCOMP: Final = 'non-functional in v1.27+; use the "seccompProfile" field instead'
_OLD_VOLUMES: Final = {
    "photonPersistentDisk": "deprecated in v1.11, non-functional in v1.16+",
    "gitRepo": "deprecated in v1.11",
    "scaleIO": "deprecated in v1.16, non-functional in v1.22+",
    "flocker": "deprecated in v1.22, non-functional in v1.25+",
    "storageos": "deprecated in v1.22, non-functional in v1.25+",
    "quobyte": "deprecated in v1.22, non-functional in v1.25+",
    "glusterfs": "deprecated in v1.25, non-functional in v1.26+",
    "cephfs": "deprecated in v1.28, non-functional in v1.31+",
    "rbd": "deprecated in v1.28, non-functional in v1.31+",
}
NODE_LABELS: Final = {
    "beta.kubernetes.io/arch": 'deprecated since v1.14; use "kubernetes.io/arch" instead',
    "beta.kubernetes.io/os": 'deprecated since v1.14; use "kubernetes.io/os" instead',
    "failure-domain.beta.kubernetes.io/region":
        'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
    "failure-domain.beta.kubernetes.io/zone":
        'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
    "beta.kubernetes.io/instance-type":
        'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
}  # fmt: skip
_NO_SELECTOR: Final = "a null labelSelector results in matching no pod"
_BYTES: Final = ("memory", "ephemeral-storage")
_COMPARED: Final = 16  # ports of one number that each further one is compared with
_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"
_quiet: Final[Recall[bool]] = Recall()  # specs that nothing is odd about
_LISTS: Final = ("initContainers", "containers", "ephemeralContainers")


def of_template(path: str, template: Object) -> list[str]:
    """Warnings about a pod template at `path`."""
    return of(f"{path}.", template.get("metadata") or {}, template.get("spec") or {})


def of(prefix: str, meta: Object, spec: Object) -> list[str]:
    """Warnings about a pod; `prefix` is the path of what holds its spec, with its dot."""
    found: list[str] = []
    if annotations := meta.get("annotations"):
        _annotations(prefix, annotations, spec, found)
    text = _quiet.text(spec)
    known = _quiet.get(text) if text is not None else None
    if known is None:
        told = _of_spec(f"{prefix}spec", spec)
        if not told:
            _quiet.keep(text, True)
        found += told
    return found


def _of_spec(at: str, spec: Object) -> list[str]:
    found: list[str] = []
    _placement(at, spec, found)
    if volumes := spec.get("volumes"):
        _volumes(f"{at}.volumes", volumes, found)
    _repeated(f"{at}.hostAliases", "ip", spec.get("hostAliases"), found)
    if secrets := spec.get("imagePullSecrets"):
        _repeated(f"{at}.imagePullSecrets", "name", secrets, found)
        for index, secret in enumerate(secrets):
            if not secret.get("name"):
                found.append(f'{at}.imagePullSecrets[{index}].name: invalid empty name ""')
    if overhead := spec.get("overhead"):
        _fractions(f"{at}.overhead", overhead, found)
    ports: dict[tuple[int, str], list[tuple[str, Object]]] = {}
    for path, container in _containers(at, spec):
        _container(path, container, ports, found)
    if (spec.get("terminationGracePeriodSeconds") or 0) < 0:
        text = "must be >= 0; negative values are invalid and will be treated as 1"
        found.append(f"{at}.terminationGracePeriodSeconds: {text}")
    return found


def _containers(path: str, spec: Object) -> Iterator[tuple[str, Object]]:
    for field in _LISTS:
        for index, container in enumerate(spec.get(field) or ()):
            yield f"{path}.{field}[{index}]", container


def _annotations(prefix: str, annotations: Object, spec: Object, found: list[str]) -> None:
    at = f"{prefix}metadata.annotations"
    for key, text in _GONE_ANNOTATIONS.items():
        if key in annotations:
            found.append(f"{at}[{key}]: {text}")
    if _SECCOMP in annotations and not (spec.get("securityContext") or {}).get("seccompProfile"):
        found.append(f"{at}[{_SECCOMP}]: {_USE_SECCOMP}")
    for _, container in _containers("", spec):
        key = f"{_SECCOMP_CONTAINER}{container.get('name')}"
        context = container.get("securityContext") or {}
        if key in annotations and not context.get("seccompProfile"):
            found.append(f"{at}[{key}]: {_USE_SECCOMP}")
    found += scripts.of_pod(at, annotations, spec)


def _placement(path: str, spec: Object, found: list[str]) -> None:
    found += [
        f"{path}.nodeSelector[{key}]: {NODE_LABELS[key]}"
        for key in spec.get("nodeSelector") or ()
        if key in NODE_LABELS
    ]
    for index, spread in enumerate(spec.get("topologySpreadConstraints") or ()):
        at, key = f"{path}.topologySpreadConstraints[{index}]", spread.get("topologyKey") or ""
        if key in NODE_LABELS:
            found.append(f"{at}.topologyKey: {key} is {NODE_LABELS[key]}")
        if "labelSelector" not in spread:
            found.append(f"{at}.labelSelector: {_NO_SELECTOR}")
    affinity = spec.get("affinity")
    if not affinity:
        return
    _node_affinity(f"{path}.affinity.nodeAffinity", affinity.get("nodeAffinity") or {}, found)
    for name in ("podAffinity", "podAntiAffinity"):
        wanted, at = affinity.get(name) or {}, f"{path}.affinity.{name}"
        for index, term in enumerate(wanted.get(_REQUIRED) or ()):
            if "labelSelector" not in term:
                found.append(f"{at}.{_REQUIRED}[{index}].labelSelector: {_NO_SELECTOR}")
        for index, weighted in enumerate(wanted.get(_PREFERRED) or ()):
            if "labelSelector" not in (weighted.get("podAffinityTerm") or {}):
                inner = "podAffinityTerm.labelSelector"
                found.append(f"{at}.{_PREFERRED}[{index}].{inner}: {_NO_SELECTOR}")


def _node_affinity(path: str, wanted: Object, found: list[str]) -> None:
    required = wanted.get(_REQUIRED) or {}
    for index, term in enumerate(required.get("nodeSelectorTerms") or ()):
        _node_term(f"{path}.{_REQUIRED}.nodeSelectorTerms[{index}]", term, found)
    for index, weighted in enumerate(wanted.get(_PREFERRED) or ()):
        preference = weighted.get("preference") or {}
        _node_term(f"{path}.{_PREFERRED}[{index}].preference", preference, found)


def _node_term(path: str, term: Object, found: list[str]) -> None:
    for index, expression in enumerate(term.get("matchExpressions") or ()):
        at, key = f"{path}.matchExpressions[{index}]", expression.get("key") or ""
        if key in NODE_LABELS:
            found.append(f"{at}.key: {key} is {NODE_LABELS[key]}")
        for place, value in enumerate(expression.get("values") or ()):
            told = metadata.label_value(value)
            if told:
                text = f"values[{place}]: Invalid value: {value!r}: {told[0]}"
                found.append(f"{at}.{text}")


def _volumes(path: str, volumes: list[Object], found: list[str]) -> None:
    for index, volume in enumerate(volumes):
        found += [
            f"{path}[{index}].{source}: {_OLD_VOLUMES[source]}"
            for source in volume
            if source in _OLD_VOLUMES
        ]


def _repeated(path: str, field: str, listed: list[Object] | None, found: list[str]) -> None:
    seen: dict[Any, None] = {}
    for index, item in enumerate(listed or ()):
        value = item.get(field) or ""
        if value in seen:
            found.append(f'{path}[{index}].{field}: duplicate {field} "{value}"')
        seen[value] = None


def _container(
    path: str,
    container: Object,
    ports: dict[tuple[int, str], list[tuple[str, Object]]],
    found: list[str],
) -> None:
    if resources := container.get("resources"):
        for side in ("limits", "requests"):
            if side in resources:
                _fractions(f"{path}.resources.{side}", resources[side], found)
    variables = container.get("env") or []
    if len(variables) > 1:
        _variables(f"{path}.env", variables, found)
    for index, port in enumerate(container.get("ports") or ()):
        _port(f"{path}.ports[{index}]", port, ports, found)


def _fractions(path: str, amounts: dict[str, str], found: list[str]) -> None:
    for name in _BYTES:
        amount = amounts.get(name)
        if amount is not None and not amount.isdigit() and quantity.milli(amount) % 1000:
            text = f'fractional byte value "{amount}" is invalid, must be an integer'
            found.append(f"{path}[{name}]: {text}")


def _variables(path: str, variables: list[Object], found: list[str]) -> None:
    seen: dict[str, None] = {}
    for index, variable in enumerate(variables):
        name = variable.get("name") or ""
        if name in seen:
            value, reference = variable.get("value") or "", f"$({name})"
            extends = reference in value and value != reference
            if "valueFrom" in variable or not extends:
                text = (
                    f'hides previous definition of "{name}", which may be dropped when using apply'
                )
                found.append(f"{path}[{index}]: {text}")
        seen[name] = None


def _port(
    path: str,
    port: Object,
    ports: dict[tuple[int, str], list[tuple[str, Object]]],
    found: list[str],
) -> None:
    address, host = port.get("hostIP") or "", port.get("hostPort") or 0
    if address and not host:
        found.append(f"{path}: hostIP set without hostPort: {port}")
    others = ports.setdefault((port.get("containerPort") or 0, port.get("protocol") or ""), [])
    for at, other in others:
        theirs, number = other.get("hostIP") or "", other.get("hostPort") or 0
        if (address, host) == (theirs, number):
            found.append(f"{path}: duplicate port definition with {at}")
        elif not host or not number:
            found.append(f"{path}: overlapping port definition with {at}")
        elif host == number and (not address) != (not theirs):
            found.append(f"{path}: dangerously ambiguous port definition with {at}")
    if len(others) < _COMPARED:
        others.append((path, port))
