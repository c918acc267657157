"""Discovery and OpenAPI tell of what pods, services and nodes answer themselves."""

import pytest

from cluster.api import discovery, resources
from cluster.api.openapi import v2, v3

VERSION = "1.33"
POD = "/api/v1/namespaces/{namespace}/pods/{name}"
PATHS = [
    (f"{POD}/exec", ["get", "post"], "connectCoreV1GetNamespacedPodExec", "PodExecOptions"),
    (f"{POD}/attach", ["get", "post"], "connectCoreV1GetNamespacedPodAttach", "PodAttachOptions"),
    (f"{POD}/portforward", ["get", "post"], "connectCoreV1GetNamespacedPodPortforward",
     "PodPortForwardOptions"),
    (f"{POD}/log", ["get"], "readCoreV1NamespacedPodLog", "Pod"),
    (f"{POD}/proxy", ["delete", "get", "head", "options", "patch", "post", "put"],
     "connectCoreV1GetNamespacedPodProxy", "PodProxyOptions"),
    (f"{POD}/proxy/{{path}}", ["delete", "get", "head", "options", "patch", "post", "put"],
     "connectCoreV1GetNamespacedPodProxyWithPath", "PodProxyOptions"),
    ("/api/v1/nodes/{name}/proxy", ["delete", "get", "head", "options", "patch", "post", "put"],
     "connectCoreV1GetNodeProxy", "NodeProxyOptions"),
    ("/api/v1/namespaces/{namespace}/services/{name}/proxy/{path}",
     ["delete", "get", "head", "options", "patch", "post", "put"],
     "connectCoreV1GetNamespacedServiceProxyWithPath", "ServiceProxyOptions"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "methods", "id", "kind"), PATHS)
def test_both_documents_have_the_operations(
    path: str, methods: list[str], id: str, kind: str
) -> None:
    table = resources.built_in(VERSION)
    for document in (v3.document(table, "", "v1", VERSION), v2.document(table, VERSION)):
        item = document["paths"][path]
        assert sorted(set(item) - {"parameters"}) == methods
        get = item["get"]
        assert get["operationId"] == id
        assert get["x-kubernetes-group-version-kind"]["kind"] == kind
        assert get["x-kubernetes-action"] == ("get" if path.endswith("/log") else "connect")
        assert ("{path}" in path) == ("path" in [each["name"] for each in item["parameters"]])


def test_answers_are_strings() -> None:
    document = v3.document(resources.built_in(VERSION), "", "v1", VERSION)
    content = document["paths"][f"{POD}/log"]["get"]["responses"]["200"]["content"]
    assert content["text/plain"]["schema"] == {"type": "string"}
    exec_ = document["paths"][f"{POD}/exec"]["post"]
    assert list(exec_["responses"]["200"]["content"]) == ["*/*"]
    assert "command" in [each["name"] for each in exec_["parameters"]]
    assert "requestBody" not in exec_


def test_discovery_tells_their_kinds_and_verbs() -> None:
    listed = discovery.resource_list(resources.built_in(VERSION), "", "v1")
    assert listed is not None
    told = {each["name"]: (each["kind"], each["verbs"]) for each in listed["resources"]}
    assert told["pods/exec"] == ("PodExecOptions", ["create", "get"])
    assert told["pods/attach"] == ("PodAttachOptions", ["create", "get"])
    assert told["pods/portforward"] == ("PodPortForwardOptions", ["create", "get"])
    assert told["pods/log"] == ("Pod", ["get"])
    every = ["create", "delete", "get", "patch", "update"]
    assert told["pods/proxy"] == ("PodProxyOptions", every)
    assert told["services/proxy"] == ("ServiceProxyOptions", every)
    assert told["nodes/proxy"] == ("NodeProxyOptions", every)
