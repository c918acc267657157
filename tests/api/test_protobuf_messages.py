"""The table of messages against the schemas: which fields clients cannot say in protobuf."""

from collections.abc import Iterator

from cluster.api import resources, schema
from cluster.api.protobuf import messages

# Alpha fields of the newest versions, whose numbers are not published where they could be read.
UNKNOWN = {
    "apiextensions.v1.CustomResourceDefinitionCondition": {"observedGeneration"},
    "apiextensions.v1.CustomResourceDefinitionStatus": {"observedGeneration"},
    "authentication.v1.TokenRequestSpec": {"attestations"},
    "autoscaling.v2.HorizontalPodAutoscalerCondition": {"observedGeneration"},
    "batch.v1.JobSpec": {"scheduling"},
    "core.v1.ClusterTrustBundleProjection": {"user"},
    "core.v1.ConfigMapVolumeSource": {"defaultUser"},
    "core.v1.DownwardAPIVolumeFile": {"user"},
    "core.v1.DownwardAPIVolumeSource": {"defaultUser"},
    "core.v1.EmptyDirVolumeSource": {"mode"},
    "core.v1.GRPCAction": {"mode"},
    "core.v1.HTTPGetAction": {"protocol"},
    "core.v1.KeyToPath": {"user"},
    "core.v1.NodeSpec": {"podPreemptionPolicy"},
    "core.v1.NodeSystemInfo": {"runningInUserNamespace"},
    "core.v1.PersistentVolumeClaimStatus": {"healthStatus"},
    "core.v1.PodCertificateProjection": {"user"},
    "core.v1.PodSpec": {"evictionResponders", "schedulingGroup"},
    "core.v1.PodStatus": {"nodeAllocatableResourceClaimStatuses", "volumeHealth"},
    "core.v1.ProjectedVolumeSource": {"defaultUser"},
    "core.v1.SecretVolumeSource": {"defaultUser"},
    "core.v1.ServiceAccountTokenProjection": {"user"},
    "core.v1.VolumeMount": {"bindMountOptions"},
    "resource.v1.Device": {"nodeAllocatableResources"},
    "resource.v1.DeviceAttribute": {"bools", "ints", "strings", "versions"},
    "resource.v1.DeviceCounterConsumption": {"compatibilityGroups"},
    "resource.v1.DeviceRequestAllocationResult": {"skipNodeOperations"},
    "resource.v1.DeviceSubRequest": {"derivedAttributes"},
    "resource.v1.ExactDeviceRequest": {"derivedAttributes"},
    "resource.v1.ResourceSliceSpec": {"partitionTypeAttribute", "skipNodeOperations"},
}
# Kinds of the newest versions that are not said in protobuf at all: JSON alone is served.
JSON_ONLY = {"PodCertificateRequest", "DeviceTaintRule"}


def _short(definition: str) -> str:
    for prefix in (
        "io.k8s.apiextensions-apiserver.pkg.apis.", "io.k8s.kube-aggregator.pkg.apis.",
        "io.k8s.api.", "io.k8s.apimachinery.pkg.apis.", "io.k8s.apimachinery.pkg.",
    ):  # fmt: skip
        definition = definition.removeprefix(prefix)
    return definition


def _names(message: str) -> set[str]:
    found = set()
    for label, kind, shape in messages.table()[message].values():
        found |= _names(kind) if shape == "inline" else {label}
    return found


def _nodes(row: resources.Resource) -> Iterator[schema.Node]:
    root = schema.for_kind(row.api_version, row.kind)
    waiting, seen = [root] if root else [], set()
    while waiting:
        node = waiting.pop()
        if node.element is not None:
            waiting.append(node.element)
        if node.kind == "struct" and node.name not in seen:
            seen.add(node.name)
            yield node
            waiting += [field.node for field in node.fields.values()]


def test_every_kind_has_a_message_and_every_list_of_it() -> None:
    missing = [
        kind
        for row in resources.BUILT_IN
        for kind in (row.kind, row.list_kind if "list" in row.verbs else row.kind)
        if schema.for_kind(row.api_version, row.kind) is not None
        and row.kind not in JSON_ONLY
        and not row.remote
        and not row.group.startswith("metrics.")
        and messages.named(row.api_version, kind) is None
    ]
    assert missing == []


def test_all_fields_but_the_newest_have_numbers() -> None:
    missing: dict[str, set[str]] = {}
    for row in resources.BUILT_IN:
        if messages.named(row.api_version, row.kind) is None:
            continue
        for node in _nodes(row):
            message = _short(node.name)
            if message in messages.table():
                own = set(node.fields) - {"apiVersion", "kind"} - _names(message)
                if own:
                    missing[message] = own
    assert {
        name: found for name, found in missing.items() if found - UNKNOWN.get(name, set())
    } == {}


def test_every_type_that_a_field_names_is_known() -> None:
    scalars = {"string", "bytes", "bool", "int32", "int64", "double"}
    lost = {
        kind
        for fields in messages.table().values()
        for _, kind, _ in fields.values()
        if kind not in scalars and kind not in messages.table()
    }
    # Of packages that no kind of the API uses.
    assert {name for name in lost if not name.startswith(("runtime.schema", "meta.v1beta1"))} <= {
        "authentication.v1beta1.ExtraValue", "networking.v1beta1.HTTPIngressRuleValue",
    }  # fmt: skip


def test_no_two_fields_of_a_message_share_a_name() -> None:
    for message, fields in messages.table().items():
        names = [label for label, _, shape in fields.values() if shape != "inline"]
        assert len(names) == len(set(names)), message
