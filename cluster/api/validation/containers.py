"""Containers of a pod, of all three sorts (validateContainers and its like in core validation)."""

from typing import Final

from cluster.api import causes, metadata
from cluster.api.objects import Object
from cluster.api.validation import environment, probes, resourcelists, values
from cluster.api.validation import volumes as volume_rules
from cluster.api.validation.values import Causes

_PULL_POLICIES: Final = ("Always", "IfNotPresent", "Never")
_MESSAGE_POLICIES: Final = ("File", "FallbackToLogsOnError")
_ONE_SUCCESS: Final = ("livenessProbe", "startupProbe")
_PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")
_LARGEST_ID: Final = 2**32 - 1


def regular(path: str, listed: list[Object], volumes: set[str]) -> Causes:
    """What is wrong with `containers`; `volumes` are the names that mounts may use."""
    if not listed:
        return [causes.required(path)]
    found: Causes = []
    seen: dict[str, None] = {}
    for index, container in enumerate(listed):
        at = f"{path}[{index}]"
        _common(at, container, volumes, found)
        _unique(at, container, seen, found)
        _running(at, container, found)
        if container.get("restartPolicy") and not container.get("restartPolicyRules"):
            _restart_policy(f"{at}.restartPolicy", container, found)
    _host_ports(path, listed, found)
    return found


def init(path: str, listed: list[Object], volumes: set[str], taken: list[Object]) -> Causes:
    """What is wrong with `initContainers`; `taken` are the regular ones, whose names are taken."""
    found: Causes = []
    seen = {container.get("name") or "": None for container in taken}
    for index, container in enumerate(listed):
        at = f"{path}[{index}]"
        _common(at, container, volumes, found)
        _unique(at, container, seen, found)
        if container.get("restartPolicy") == "Always":
            _running(at, container, found)
            continue
        if container.get("restartPolicy"):
            _restart_policy(f"{at}.restartPolicy", container, found)
        detail = "may not be set for init containers without restartPolicy=Always"
        found += [
            causes.forbidden(f"{at}.{field}", detail)
            for field in ("lifecycle", *_PROBES)
            if field in container
        ]
    return found


_NOT_EPHEMERAL: Final = ("ports", *_PROBES, "lifecycle", "restartPolicy", "resizePolicy")


def ephemeral(path: str, listed: list[Object], volumes: set[str], taken: list[Object]) -> Causes:
    """What is wrong with `ephemeralContainers`; `taken` are all the others."""
    found: Causes = []
    others = {container.get("name") for container in taken}
    seen = {container.get("name") or "": None for container in taken}
    for index, container in enumerate(listed):
        at = f"{path}[{index}]"
        target = container.get("targetContainerName")
        if target and target not in others:
            found.append(causes.not_found(f"{at}.targetContainerName", target))
        if not container.get("name"):
            found.append(causes.required(at, "ephemeralContainer requires a name"))
            continue
        _common(at, container, volumes, found)
        _unique(at, container, seen, found)
        detail = "cannot be set for an Ephemeral Container"
        found += [
            causes.forbidden(f"{at}.{field}", detail)
            for field in _NOT_EPHEMERAL
            if container.get(field)
        ]
        if container.get("resources"):
            found.append(causes.forbidden(f"{at}.resources", detail))
        for place, mount in enumerate(container.get("volumeMounts") or ()):
            found += [
                causes.forbidden(f"{at}.volumeMounts[{place}].{field}", detail)
                for field in ("subPath", "subPathExpr")
                if mount.get(field)
            ]
    return found


def _restart_policy(path: str, container: Object, found: Causes) -> None:
    found += values.one_of(path, container["restartPolicy"], ("Always", "Never", "OnFailure"))


def _unique(path: str, container: Object, seen: dict[str, None], found: Causes) -> None:
    name = container.get("name") or ""
    if name and name in seen:
        found.append(causes.duplicate(f"{path}.name", name))
    seen[name] = None


