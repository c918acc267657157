"""The group `autoscaling`. Autoscalers are kept as v2; v1 is a view of them."""

from cluster.api.resources.model import META, Resource

_KIND, _PLURAL = "HorizontalPodAutoscaler", "horizontalpodautoscalers"

ROWS: tuple[Resource, ...] = (
    Resource(
        "autoscaling", "v2", _KIND, _PLURAL, short_names=("hpa",), categories=("all",),
        subresources=("status",), fields=META,
    ),
    Resource(
        "autoscaling", "v1", _KIND, _PLURAL, short_names=("hpa",), categories=("all",),
        subresources=("status",), fields=META,
    ),
)  # fmt: skip
