"""The group `apiextensions.k8s.io`."""

from cluster.api.resources.model import NAME, Resource

ROWS: tuple[Resource, ...] = (
    Resource(
        "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions",
        namespaced=False, short_names=("crd", "crds"), categories=("api-extensions",),
        subresources=("status",), fields=NAME,
    ),
)  # fmt: skip
