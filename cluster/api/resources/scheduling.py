"""The group `scheduling.k8s.io`."""

from cluster.api.resources.model import NAME, Resource

ROWS: tuple[Resource, ...] = (
    Resource(
        "scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", namespaced=False,
        short_names=("pc",), fields=NAME,
    ),
)  # fmt: skip
