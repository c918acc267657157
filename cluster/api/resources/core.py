"""The core group."""

from cluster.api.resources.model import META, NAME, Resource, paths

ROWS: tuple[Resource, ...] = (
    Resource("", "v1", "ConfigMap", "configmaps", short_names=("cm",), fields=META),
    Resource(
        "", "v1", "Event", "events", short_names=("ev",),
        fields=paths(
            "involvedObject.kind", "involvedObject.namespace", "involvedObject.name",
            "involvedObject.uid", "involvedObject.apiVersion", "involvedObject.resourceVersion",
            "involvedObject.fieldPath", "reason", "reportingComponent", "type",
        ) | {"source": ("source", "component")},
    ),
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
        "", "v1", "Pod", "pods", short_names=("po",), categories=("all",),
        subresources=(
            "attach", "binding", "exec", "log", "portforward", "proxy", "status",
        ),
        fields=paths(
            "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
            "spec.hostNetwork", "status.phase", "status.podIP", "status.nominatedNodeName",
        ),
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
