"""The group `admissionregistration.k8s.io`."""

from cluster.api.resources.model import NAME, Resource

_GROUP = "admissionregistration.k8s.io"
_ALL = ("api-extensions",)

ROWS: tuple[Resource, ...] = (
    Resource(
        _GROUP, "v1", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations",
        namespaced=False, categories=_ALL, fields=NAME,
    ),
    Resource(
        _GROUP, "v1", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations",
        namespaced=False, categories=_ALL, fields=NAME,
    ),
    Resource(
        _GROUP, "v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies",
        namespaced=False, categories=_ALL, subresources=("status",), fields=NAME, since=30,
    ),
    Resource(
        _GROUP, "v1", "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings",
        namespaced=False, categories=_ALL, fields=NAME, since=30,
    ),
    Resource(
        _GROUP, "v1", "MutatingAdmissionPolicy", "mutatingadmissionpolicies",
        namespaced=False, categories=_ALL, fields=NAME, since=36,
    ),
    Resource(
        _GROUP, "v1", "MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings",
        namespaced=False, categories=_ALL, fields=NAME, since=36,
    ),
)  # fmt: skip
