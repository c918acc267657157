"""Ingress and IngressClass (pkg/apis/networking/validation)."""

import re
from typing import Final

from cluster.api import causes, metadata
from cluster.api.objects import Object
from cluster.api.validation import family, values
from cluster.api.validation.values import Causes

_ANNOTATION: Final = "kubernetes.io/ingress.class"
_PATH_TYPES: Final = ("Exact", "ImplementationSpecific", "Prefix")
_SEQUENCES: Final = ("//", "/./", "/../", "%2f", "%2F")
_ENDINGS: Final = ("/..", "/.")
_CONTROLLER_LENGTH: Final = 250
_HTTP_PATH_FORM: Final = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+"
_HTTP_PATH: Final = re.compile(_HTTP_PATH_FORM)
_SCOPES: Final = ("Cluster", "Namespace")


def ingress(obj: Object) -> Causes:
    """What is wrong with a new ingress."""
    found = _spec(obj.get("spec") or {})
    said = (obj["metadata"].get("annotations") or {}).get(_ANNOTATION)
    name = (obj.get("spec") or {}).get("ingressClassName")
    if said is not None and name is not None and said != name:
        detail = "must match `ingressClassName` when both are specified"
        found.append(causes.invalid(f"annotations.{_ANNOTATION}", said, detail))
    return found


def ingress_update(old: Object, new: Object) -> Causes:
    """What is wrong with a changed ingress; faults of two kinds that were there may stay."""
    was = old.get("spec") or {}
    secrets = any(
        metadata.dns1123_subdomain(tls["secretName"])
        for tls in was.get("tls") or ()
        if tls.get("secretName")
    )
    wildcards = any(
        "*" in (rule.get("host") or "") and _http("", rule.get("http"))
        for rule in was.get("rules") or ()
    )
    return _spec(new.get("spec") or {}, any_secret=secrets, any_wildcard=wildcards)


def ingress_status(old: Object, new: Object) -> Causes:
    """What is wrong with the status of an ingress."""
    balancer = (new.get("status") or {}).get("loadBalancer") or {}
    found: Causes = []
    for index, point in enumerate(balancer.get("ingress") or ()):
        at = f"status.loadBalancer.ingress[{index}]"
        if address := point.get("ip"):
            found += values.ip(f"{at}.ip", address)
        if host := point.get("hostname"):
            found += values.complaints(f"{at}.hostname", host, metadata.dns1123_subdomain(host))
            found += _no_address(f"{at}.hostname", host)
    return found


def _spec(spec: Object, *, any_secret: bool = False, any_wildcard: bool = False) -> Causes:
    found: Causes = []
    rules, backend = spec.get("rules") or [], spec.get("defaultBackend")
    if not rules and backend is None:
        detail = "either `defaultBackend` or `rules` must be specified"
        found.append(causes.invalid("spec", spec.get("rules"), detail))
    if backend is not None:
        found += _backend("spec.defaultBackend", backend)
    for index, rule in enumerate(rules):
        at, host = f"spec.rules[{index}]", rule.get("host") or ""
        found += _host(f"{at}.host", host)
        if "*" not in host or not any_wildcard:
            found += _http(f"{at}.http", rule.get("http"))
    for index, tls in enumerate(spec.get("tls") or ()):
        found += _tls(f"spec.tls[{index}]", tls, any_secret=any_secret)
    name = spec.get("ingressClassName")
    if name is not None:
        told = metadata.dns1123_subdomain(name)
        found += values.complaints("spec.ingressClassName", name, told)
    return found


def _host(path: str, host: str) -> Causes:
    if not host:
        return []
    found = _no_address(path, host)
    told = metadata.wildcard_subdomain if "*" in host else metadata.dns1123_subdomain
    return found + values.complaints(path, host, told(host))


def _no_address(path: str, host: str) -> Causes:
    if not values.is_ip(host):
        return []
    return [causes.invalid(path, host, "must be a DNS name, not an IP address")]


def _tls(path: str, tls: Object, *, any_secret: bool) -> Causes:
    found: Causes = []
    for index, host in enumerate(tls.get("hosts") or ()):
        told = metadata.wildcard_subdomain if "*" in host else metadata.dns1123_subdomain
        found += values.complaints(f"{path}.hosts[{index}]", host, told(host))
    name = tls.get("secretName")
    if name and not any_secret:
        told_of_name = metadata.dns1123_subdomain(name)
        found += values.complaints(f"{path}.secretName", name, told_of_name)
    return found


def _http(path: str, rule: Object | None) -> Causes:
    if rule is None:
        return []
    paths = rule.get("paths") or []
    found: Causes = [] if paths else [causes.required(f"{path}.paths")]
    for index, each in enumerate(paths):
        found += _path(f"{path}.paths[{index}]", each)
    return found


