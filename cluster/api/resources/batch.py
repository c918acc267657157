"""The group `batch`."""

from cluster.api.resources.model import META, Resource, paths

ROWS: tuple[Resource, ...] = (
    Resource(
        "batch", "v1", "CronJob", "cronjobs", short_names=("cj",), categories=("all",),
        subresources=("status",), fields=META,
    ),
    Resource(
        "batch", "v1", "Job", "jobs", categories=("all",), subresources=("status",),
        fields=paths("status.successful"),
    ),
)  # fmt: skip
