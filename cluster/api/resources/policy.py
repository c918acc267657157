"""The group `policy`."""

from cluster.api.resources.model import META, Resource

ROWS: tuple[Resource, ...] = (
    Resource(
        "policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", short_names=("pdb",),
        subresources=("status",), fields=META,
    ),
)  # fmt: skip
