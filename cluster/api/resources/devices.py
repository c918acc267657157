"""The group `resource.k8s.io`: devices, and claims for them (dynamic resource allocation)."""

from cluster.api.resources.model import META, NAME, Resource

_GROUP = "resource.k8s.io"
_SINCE = 34
_TAINT_RULES_SINCE = 37

ROWS: tuple[Resource, ...] = (
    Resource(
        _GROUP, "v1", "DeviceClass", "deviceclasses", namespaced=False, fields=NAME, since=_SINCE
    ),
    Resource(
        _GROUP, "v1", "DeviceTaintRule", "devicetaintrules", namespaced=False,
        subresources=("status",), fields=NAME, since=_TAINT_RULES_SINCE,
    ),
    Resource(
        _GROUP, "v1", "ResourceClaim", "resourceclaims", subresources=("status",), fields=META,
        since=_SINCE,
    ),
    Resource(
        _GROUP, "v1", "ResourceClaimTemplate", "resourceclaimtemplates", fields=META, since=_SINCE
    ),
    Resource(
        _GROUP, "v1", "ResourceSlice", "resourceslices", namespaced=False,
        fields=NAME | {
            "spec.nodeName": ("spec", "nodeName"), "spec.driver": ("spec", "driver"),
        },
        since=_SINCE,
    ),
)  # fmt: skip
