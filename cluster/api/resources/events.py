"""The group `events.k8s.io`: the events of the core group, told in other words."""

from cluster.api.resources.model import META, Resource

_LABELS = {
    "reason": ("reason",),
    "regarding.kind": ("involvedObject", "kind"),
    "regarding.namespace": ("involvedObject", "namespace"),
    "regarding.name": ("involvedObject", "name"),
    "regarding.uid": ("involvedObject", "uid"),
    "regarding.apiVersion": ("involvedObject", "apiVersion"),
    "regarding.resourceVersion": ("involvedObject", "resourceVersion"),
    "regarding.fieldPath": ("involvedObject", "fieldPath"),
    "reportingController": ("reportingComponent",),
    "type": ("type",),
}

ROWS: tuple[Resource, ...] = (
    Resource(
        "events.k8s.io", "v1", "Event", "events", short_names=("ev",), fields=META | _LABELS,
        stored_as="events",
    ),
)  # fmt: skip
