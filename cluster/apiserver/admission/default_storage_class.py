"""DefaultStorageClass: claims that name no class get the cluster's default one.

Source: k8s.io/kubernetes plugin/pkg/admission/storage/storageclass/setdefault.
"""

from typing import ClassVar

from cluster.apiserver.admission.defaultclass import DefaultClass


class DefaultStorageClass(DefaultClass):
    """Sets spec.storageClassName of new claims."""

    name: ClassVar[str] = "DefaultStorageClass"
    resources: ClassVar[tuple[str, ...]] = ("persistentvolumeclaims",)
    classes: ClassVar[str] = "storageclasses.storage.k8s.io"
    marks: ClassVar[tuple[str, ...]] = (
        "storageclass.kubernetes.io/is-default-class",
        "storageclass.beta.kubernetes.io/is-default-class",
    )
    field: ClassVar[str] = "storageClassName"
    old: ClassVar[str] = "volume.beta.kubernetes.io/storage-class"
