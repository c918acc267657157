"""The admission plugins of a server, in kube-apiserver's order, and how each is built.

A plugin is imported when it is wanted: most are off.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final

from cluster.apiserver import bootstrap
from cluster.apiserver.admission.chain import Chain
from cluster.apiserver.admission.default_toleration_seconds import (
    DefaultTolerationSeconds,
    TolerationSeconds,
)
from cluster.apiserver.admission.escalation import RbacEscalation
from cluster.apiserver.admission.plugin import Plugin
from cluster.apiserver.admission.policies.authorization import ParamAuthorization
from cluster.apiserver.admission.policies.mutating import MutatingAdmissionPolicy
from cluster.apiserver.admission.policies.validating import ValidatingAdmissionPolicy
from cluster.apiserver.admission.selection import Selection
from cluster.apiserver.admission.service_addresses import ServiceAddresses
from cluster.apiserver.admission.webhooks.asking import Asking
from cluster.apiserver.admission.webhooks.mutating import MutatingAdmissionWebhook
from cluster.apiserver.admission.webhooks.validating import ValidatingAdmissionWebhook

NODE_PORTS = range(30000, 32768)
_TOLERATION_SECONDS = TolerationSeconds()
_SELECTION = Selection()

__all__ = ["NODE_PORTS", "Selection", "TolerationSeconds", "chain"]

_MODULES: Final[Mapping[str, str]] = {
    "AlwaysAdmit": "always",
    "NamespaceLifecycle": "namespace_lifecycle",
    "NamespaceExists": "namespace_exists",
    "LimitPodHardAntiAffinityTopology": "anti_affinity_topology",
    "LimitRanger": "limit_ranger",
    "ServiceAccount": "service_account",
    "NodeRestriction": "node_restriction",
    "TaintNodesByCondition": "taint_nodes_by_condition",
    "AlwaysPullImages": "always_pull_images",
    "PodSecurity": "pod_security",
    "PodNodeSelector": "pod_node_selector",
    "Priority": "priority",
    "PodTolerationRestriction": "pod_toleration_restriction",
    "EventRateLimit": "event_rate_limit",
    "ExtendedResourceToleration": "extended_resource_toleration",
    "DefaultStorageClass": "default_storage_class",
    "StorageObjectInUseProtection": "storage_protection",
    "OwnerReferencesPermissionEnforcement": "owner_references",
    "PersistentVolumeClaimResize": "claim_resize",
    "RuntimeClass": "runtime_class",
    "CertificateApproval": "certificates",
    "CertificateSigning": "certificates",
    "ClusterTrustBundleAttest": "certificates",
    "CertificateSubjectRestriction": "certificates",
    "DefaultIngressClass": "default_ingress_class",
    "DenyServiceExternalIPs": "deny_external_ips",
    "ResourceQuota": "quota.plugin",
    "AlwaysDeny": "always",
}
"""The module of each plugin, whose class bears the plugin's name and is built without arguments."""
_CONFIGURED: Final = (
    "PodSecurity", "PodNodeSelector", "ResourceQuota", "EventRateLimit", "PodTolerationRestriction",
)  # fmt: skip
"""Plugins whose class has a `configured(document)` that builds it from its configuration."""


def chain(
    service_range: str = bootstrap.SERVICE_RANGE,
    node_ports: range = NODE_PORTS,
    toleration_seconds: TolerationSeconds = _TOLERATION_SECONDS,
    selection: Selection = _SELECTION,
    asking: Asking | None = None,
) -> Chain:
    """The selected plugins. ValueError for a range of addresses or ports that cannot be used, and
    for a configuration that a plugin does not understand. `asking` is the way to webhooks.
    """
    # Part of what Kubernetes' storage does, and no matter of choice: after what changes objects,
    # before what looks at them last.
    inherent: list[Plugin] = [
        ServiceAddresses(service_range, node_ports),
        RbacEscalation(),
        ParamAuthorization(),
    ]
    built: list[Plugin] = []
    factories: dict[str, Callable[[], Plugin]] = {
        "MutatingAdmissionPolicy": MutatingAdmissionPolicy,
        "ValidatingAdmissionPolicy": ValidatingAdmissionPolicy,
        "MutatingAdmissionWebhook": lambda: MutatingAdmissionWebhook(asking),
        "ValidatingAdmissionWebhook": lambda: ValidatingAdmissionWebhook(asking),
        "DefaultTolerationSeconds": lambda: DefaultTolerationSeconds(toleration_seconds),
    }
    for name in selection.names():
        if name in _LAST and inherent:
            built += inherent
            inherent = []
        if name in factories:
            built.append(factories[name]())
        elif name in _MODULES:
            built.append(_built(name, selection.configuration.get(name)))
    return Chain((*built, *inherent))


_LAST: Final = (
    "MutatingAdmissionPolicy", "MutatingAdmissionWebhook", "ValidatingAdmissionPolicy",
    "ValidatingAdmissionWebhook", "ResourceQuota", "AlwaysDeny",
)  # fmt: skip


def _built(name: str, document: Any) -> Plugin:
    module = import_module(f"cluster.apiserver.admission.{_MODULES[name]}")
    found: Any = getattr(module, name)
    made: Plugin = found.configured(document) if name in _CONFIGURED else found()
    return made