def _common(path: str, container: Object, volumes: set[str], found: Causes) -> None:
    name = container.get("name") or ""
    if not name:
        found.append(causes.required(f"{path}.name"))
    else:
        found += values.complaints(f"{path}.name", name, metadata.dns1123_label(name))
    image = container.get("image") or ""
    if not image:
        found.append(causes.required(f"{path}.image"))
    elif image != image.strip():
        detail = "must not have leading or trailing whitespace"
        found.append(causes.invalid(f"{path}.image", image, detail))
    policy = container.get("terminationMessagePolicy")
    found += values.one_of(f"{path}.terminationMessagePolicy", policy, _MESSAGE_POLICIES)
    pull = container.get("imagePullPolicy")
    found += values.one_of(f"{path}.imagePullPolicy", pull, _PULL_POLICIES)
    if ports := container.get("ports"):
        _ports(f"{path}.ports", ports, found)
    if variables := container.get("env"):
        found += environment.variables(f"{path}.env", variables)
    if sources := container.get("envFrom"):
        found += environment.sources(f"{path}.envFrom", sources)
    if mounts := container.get("volumeMounts"):
        _mounts(f"{path}.volumeMounts", mounts, volumes, found)
    if resources := container.get("resources"):
        found += resourcelists.requirements(f"{path}.resources", resources)
    if context := container.get("securityContext"):
        _security(f"{path}.securityContext", context, found)


def _running(path: str, container: Object, found: Causes) -> None:
    """Hooks and probes, which only containers that keep running have."""
    for hook, action in (container.get("lifecycle") or {}).items():
        if isinstance(action, dict):
            found += probes.handler(f"{path}.lifecycle.{hook}", action)
    for name in _PROBES:
        if name in container:
            once = name in _ONE_SUCCESS
            found += probes.probe(f"{path}.{name}", container[name], once=once)


def _ports(path: str, listed: list[Object], found: Causes) -> None:
    names: dict[str, None] = {}
    for index, port in enumerate(listed):
        at = f"{path}[{index}]"
        if name := port.get("name"):
            told = values.port_name(name)
            found += values.complaints(f"{at}.name", name, told)
            if not told and name in names:
                found.append(causes.duplicate(f"{at}.name", name))
            names[name] = None
        number = port.get("containerPort", 0)
        if number == 0:
            found.append(causes.required(f"{at}.containerPort"))
        else:
            found += values.port_number(f"{at}.containerPort", number)
        if port.get("hostPort"):
            found += values.port_number(f"{at}.hostPort", port["hostPort"])
        found += values.one_of(f"{at}.protocol", port.get("protocol"), values.PROTOCOLS)


def _host_ports(path: str, listed: list[Object], found: Causes) -> None:
    taken: dict[tuple[object, ...], None] = {}
    for index, container in enumerate(listed):
        for place, port in enumerate(container.get("ports") or ()):
            host = port.get("hostPort")
            if not host:
                continue
            key = (port.get("protocol"), port.get("hostIP"), host)
            if key in taken:
                told = f"{port.get('protocol')}/{port.get('hostIP') or ''}/{host}"
                found.append(causes.duplicate(f"{path}[{index}].ports[{place}].hostPort", told))
            taken[key] = None


def _mounts(path: str, listed: list[Object], volumes: set[str], found: Causes) -> None:
    places: dict[str, None] = {}
    for index, mount in enumerate(listed):
        at, name, place = f"{path}[{index}]", mount.get("name"), mount.get("mountPath")
        if not name:
            found.append(causes.required(f"{at}.name"))
        elif name not in volumes:
            found.append(causes.not_found(f"{at}.name", name))
        if not place:
            found.append(causes.required(f"{at}.mountPath"))
        elif place in places:
            found.append(causes.invalid(f"{at}.mountPath", place, "must be unique"))
        else:
            places[place] = None
        for field in ("subPath", "subPathExpr"):
            if mount.get(field):
                found += volume_rules.local_path(f"{at}.{field}", mount[field])
        if mount.get("subPath") and mount.get("subPathExpr"):
            detail = "subPathExpr and subPath are mutually exclusive"
            found.append(causes.invalid(f"{at}.subPathExpr", mount["subPathExpr"], detail))


def _security(path: str, context: Object, found: Causes) -> None:
    for field in ("runAsUser", "runAsGroup"):
        if field in context:
            found += values.within(f"{path}.{field}", context[field], 0, _LARGEST_ID)
    if context.get("privileged") and context.get("allowPrivilegeEscalation") is False:
        detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
        found.append(causes.invalid(path, context, detail))
