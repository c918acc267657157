"""ingress-nginx as its manifests for cloud providers have it, without the admission webhook: a
Deployment behind a Service of the type LoadBalancer, and the IngressClass `nginx`.
"""

from collections.abc import Sequence
from typing import Final

from cluster.api.objects import Object

IMAGE: Final = "registry.k8s.io/ingress-nginx/controller:v1.12.1"
NAMESPACE: Final = "ingress-nginx"
_SHARED: Final = {
    "app.kubernetes.io/name": "ingress-nginx", "app.kubernetes.io/instance": "ingress-nginx",
}  # fmt: skip
_LABELS: Final = {**_SHARED, "app.kubernetes.io/component": "controller"}
_RBAC: Final = "rbac.authorization.k8s.io"
_READ: Final = ["get", "list", "watch"]


def manifests(_service_range: str) -> Sequence[Object]:
    """All of it."""
    return (
        {"apiVersion": "v1", "kind": "Namespace",
         "metadata": {"name": NAMESPACE, "labels": _SHARED}},
        *_access(),
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _meta("ingress-nginx-controller"),
         "data": {}},
        {"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
         "metadata": {"name": "nginx", "labels": _LABELS},
         "spec": {"controller": "k8s.io/ingress-nginx"}},
        _service(),
        _deployment(),
    )  # fmt: skip


def _meta(name: str) -> Object:
    return {"name": name, "namespace": NAMESPACE, "labels": _LABELS}


def _rule(group: str, resources: list[str], verbs: list[str]) -> Object:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}


def _access() -> Sequence[Object]:
    name = "ingress-nginx"
    everywhere = [
        _rule("", ["configmaps", "endpoints", "nodes", "pods", "secrets", "namespaces"],
              ["list", "watch"]),
        _rule("coordination.k8s.io", ["leases"], ["list", "watch"]),
        _rule("", ["nodes"], ["get"]),
        _rule("", ["services"], _READ),
        _rule("networking.k8s.io", ["ingresses", "ingressclasses"], _READ),
        _rule("networking.k8s.io", ["ingresses/status"], ["update"]),
        _rule("", ["events"], ["create", "patch"]),
        _rule("discovery.k8s.io", ["endpointslices"], _READ),
    ]  # fmt: skip
    within = [
        _rule("", ["namespaces"], ["get"]),
        _rule("", ["configmaps", "pods", "secrets", "endpoints", "services"], _READ),
        {**_rule("coordination.k8s.io", ["leases"], ["get", "update"]),
         "resourceNames": ["ingress-nginx-leader"]},
        _rule("coordination.k8s.io", ["leases"], ["create"]),
    ]  # fmt: skip
    subject = {"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}
    version = f"{_RBAC}/v1"

    def role(kind: str) -> Object:
        return {"apiGroup": _RBAC, "kind": kind, "name": name}

    return (
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _meta(name)},
        {"apiVersion": version, "kind": "Role", "metadata": _meta(name), "rules": within},
        {"apiVersion": version, "kind": "RoleBinding", "metadata": _meta(name),
         "roleRef": role("Role"), "subjects": [subject]},
        {"apiVersion": version, "kind": "ClusterRole",
         "metadata": {"name": name, "labels": _SHARED}, "rules": everywhere},
        {"apiVersion": version, "kind": "ClusterRoleBinding",
         "metadata": {"name": name, "labels": _SHARED}, "roleRef": role("ClusterRole"),
         "subjects": [subject]},
    )  # fmt: skip


def _service() -> Object:
    ports = [
        {"name": name, "port": port, "protocol": "TCP", "targetPort": name, "appProtocol": name}
        for name, port in (("http", 80), ("https", 443))
    ]
    spec = {"type": "LoadBalancer", "ports": ports, "selector": _LABELS,
            "externalTrafficPolicy": "Cluster"}  # fmt: skip
    return {"apiVersion": "v1", "kind": "Service", "metadata": _meta("ingress-nginx-controller"),
            "spec": spec}  # fmt: skip


def _deployment() -> Object:
    fields = {"POD_NAME": "metadata.name", "POD_NAMESPACE": "metadata.namespace"}
    probe = {"httpGet": {"path": "/healthz", "port": 10254}, "timeoutSeconds": 1}
    container = {
        "name": "controller",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "args": [
            "/nginx-ingress-controller",
            "--publish-service=$(POD_NAMESPACE)/ingress-nginx-controller",
            "--election-id=ingress-nginx-leader",
            "--controller-class=k8s.io/ingress-nginx",
            "--ingress-class=nginx",
            "--configmap=$(POD_NAMESPACE)/ingress-nginx-controller",
        ],
        "env": [{"name": key, "valueFrom": {"fieldRef": {"fieldPath": path}}}
                for key, path in fields.items()],
        "lifecycle": {"preStop": {"exec": {"command": ["/wait-shutdown"]}}},
        "livenessProbe": {**probe, "initialDelaySeconds": 10, "failureThreshold": 5},
        "readinessProbe": {**probe, "periodSeconds": 2},
        "ports": [{"containerPort": port, "name": name, "protocol": "TCP"}
                  for name, port in (("http", 80), ("https", 443))],
        "resources": {"requests": {"cpu": "100m", "memory": "90Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False, "runAsUser": 101, "runAsNonRoot": True,
            "capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]},
        },
    }  # fmt: skip
    pod = {
        "serviceAccountName": "ingress-nginx",
        "containers": [container],
        "dnsPolicy": "ClusterFirst",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "terminationGracePeriodSeconds": 300,
    }
    spec = {
        "selector": {"matchLabels": _LABELS},
        "revisionHistoryLimit": 10,
        # Its image is an emulated one, also where nodes run processes.
        "template": {
            "metadata": {"annotations": {"kubemu.dev/driver": "sim"}, "labels": _LABELS},
            "spec": pod,
        },
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": _meta("ingress-nginx-controller"), "spec": spec}  # fmt: skip