def _path(at: str, each: Object) -> Causes:
    kind, path = each.get("pathType"), each.get("path") or ""
    if kind is None:
        return [causes.required(f"{at}.pathType", "pathType must be specified")]
    found: Causes = []
    if kind not in _PATH_TYPES:
        found.append(causes.not_supported(f"{at}.pathType", kind, _PATH_TYPES))
    elif not path.startswith("/") and (path or kind != "ImplementationSpecific"):
        found.append(causes.invalid(f"{at}.path", path, "must be an absolute path"))
    if kind in ("Exact", "Prefix"):
        for part in _SEQUENCES:
            if part in path:
                found.append(causes.invalid(f"{at}.path", path, f"must not contain '{part}'"))
        for ending in _ENDINGS:
            if path.endswith(ending):
                found.append(causes.invalid(f"{at}.path", path, f"cannot end with '{ending}'"))
    return found + _backend(f"{at}.backend", each.get("backend") or {})


def _backend(path: str, backend: Object) -> Causes:
    resource, service = backend.get("resource"), backend.get("service")
    if resource is not None and service is not None:
        return [causes.invalid(path, "", "cannot set both resource and service backends")]
    if resource is not None:
        return _reference(f"{path}.resource", resource)
    if service is None:
        return [causes.invalid(path, "", "resource or service backend is required")]
    return _service(path, service)


def _service(path: str, service: Object) -> Causes:
    name, port = service.get("name") or "", service.get("port") or {}
    at = f"{path}.service"
    found: Causes = []
    if name:
        found += values.complaints(f"{at}.name", name, metadata.dns1035_label(name))
    else:
        found.append(causes.required(f"{at}.name"))
    named, number = port.get("name") or "", port.get("number") or 0
    if named and number:
        found.append(causes.invalid(path, "", "cannot set both port name & port number"))
    elif named:
        found += values.complaints(f"{at}.port.name", named, values.port_name(named))
    elif number:
        found += values.port_number(f"{at}.port.number", number)
    else:
        found.append(causes.required(path, "port name or number is required"))
    return found


def _reference(path: str, reference: Object) -> Causes:
    """A TypedLocalObjectReference: group, kind and name."""
    found: Causes = []
    group = reference.get("apiGroup")
    if group is not None:
        found += values.complaints(f"{path}.apiGroup", group, metadata.dns1123_subdomain(group))
    for field in ("kind", "name"):
        text = reference.get(field) or ""
        if text:
            found += values.complaints(f"{path}.{field}", text, metadata.path_segment(text))
        else:
            found.append(causes.required(f"{path}.{field}", f"{field} is required"))
    return found


def ingress_class(obj: Object) -> Causes:
    """What is wrong with an ingress class."""
    spec = obj.get("spec") or {}
    path, controller = "spec.controller", spec.get("controller") or ""
    found: Causes = []
    if len(controller) > _CONTROLLER_LENGTH:
        found.append(causes.too_long(path, _CONTROLLER_LENGTH))
    found += _domain_path(path, controller)
    if spec.get("parameters") is not None:
        found += _parameters("spec.parameters", spec["parameters"])
    return found


def ingress_class_update(old: Object, new: Object) -> Causes:
    """What is wrong with a changed class: its controller stays."""
    was, now = ((obj.get("spec") or {}).get("controller") or "" for obj in (old, new))
    return values.immutable("spec.controller", was, now) + ingress_class(new)


def _domain_path(path: str, text: str) -> Causes:
    """IsDomainPrefixedPath: `acme.io/foo`."""
    if not text:
        return [causes.required(path)]
    host, _, rest = text.partition("/")
    if not host or not rest:
        detail = 'must be a domain-prefixed path (such as "acme.io/foo")'
        return [causes.invalid(path, text, detail)]
    found = values.complaints(path, host, metadata.dns1123_subdomain(host))
    if _HTTP_PATH.fullmatch(rest) is None:
        detail = f"Invalid path (regex used for validation is '{_HTTP_PATH_FORM}')"
        found.append(causes.invalid(path, rest, detail))
    return found


def _parameters(path: str, parameters: Object) -> Causes:
    found = _reference(path, parameters)
    scope, namespace = parameters.get("scope"), parameters.get("namespace")
    if scope is None:
        found.append(causes.required(f"{path}.scope"))
    elif scope not in _SCOPES:
        found.append(causes.not_supported(f"{path}.scope", scope, _SCOPES))
    elif scope == "Cluster" and namespace is not None:
        detail = "`parameters.scope` is set to 'Cluster'"
        found.append(causes.forbidden(f"{path}.namespace", detail))
    elif scope == "Namespace" and namespace is None:
        detail = "`parameters.scope` is set to 'Namespace'"
        found.append(causes.required(f"{path}.namespace", detail))
    elif namespace is not None:
        told = metadata.dns1123_label(namespace)
        found += values.complaints(f"{path}.namespace", namespace, told)
    return found


_INGRESSES: Final = "ingresses.networking.k8s.io"
_CLASSES: Final = "ingressclasses.networking.k8s.io"
NEW: Final[family.Creates] = {_INGRESSES: ingress, _CLASSES: ingress_class}
UPDATE: Final[family.Updates] = {_INGRESSES: ingress_update, _CLASSES: ingress_class_update}
STATUS: Final[family.Updates] = {_INGRESSES: ingress_status}
OTHER: Final[family.Others] = {}
