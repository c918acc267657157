"""The core group."""

from cluster.api.resources.model import FOR_EVER, META, NAME, Resource, paths

_ENDPOINTS = "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"
_ENDPOINTS_DEPRECATED = 33

_RESIZABLE = 33  # the minor version that serves pods/resize


def _pod(since: int, until: int, *more: str) -> Resource:
    return Resource(
        "", "v1", "Pod", "pods", short_names=("po",), categories=("all",),
        subresources=tuple(sorted((
            "attach", "binding", "ephemeralcontainers", "eviction", "exec", "log", "portforward",
            "proxy", "status", *more,
        ))),
        fields=paths(
            "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
            "spec.hostNetwork", "status.phase", "status.podIP", "status.nominatedNodeName",
        ),
        since=since, until=until,
    )  # fmt: skip


ROWS: tuple[Resource, ...] = (
    Resource("", "v1", "Binding", "bindings", verbs=("create",)),
    Resource(
        "", "v1", "ComponentStatus", "componentstatuses", namespaced=False, short_names=("cs",),
        verbs=("get", "list"), fields=NAME, singular="componentstatus",
        deprecated="v1 ComponentStatus is deprecated in v1.19+",
    ),
    Resource("", "v1", "ConfigMap", "configmaps", short_names=("cm",), fields=META),
    Resource(
        "", "v1", "Endpoints", "endpoints", short_names=("ep",), fields=META,
        singular="endpoints", list_kind="EndpointsList", until=_ENDPOINTS_DEPRECATED - 1,
    ),
    Resource(
        "", "v1", "Endpoints", "endpoints", short_names=("ep",), fields=META,
        singular="endpoints", list_kind="EndpointsList", since=_ENDPOINTS_DEPRECATED,
        deprecated=_ENDPOINTS,
    ),
    Resource(
        "", "v1", "Event", "events", short_names=("ev",),
        fields=paths(
            "involvedObject.kind", "involvedObject.namespace", "involvedObject.name",
            "involvedObject.uid", "involvedObject.apiVersion", "involvedObject.resourceVersion",
            "involvedObject.fieldPath", "reason", "reportingComponent", "type",
        ) | {"source": ("source", "component")},
    ),
    Resource("", "v1", "LimitRange", "limitranges", short_names=("limits",), fields=META),
    Resource(
        "", "v1", "Namespace", "namespaces", namespaced=False, short_names=("ns",),
        subresources=("finalize", "status"),
        verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
        fields=NAME | {"status.phase": ("status", "phase")},
    ),
    Resource(
        "", "v1", "Node", "nodes", namespaced=False, short_names=("no",),
        subresources=("proxy", "status"),
        fields=NAME | {"spec.unschedulable": ("spec", "unschedulable")},
    ),
    Resource(
        "", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", short_names=("pvc",),
        subresources=("status",), fields=META,
    ),
    Resource(
        "", "v1", "PersistentVolume", "persistentvolumes", namespaced=False, short_names=("pv",),
        subresources=("status",), fields=NAME,
    ),
    _pod(0, _RESIZABLE - 1),
    _pod(_RESIZABLE, FOR_EVER, "resize"),
    Resource("", "v1", "PodTemplate", "podtemplates", fields=META),
    Resource(
        "", "v1", "ReplicationController", "replicationcontrollers", short_names=("rc",),
        categories=("all",), subresources=("scale", "status"), fields=paths("status.replicas"),
    ),
    Resource(
        "", "v1", "ResourceQuota", "resourcequotas", short_names=("quota",),
        subresources=("status",), fields=META,
    ),
    Resource("", "v1", "Secret", "secrets", fields=paths("type")),
    Resource(
        "", "v1", "ServiceAccount", "serviceaccounts", short_names=("sa",),
        subresources=("token",), fields=META,
    ),
    Resource(
        "", "v1", "Service", "services", short_names=("svc",), categories=("all",),
        subresources=("proxy", "status"), fields=paths("spec.clusterIP", "spec.type"),
    ),
)  # fmt: skip
