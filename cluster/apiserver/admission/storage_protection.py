"""StorageObjectInUseProtection: claims and volumes in use outlive their deletion.

The controllers pvc-protection and pv-protection take the finalizers away again.
Source: k8s.io/kubernetes plugin/pkg/admission/storage/storageobjectinuseprotection.
"""

from typing import ClassVar, Final

from cluster.apiserver.admission.plugin import Act, Plugin, Request

FINALIZERS: Final = {
    "persistentvolumeclaims": "kubernetes.io/pvc-protection",
    "persistentvolumes": "kubernetes.io/pv-protection",
}


class StorageObjectInUseProtection(Plugin):
    """Gives new claims and volumes their finalizers."""

    name: ClassVar[str] = "StorageObjectInUseProtection"
    resources: ClassVar[tuple[str, ...]] = tuple(FINALIZERS)

    def mutate(self, request: Request) -> None:
        """Complete metadata.finalizers."""
        if request.act is not Act.CREATE or request.subresource:
            return
        wanted = FINALIZERS[request.row.id]
        metadata = request.object["metadata"]
        said = metadata.get("finalizers") or []
        if wanted not in said:
            metadata["finalizers"] = [*said, wanted]
