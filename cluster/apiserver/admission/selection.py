"""Which admission plugins run: kube-apiserver's flags, its order, and what is on by default. Pure.

Source: k8s.io/kubernetes pkg/kubeapiserver/options/plugins.go and admission.go.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

ORDER: Final = (
    "AlwaysAdmit", "NamespaceLifecycle", "NamespaceExists", "LimitPodHardAntiAffinityTopology",
    "LimitRanger", "ServiceAccount", "NodeRestriction", "TaintNodesByCondition",
    "AlwaysPullImages", "PodSecurity", "PodNodeSelector", "Priority", "DefaultTolerationSeconds",
    "PodTolerationRestriction", "EventRateLimit", "ExtendedResourceToleration",
    "DefaultStorageClass", "StorageObjectInUseProtection", "OwnerReferencesPermissionEnforcement",
    "PersistentVolumeClaimResize", "RuntimeClass", "CertificateApproval", "CertificateSigning",
    "ClusterTrustBundleAttest", "CertificateSubjectRestriction", "DefaultIngressClass",
    "DenyServiceExternalIPs",
    "MutatingAdmissionPolicy", "MutatingAdmissionWebhook", "ValidatingAdmissionPolicy",
    "ValidatingAdmissionWebhook", "ResourceQuota", "AlwaysDeny",
)  # fmt: skip
"""The plugins that there are, in the order in which they run."""

DEFAULT_OFF: Final = frozenset((
    "AlwaysAdmit", "NamespaceExists", "LimitPodHardAntiAffinityTopology", "NodeRestriction",
    "AlwaysPullImages", "PodNodeSelector", "PodTolerationRestriction", "EventRateLimit",
    "ExtendedResourceToleration", "OwnerReferencesPermissionEnforcement",
    "DenyServiceExternalIPs", "AlwaysDeny",
))  # fmt: skip

NOT_BUILT: Final = frozenset((
    "NamespaceAutoProvision", "ImagePolicyWebhook", "PodTopologyLabels",
    "PodGroupProtection", "PodGroupWorkloadExists",
    "NodeDeclaredFeatureValidator", "JobValidation", "PodResizeValidator",
))  # fmt: skip
"""Plugins that Kubernetes has and kubemu lacks."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What the flags say. ValueError with a sentence where they cannot be followed.

    `configuration` is what each plugin is told, by its name (see `configuration.read`).
    """

    enable: Sequence[str] = ()
    disable: Sequence[str] = ()
    configuration: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for flag, said in (("enable", self.enable), ("disable", self.disable)):
            unknown = [name for name in said if name not in ORDER]
            if not unknown:
                continue
            missing = [name for name in unknown if name in NOT_BUILT]
            if missing and flag == "enable":
                raise ValueError(
                    f"{flag}-admission-plugins: kubemu does not have {', '.join(missing)} (yet);"
                    f" it has {', '.join(ORDER)}"
                )
            unknown = [name for name in unknown if name not in NOT_BUILT]
            if unknown:
                raise ValueError(
                    f'{flag}-admission-plugins plugin "{unknown[0]}" is unknown: known are'
                    f" {', '.join(ORDER)}"
                )
        both = [name for name in self.enable if name in self.disable]
        if both:
            raise ValueError(
                f"{', '.join(both)} in enable-admission-plugins and disable-admission-plugins"
                " overlapped"
            )

    def names(self) -> tuple[str, ...]:
        """The plugins that run, in order."""
        return tuple(
            name
            for name in ORDER
            if name not in self.disable and (name in self.enable or name not in DEFAULT_OFF)
        )
