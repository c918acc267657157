"""What an APIService says: who serves a group version. Pure.

Source: k8s.io/kube-aggregator.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Any, Final

from cluster.api import objects
from cluster.api.objects import Object
from cluster.api.resources import Resource, metrics
from cluster.apiserver.outbound import clientconfig
from cluster.apiserver.outbound.protocol import Outgoing, Service

RESOURCE: Final = "apiservices.apiregistration.k8s.io"
MANAGED: Final = "kube-aggregator.kubernetes.io/automanaged"
GroupVersion = tuple[str, str]

# In the order of kube-apiserver's table of priorities; what is not in it comes after.
_GROUPS: Final = {
    "": 18000, "apps": 17800, "events.k8s.io": 17750, "authentication.k8s.io": 17700,
    "authorization.k8s.io": 17600, "autoscaling": 17500, "batch": 17400,
    "certificates.k8s.io": 17300, "networking.k8s.io": 17200, "policy": 17100,
    "rbac.authorization.k8s.io": 17000, "storage.k8s.io": 16800, "apiextensions.k8s.io": 16700,
    "admissionregistration.k8s.io": 16700, "scheduling.k8s.io": 16600,
    "coordination.k8s.io": 16500, "node.k8s.io": 16300, "discovery.k8s.io": 16200,
    "flowcontrol.apiserver.k8s.io": 16100, "resource.k8s.io": 15900,
}  # fmt: skip
_CUSTOM: Final = (1000, 100)
_METRICS: Final = (100, 100)
"""As metrics-server registers itself. Who installs a metrics-server changes the APIService, and its
metrics take the place of ours."""
_VERSION: Final = 15


@dataclass(frozen=True, slots=True)
class Remote:
    """A group version that another server serves."""

    name: str
    group: str
    version: str
    service: Service
    ca: bytes = b""
    verify: bool = True
    available: bool = False

    @property
    def path(self) -> str:
        """Where the group version is served."""
        return f"/apis/{self.group}/{self.version}"

    def asked(self, method: str, path: str, **more: Any) -> Outgoing:
        """A request to its server."""
        return Outgoing(
            method, service=self.service, path=path, ca=self.ca, verify=self.verify, **more
        )


def remote(obj: Object, *, available: bool) -> Remote | None:
    """Who serves what an APIService registers; None where this server does."""
    spec = objects.spec(obj)
    service = spec.get("service")
    if service is None:
        return None
    try:
        ca = base64.b64decode(spec.get("caBundle") or "")
    except (binascii.Error, ValueError):
        ca = b""
    where = clientconfig.service(service)
    verify = not spec.get("insecureSkipTLSVerify")
    name = objects.name(obj)
    return Remote(name, spec["group"], spec["version"], where, ca, verify, available)


def local(group: str, version: str, *, custom: bool) -> Object:
    """The APIService of a group version that this server serves itself."""
    labels = {MANAGED: "true" if custom else "onstart"}
    if custom:
        least, priority = _CUSTOM
    elif group == metrics.GROUP:
        least, priority = _METRICS
        labels = {"k8s-app": "metrics-server"}
    else:
        least, priority = _GROUPS.get(group, 16000), 1 if not group else _VERSION
        if (group, version) == ("autoscaling", "v2"):
            priority = 30
    return {
        "metadata": {
            "name": f"{version}.{group}",
            "labels": labels,
        },
        "spec": {
            "group": group,
            "version": version,
            "groupPriorityMinimum": least,
            "versionPriority": priority,
        },
    }


def rows(found: Remote, document: Any) -> list[Resource]:
    """The resources that a server says it serves, by its APIResourceList.

    KeyError, TypeError or AttributeError where it is none.
    """
    listed = document["resources"]
    return [_row(found, each, listed) for each in listed if "/" not in str(each.get("name"))]


def _row(found: Remote, said: Any, listed: list[Any]) -> Resource:
    name = str(said["name"])
    subresources = sorted(
        str(each["name"])[len(name) + 1 :]
        for each in listed
        if str(each.get("name")).startswith(f"{name}/")
    )
    return Resource(
        found.group,
        found.version,
        str(said["kind"]),
        name,
        namespaced=bool(said.get("namespaced")),
        short_names=_texts(said.get("shortNames")),
        categories=_texts(said.get("categories")),
        subresources=tuple(subresources),
        verbs=_texts(said.get("verbs")),
        singular=str(said.get("singularName") or ""),
        remote=found.name,
    )


def _texts(values: Any) -> tuple[str, ...]:
    return tuple(str(value) for value in values or ())
