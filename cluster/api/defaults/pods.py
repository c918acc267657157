"""Defaults of Pod and of pod templates (pkg/apis/core/v1/defaults.go)."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from cluster.api import quantity
from cluster.api.defaults import images, volumes
from cluster.api.objects import Object

TERMINATION_GRACE_PERIOD: Final = 30  # seconds
DEFAULT_SCHEDULER: Final = "default-scheduler"
TERMINATION_MESSAGE_PATH: Final = "/dev/termination-log"

_PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")
_PROBE_FIELDS: Final = {
    "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3,
}  # fmt: skip


def pod(obj: Object) -> None:
    """A pod: what its spec gets, and requests that follow from limits."""
    spec = obj.setdefault("spec", {})
    pod_spec(spec)
    spec.setdefault("enableServiceLinks", True)
    for container in _containers(spec, "containers", "initContainers"):
        limits = container["resources"].get("limits")
        if limits:
            requests = container["resources"].setdefault("requests", {})
            for name, amount in limits.items():
                requests.setdefault(name, amount)
    if spec.get("hostNetwork"):
        for container in _containers(spec, "containers", "initContainers"):
            for port in container.get("ports") or ():
                if not port.get("hostPort"):
                    port["hostPort"] = port.get("containerPort", 0)


def template(owner: Object) -> None:
    """The pod template at `owner["template"]`, which is made where it is absent."""
    made = owner.setdefault("template", {})
    made.setdefault("metadata", {})
    pod_spec(made.setdefault("spec", {}))


def pod_spec(spec: Object) -> None:
    """What pods and templates have in common."""
    for container in _containers(spec, "containers", "initContainers", "ephemeralContainers"):
        _container(container)
    for volume in spec.get("volumes") or ():
        volumes.volume(volume)
    spec["restartPolicy"] = spec.get("restartPolicy") or "Always"
    spec.setdefault("terminationGracePeriodSeconds", TERMINATION_GRACE_PERIOD)
    spec["dnsPolicy"] = spec.get("dnsPolicy") or "ClusterFirst"
    _service_account(spec)
    spec.setdefault("securityContext", {})
    spec["schedulerName"] = spec.get("schedulerName") or DEFAULT_SCHEDULER


def _service_account(spec: Object) -> None:
    """serviceAccount is the old name of serviceAccountName; both are always said."""
    name = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if name:
        spec["serviceAccountName"] = spec["serviceAccount"] = name


def _containers(spec: Object, *lists: str) -> list[Object]:
    return [container for name in lists for container in spec.get(name) or ()]


def _container(container: Object) -> None:
    for port in container.get("ports") or ():
        port["protocol"] = port.get("protocol") or "TCP"
    for variable in container.get("env") or ():
        _variable(variable)
    _resources(container.setdefault("resources", {}))
    for name in _PROBES:
        if name in container:
            _probe(container[name])
    for hook in (container.get("lifecycle") or {}).values():
        if isinstance(hook, dict) and "httpGet" in hook:
            _http_get(hook["httpGet"])
    container["terminationMessagePath"] = (
        container.get("terminationMessagePath") or TERMINATION_MESSAGE_PATH
    )
    container["terminationMessagePolicy"] = container.get("terminationMessagePolicy") or "File"
    if not container.get("imagePullPolicy"):
        container["imagePullPolicy"] = images.pull_policy(container.get("image") or "")


def _variable(variable: Object) -> None:
    field = (variable.get("valueFrom") or {}).get("fieldRef")
    if field is not None:
        field["apiVersion"] = field.get("apiVersion") or "v1"


def _resources(resources: Object) -> None:
    """Amounts are kept in thousandths, rounded up."""
    for amounts in (resources.get("limits") or {}, resources.get("requests") or {}):
        for name, amount in amounts.items():
            if amount[-1] in "nu":
                amounts[name] = quantity.format_milli(quantity.milli(amount))


def _probe(probe: Object) -> None:
    for name, value in _PROBE_FIELDS.items():
        if not probe.get(name):
            probe[name] = value
    if "httpGet" in probe:
        _http_get(probe["httpGet"])
    if "grpc" in probe:
        probe["grpc"].setdefault("service", "")


def _http_get(action: dict[str, Any]) -> None:
    action["path"] = action.get("path") or "/"
    action["scheme"] = action.get("scheme") or "HTTP"


BY_RESOURCE: Final[Mapping[str, Callable[[Object], None]]] = {"pods": pod}
