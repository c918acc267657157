"""CoreDNS as kubeadm has it: a Deployment behind the Service `kube-dns`, the tenth address of the
range of cluster IPs. One replica, for nothing here outlives a computer.
"""

import ipaddress
from collections.abc import Sequence
from typing import Final

from cluster.api.objects import Object

IMAGE: Final = "registry.k8s.io/coredns/coredns:v1.12.1"
COREFILE: Final = """.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 5
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30 {
       disable success cluster.local
       disable denial cluster.local
    }
    loop
    reload
    loadbalance
}
"""
_LABELS: Final = {"k8s-app": "kube-dns"}
_READ: Final = ["list", "watch"]


def address(service_range: str) -> str:
    """The cluster IP of the name server, as kubeadm chooses it."""
    network = ipaddress.ip_network(service_range)
    return str(network[min(10, network.num_addresses - 2)])


def manifests(service_range: str) -> Sequence[Object]:
    """All of it."""
    return (*_access(), _configuration(), _service(service_range), _deployment())


def _meta(name: str, **more: object) -> Object:
    return {"name": name, "namespace": "kube-system", **more}


def _access() -> Sequence[Object]:
    labels = {"kubernetes.io/bootstrapping": "rbac-defaults"}
    rules = [
        {"apiGroups": [""], "resources": ["endpoints", "services", "pods", "namespaces"],
         "verbs": _READ},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": _READ},
    ]  # fmt: skip
    name = "system:coredns"
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
    subject = {"kind": "ServiceAccount", "name": "coredns", "namespace": "kube-system"}
    return (
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _meta("coredns")},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
         "metadata": {"name": name, "labels": labels}, "rules": rules},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
         "metadata": {"name": name, "labels": labels}, "roleRef": role, "subjects": [subject]},
    )  # fmt: skip


def _configuration() -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _meta("coredns"),
            "data": {"Corefile": COREFILE}}  # fmt: skip


def _service(service_range: str) -> Object:
    labels = {
        **_LABELS, "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS",
    }  # fmt: skip
    notes = {"prometheus.io/port": "9153", "prometheus.io/scrape": "true"}
    ports = [
        {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53},
        {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": 53},
        {"name": "metrics", "port": 9153, "protocol": "TCP", "targetPort": 9153},
    ]
    spec = {"clusterIP": address(service_range), "ports": ports, "selector": _LABELS}
    meta = _meta("kube-dns", labels=labels, annotations=notes)
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}


def _deployment() -> Object:
    # Its image is an emulated one, also where nodes run processes.
    about = {"annotations": {"kubemu.dev/driver": "sim"}, "labels": _LABELS}
    template = {"metadata": about, "spec": _pod()}
    spec = {
        "replicas": 1,
        "selector": {"matchLabels": _LABELS},
        "template": template,
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": _meta("coredns", labels=_LABELS), "spec": spec}  # fmt: skip


def _pod() -> Object:
    container = {
        "name": "coredns",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "args": ["-conf", "/etc/coredns/Corefile"],
        "resources": {"limits": {"memory": "170Mi"},
                      "requests": {"cpu": "100m", "memory": "70Mi"}},
        "ports": [
            {"containerPort": 53, "name": "dns", "protocol": "UDP"},
            {"containerPort": 53, "name": "dns-tcp", "protocol": "TCP"},
            {"containerPort": 9153, "name": "metrics", "protocol": "TCP"},
            {"containerPort": 8080, "name": "liveness-probe", "protocol": "TCP"},
            {"containerPort": 8181, "name": "readiness-probe", "protocol": "TCP"},
        ],
        "livenessProbe": {
            "httpGet": {"path": "/health", "port": "liveness-probe"}, "initialDelaySeconds": 60,
            "timeoutSeconds": 5, "successThreshold": 1, "failureThreshold": 5,
        },
        # As k3s has it: a cluster is to be up in seconds.
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "readiness-probe"},
                           "periodSeconds": 2},
        "securityContext": {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
            "capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "config-volume", "mountPath": "/etc/coredns", "readOnly": True}],
    }  # fmt: skip
    items = [{"key": "Corefile", "path": "Corefile"}]
    return {
        "priorityClassName": "system-cluster-critical",
        "serviceAccountName": "coredns",
        "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 100, "podAffinityTerm": {
                "labelSelector": {"matchExpressions": [
                    {"key": "k8s-app", "operator": "In", "values": ["kube-dns"]}]},
                "topologyKey": "kubernetes.io/hostname"}}]}},
        "tolerations": [
            {"key": "CriticalAddonsOnly", "operator": "Exists"},
            {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"},
        ],
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "containers": [container],
        "dnsPolicy": "Default",
        "volumes": [{"name": "config-volume", "configMap": {"name": "coredns", "items": items}}],
    }  # fmt: skip
