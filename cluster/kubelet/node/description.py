"""The Node object of a configuration, and its lease. Pure."""

import hashlib
from typing import Final

from cluster.api import objects, timestamps
from cluster.kubelet.config import Config
from cluster.kubelet.node.health import Health, conditions

LEASE_NAMESPACE: Final = "kube-node-lease"
KUBELET_ADDRESS: Final = "kubemu.dev/kubelet-address"
RUNTIME_VERSION: Final = "kubemu://0.1.0"
_KERNEL: Final = "6.1.0-kubemu"
_OS_IMAGE: Final = "kubemu"


def node(config: Config, health: Health, now: float) -> objects.Object:
    """The Node that a kubelet registers."""
    spec: objects.Object = {"providerID": config.provider_id} if config.provider_id else {}
    if config.pod_cidr:
        spec["podCIDRs"] = [part.strip() for part in config.pod_cidr.split(",")]
        spec["podCIDR"] = spec["podCIDRs"][0]
    if config.taints:
        spec["taints"] = [
            {"key": one.key, "effect": one.effect} | ({"value": one.value} if one.value else {})
            for one in config.taints
        ]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": config.node_name,
            "labels": labels(config),
            "annotations": annotations(config),
        },
        "spec": spec,
        "status": status(config, health, [], now),
    }


def annotations(config: Config) -> dict[str, str]:
    """The annotations that a kubelet gives its node."""
    own = {"volumes.kubernetes.io/controller-managed-attach-detach": "true"}
    return own | ({KUBELET_ADDRESS: config.kubelet_address} if config.kubelet_address else {})


def shows_port(node: objects.Object, config: Config) -> bool:
    """Whether the Node says where its kubelet listens."""
    endpoints = objects.status(node).get("daemonEndpoints") or {}
    return bool((endpoints.get("kubeletEndpoint") or {}).get("Port") == config.kubelet_port)


def labels(config: Config) -> dict[str, str]:
    """The labels that a kubelet gives its node; configured ones win."""
    own = {
        "beta.kubernetes.io/arch": config.architecture,
        "beta.kubernetes.io/os": config.operating_system,
        "kubernetes.io/arch": config.architecture,
        "kubernetes.io/hostname": config.node_name,
        "kubernetes.io/os": config.operating_system,
    }
    if config.zone:
        own["topology.kubernetes.io/zone"] = config.zone
    if config.region:
        own["topology.kubernetes.io/region"] = config.region
    return own | dict(config.labels)


def status(
    config: Config, health: Health, before: list[objects.Object], now: float
) -> objects.Object:
    """The whole status; `before` are the conditions that the Node has."""
    addresses = [{"type": "InternalIP", "address": one} for one in config.addresses]
    return {
        "capacity": config.capacity,
        "allocatable": config.allocatable,
        "conditions": conditions(health, before, now),
        "addresses": [*addresses, {"type": "Hostname", "address": config.node_name}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": config.kubelet_port}},
        "nodeInfo": _info(config, health),
    } | _handlers(config, health)


def _handlers(config: Config, health: Health) -> objects.Object:
    """The handlers of the runtime that RuntimeClasses can name, from 1.31 on."""
    if not health.handlers or not config.version.shows_handlers:
        return {}
    return {
        "runtimeHandlers": [
            ({"name": one.name} if one.name else {})
            | {
                "features": {
                    "recursiveReadOnlyMounts": one.recursive_read_only_mounts,
                    "userNamespaces": one.user_namespaces,
                }
            }
            for one in health.handlers
        ]
    }


def lease(node: objects.Object, config: Config, now: float) -> objects.Object:
    """The lease by which a node shows that it lives."""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": config.node_name,
            "namespace": LEASE_NAMESPACE,
            "ownerReferences": [
                {
                    "apiVersion": "v1",
                    "kind": "Node",
                    "name": config.node_name,
                    "uid": objects.uid(node),
                }
            ],
        },
        "spec": {
            "holderIdentity": config.node_name,
            "leaseDurationSeconds": config.node_lease_duration,
            "renewTime": timestamps.encode_micro(now),
        },
    }


def renewal(config: Config, now: float) -> objects.Object:
    """The merge patch that renews a lease."""
    return {
        "spec": {
            "holderIdentity": config.node_name,
            "leaseDurationSeconds": config.node_lease_duration,
            "renewTime": timestamps.encode_micro(now),
        }
    }


def pod_cidr(node: objects.Object) -> str:
    """The node's pod CIDRs, separated by commas; "" where it has none yet."""
    spec = objects.spec(node)
    return ",".join(spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else []))


def _info(config: Config, health: Health) -> dict[str, str]:
    return {
        "architecture": config.architecture,
        "bootID": _identity("boot", config.node_name),
        "containerRuntimeVersion": health.runtime or RUNTIME_VERSION,
        "kernelVersion": _KERNEL,
        "kubeProxyVersion": str(config.version),
        "kubeletVersion": str(config.version),
        "machineID": _identity("machine", config.node_name).replace("-", ""),
        "operatingSystem": config.operating_system,
        "osImage": _OS_IMAGE,
        "systemUUID": _identity("system", config.node_name),
    }


def _identity(kind: str, name: str) -> str:
    """A UUID that is always the same for a node."""
    text = hashlib.sha256(f"{kind} {name}".encode()).hexdigest()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:32]}"
