"""The group `storage.k8s.io`."""

from cluster.api.resources.model import META, NAME, Resource

_GROUP = "storage.k8s.io"

ROWS: tuple[Resource, ...] = (
    Resource(_GROUP, "v1", "CSIDriver", "csidrivers", namespaced=False, fields=NAME),
    Resource(_GROUP, "v1", "CSINode", "csinodes", namespaced=False, fields=NAME),
    Resource(
        _GROUP, "v1", "CSIStorageCapacity", "csistoragecapacities", fields=META,
        list_kind="CSIStorageCapacityList",
    ),
    Resource(
        _GROUP, "v1", "StorageClass", "storageclasses", namespaced=False, short_names=("sc",),
        fields=NAME,
    ),
    Resource(
        _GROUP, "v1", "VolumeAttachment", "volumeattachments", namespaced=False,
        subresources=("status",), fields=NAME,
    ),
    Resource(
        _GROUP, "v1", "VolumeAttributesClass", "volumeattributesclasses", namespaced=False,
        short_names=("vac",), fields=NAME, since=34,
    ),
)  # fmt: skip
