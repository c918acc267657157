"""Metadata, strategies and defaults: what a write makes of an object."""

import copy
import random
import re
from typing import Any

import pytest

from cluster.api import errors, identity, objectmeta, resources, rules

TABLE = resources.built_in()
CONTAINER = {"name": "a", "image": "a:1"}


def request(seed: int = 1) -> rules.Request:
    return rules.Request(1_700_000_000.0, random.Random(seed), identity.User("tester"))


def create(name: str, document: Any) -> dict[str, Any]:
    return rules.for_create(TABLE.get(name), document, request()).object


def update(name: str, old: Any, new: Any, subresource: str = "") -> dict[str, Any]:
    return rules.for_update(TABLE.get(name), old, new, request(), subresource).object


def named(name: str = "web", **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default"} | more}


def pod(**spec: Any) -> dict[str, Any]:
    return named() | {"spec": {"containers": [copy.deepcopy(CONTAINER)]} | spec}


def deployment(**spec: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [dict(CONTAINER)]}}
    selector = {"matchLabels": {"a": "b"}}
    return named() | {"spec": {"selector": selector, "template": template} | spec}


def service(**spec: Any) -> dict[str, Any]:
    return named() | {"spec": {"ports": [{"port": 80}]} | spec}


class TestCreateMetadata:
    def test_the_server_stamps(self) -> None:
        meta = create("pods", pod())["metadata"]
        assert meta["creationTimestamp"] == "2023-11-14T22:13:20Z"
        assert meta["generation"] == 1
        shape = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
        assert re.fullmatch(shape, meta["uid"])

    def test_the_same_seed_gives_the_same_object(self) -> None:
        assert create("pods", pod()) == create("pods", pod())

    def test_what_the_client_may_not_decide_is_dropped(self) -> None:
        forged = {
            "uid": "mine", "creationTimestamp": "2001-01-01T00:00:00Z", "generation": 9,
            "deletionTimestamp": "2001-01-01T00:00:00Z", "selfLink": "/x",
        }  # fmt: skip
        meta = create("configmaps", named(**forged))["metadata"]
        assert set(meta) == {"name", "namespace", "uid", "creationTimestamp"}
        assert meta["uid"] != "mine"

    def test_names_are_generated_with_kubernetes_alphabet(self) -> None:
        document = {"metadata": {"generateName": "web-" + "x" * 80, "namespace": "default"}}
        name = create("configmaps", document)["metadata"]["name"]
        assert len(name) == 63
        assert re.fullmatch(r"web-x{54}[bcdfghjklmnpqrstvwxz2456789]{5}", name)

    def test_a_resource_version_is_refused(self) -> None:
        with pytest.raises(errors.BadRequest, match="resourceVersion should not be set"):
            create("configmaps", named(resourceVersion="1"))

    def test_cluster_scoped_objects_have_no_namespace(self) -> None:
        assert "namespace" not in create("namespaces", named())["metadata"]


LABEL = "a lowercase RFC 1123 label must consist of"
SUBDOMAIN = "a lowercase RFC 1123 subdomain must consist of"


@pytest.mark.parametrize(
    ("resource", "meta", "field", "reason", "message"),
    [
        ("configmaps", {"name": "Web"}, "metadata.name", "FieldValueInvalid", SUBDOMAIN),
        ("configmaps", {"name": "x" * 254}, "metadata.name", "FieldValueInvalid", "253 bytes"),
        ("configmaps", {"name": ""}, "metadata.name", "FieldValueRequired", "generateName is req"),
        ("configmaps", {"generateName": "W"}, "metadata.generateName", "FieldValueInvalid", ""),
        ("namespaces", {"name": "a.b"}, "metadata.name", "FieldValueInvalid", "contain dots"),
        ("namespaces", {"name": "a_b"}, "metadata.name", "FieldValueInvalid", LABEL),
        ("services", {"name": "1a"}, "metadata.name", "FieldValueInvalid", "a DNS-1035 label"),
        ("configmaps", {"labels": {"a b": "x"}}, "metadata.labels", "FieldValueInvalid", "name p"),
        ("configmaps", {"labels": {"a": "-"}}, "metadata.labels", "FieldValueInvalid", "a valid"),
        ("configmaps", {"labels": {"a": "x" * 64}}, "metadata.labels", "FieldValueInvalid", "63"),
        ("configmaps", {"annotations": {"/": ""}}, "metadata.annotations", "FieldValueInvalid", ""),
        (
            "configmaps",
            {"annotations": {"a": "x" * 262144}},
            "metadata.annotations",
            "FieldValueTooLong",
            "Too long: may not be more than 262144 bytes",
        ),
        ("configmaps", {"finalizers": ["a b"]}, "metadata.finalizers", "FieldValueInvalid", ""),
        (
            "configmaps",
            {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p"}]},
            "metadata.ownerReferences.uid",
            "FieldValueInvalid",
            "must not be empty",
        ),
    ],
)
def test_metadata_that_is_refused(
    resource: str, meta: Any, field: str, reason: str, message: str
) -> None:
    base = service() if resource == "services" else named()
    base["metadata"] |= meta
    if "generateName" in meta:
        del base["metadata"]["name"]
    with pytest.raises(errors.Invalid) as caught:
        create(resource, base)
    found = caught.value.details["causes"]
    wanted = [cause for cause in found if cause["field"] == field]
    assert wanted, found
    assert wanted[0]["reason"] == reason
    assert message in wanted[0]["message"]


def test_two_controllers_are_refused() -> None:
    owner = {"apiVersion": "v1", "kind": "X", "uid": "u", "controller": True}
    owners = [owner | {"name": "a"}, owner | {"name": "b"}]
    with pytest.raises(errors.Invalid, match='Found "true" in references for X/a and X/b'):
        create("configmaps", named(ownerReferences=owners))


class TestUpdateMetadata:
    def test_what_is_left_out_is_kept(self) -> None:
        old = create("configmaps", named())
        new = update("configmaps", old, named() | {"data": {"a": "b"}})
        assert new["metadata"] == old["metadata"]

    def test_a_foreign_uid_is_a_conflict(self) -> None:
        old = create("configmaps", named())
        with pytest.raises(errors.Conflict, match="UID in precondition: other"):
            update("configmaps", old, named(uid="other"))

    def test_immutable_metadata(self) -> None:
        old = create("configmaps", named())
        with pytest.raises(
            errors.Invalid, match=r"metadata\.creationTimestamp.*field is immutable"
        ):
            update("configmaps", old, named(creationTimestamp="2001-01-01T00:00:00Z"))
        with pytest.raises(errors.Invalid, match=r"metadata\.name.*field is immutable"):
            update("configmaps", old, named("other"))

    def test_deletion_is_not_undone_and_takes_no_new_finalizers(self) -> None:
        old = create("configmaps", named(finalizers=["example.com/a"]))
        old["metadata"]["deletionTimestamp"] = "2023-11-14T22:13:20Z"
        new = update("configmaps", old, named(finalizers=[]))
        assert new["metadata"]["deletionTimestamp"] == "2023-11-14T22:13:20Z"
        with pytest.raises(errors.Invalid, match="no new finalizers can be added if the object"):
            update("configmaps", old, named(finalizers=["example.com/a", "example.com/b"]))

    def test_the_resource_version_does_not_reach_the_store(self) -> None:
        old = create("configmaps", named())
        assert (
            "resourceVersion"
            not in update("configmaps", old, named(resourceVersion="7"))["metadata"]
        )

    def test_the_generation_counts_changes_of_the_spec(self) -> None:
        old = create("deployments.apps", deployment())
        labelled = copy.deepcopy(old)
        labelled["metadata"]["labels"] = {"x": "y"}
        assert update("deployments.apps", old, labelled)["metadata"]["generation"] == 1
        scaled = copy.deepcopy(old)
        scaled["spec"]["replicas"] = 3
        scaled["metadata"]["generation"] = 77
        assert update("deployments.apps", old, scaled)["metadata"]["generation"] == 2


class TestSpecAndStatus:
    def test_status_is_not_the_creator_s_to_write(self) -> None:
        obj = create("deployments.apps", deployment() | {"status": {"replicas": 5}})
        assert obj["status"] == {}

    def test_a_node_registers_with_its_status(self) -> None:
        obj = create("nodes", named() | {"status": {"capacity": {"cpu": "2"}}})
        assert obj["status"] == {"capacity": {"cpu": "2"}, "allocatable": {"cpu": "2"}}

    def test_the_main_resource_does_not_write_status(self) -> None:
        old = create("deployments.apps", deployment()) | {"status": {"replicas": 1}}
        new = copy.deepcopy(old) | {"status": {"replicas": 9}}
        assert update("deployments.apps", old, new)["status"] == {"replicas": 1}

    def test_the_status_subresource_writes_nothing_else(self) -> None:
        old = create("deployments.apps", deployment())
        new = copy.deepcopy(old) | {"status": {"replicas": 2}}
        new["spec"]["replicas"] = 7
        new["metadata"]["labels"] = {"x": "y"}
        new["metadata"]["annotations"] = {"a": "b"}
        got = update("deployments.apps", old, new, "status")
        assert got["status"] == {"replicas": 2}
        assert got["spec"] == old["spec"]
        assert "labels" not in got["metadata"]
        assert got["metadata"]["annotations"] == {"a": "b"}
        assert got["metadata"]["generation"] == 1

    def test_a_binding_passes(self) -> None:
        old = create("pods", pod())
        bound = copy.deepcopy(old)
        bound["spec"]["nodeName"] = "n1"
        bound["status"]["conditions"] = [{"type": "PodScheduled", "status": "True"}]
        assert update("pods", old, bound, "binding") == bound

    def test_finalize_writes_the_finalizers_of_a_namespace(self) -> None:
        old = create("namespaces", named())
        assert old["spec"]["finalizers"] == ["kubernetes"]
        new = copy.deepcopy(old) | {"spec": {"finalizers": []}}
        assert update("namespaces", old, new)["spec"]["finalizers"] == ["kubernetes"]
        assert update("namespaces", old, new, "finalize")["spec"]["finalizers"] == []
        bare = old | {"spec": {}}
        assert "finalizers" not in update("namespaces", bare, new)["spec"]


class TestDefaults:
    def test_a_small_pod(self) -> None:
        obj = create("pods", pod())
        assert obj["status"] == {"phase": "Pending", "qosClass": "BestEffort"}
        assert obj["spec"] == {
            "containers": [
                CONTAINER
                | {
                    "resources": {},
                    "terminationMessagePath": "/dev/termination-log",
                    "terminationMessagePolicy": "File",
                    "imagePullPolicy": "IfNotPresent",
                }
            ],
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "securityContext": {},
            "schedulerName": "default-scheduler",
            "enableServiceLinks": True,
        }

    @pytest.mark.parametrize(
        ("image", "policy"),
        [
            ("nginx", "Always"),
            ("nginx:latest", "Always"),
            ("nginx:1.27", "IfNotPresent"),
            ("registry:5000/nginx", "Always"),
            ("registry:5000/nginx:1", "IfNotPresent"),
            ("nginx@sha256:0123456789abcdef", "IfNotPresent"),
            ("nginx:latest@sha256:0123456789abcdef", "Always"),
        ],
    )
    def test_pull_policy_by_tag(self, image: str, policy: str) -> None:
        obj = create("pods", pod(containers=[{"name": "a", "image": image}]))
        assert obj["spec"]["containers"][0]["imagePullPolicy"] == policy

    def test_probes_ports_and_volumes(self) -> None:
        container = CONTAINER | {
            "ports": [{"containerPort": 80}],
            "livenessProbe": {"httpGet": {"port": 80}, "periodSeconds": 3},
            "env": [{"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        }
        volumes = [{"name": "e"}, {"name": "s", "secret": {"secretName": "x"}}]
        spec = create("pods", pod(containers=[container], volumes=volumes))["spec"]
        got = spec["containers"][0]
        assert got["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
        assert got["livenessProbe"] == {
            "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
            "timeoutSeconds": 1, "periodSeconds": 3, "successThreshold": 1, "failureThreshold": 3,
        }  # fmt: skip
        assert got["env"][0]["valueFrom"]["fieldRef"]["apiVersion"] == "v1"
        assert spec["volumes"] == [
            {"name": "e", "emptyDir": {}},
            {"name": "s", "secret": {"secretName": "x", "defaultMode": 420}},
        ]

    def test_requests_follow_limits_in_pods_only(self) -> None:
        limited = CONTAINER | {"resources": {"limits": {"cpu": "1", "memory": "1Gi"}}}
        obj = create("pods", pod(containers=[copy.deepcopy(limited)]))
        found = obj["spec"]["containers"][0]["resources"]
        assert found["requests"] == found["limits"]
        assert obj["status"]["qosClass"] == "Guaranteed"
        document = deployment()
        document["spec"]["template"]["spec"]["containers"] = [limited]
        template = create("deployments.apps", document)["spec"]["template"]["spec"]
        assert "requests" not in template["containers"][0]["resources"]

    @pytest.mark.parametrize(
        ("resources_of", "quality"),
        [
            ([{}], "BestEffort"),
            ([{"requests": {"cpu": "1"}}], "Burstable"),
            ([{"limits": {"cpu": "1"}}], "Burstable"),
            ([{"limits": {"cpu": "1", "memory": "1Gi"}}, {}], "Burstable"),
            ([{"limits": {"cpu": "1", "memory": "1Gi"}}] * 2, "Guaranteed"),
            ([{"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1m"}}], "Burstable"),
            ([{"requests": {"cpu": "0"}}], "BestEffort"),
            ([{"limits": {"example.com/x": "1"}}], "BestEffort"),
        ],
    )
    def test_quality_of_service(self, resources_of: list[Any], quality: str) -> None:
        containers = [
            {"name": f"c{at}", "image": "a:1", "resources": copy.deepcopy(wanted)}
            for at, wanted in enumerate(resources_of)
        ]
        assert create("pods", pod(containers=containers))["status"]["qosClass"] == quality

    def test_a_deployment(self) -> None:
        spec = create("deployments.apps", deployment())["spec"]
        assert spec["replicas"] == 1
        assert spec["strategy"] == {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
        }
        assert (spec["revisionHistoryLimit"], spec["progressDeadlineSeconds"]) == (10, 600)
        assert spec["template"]["spec"]["restartPolicy"] == "Always"
        assert "enableServiceLinks" not in spec["template"]["spec"]

    def test_services(self) -> None:
        spec = create("services", service())["spec"]
        assert spec == {
            "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
            "type": "ClusterIP",
            "sessionAffinity": "None",
            "internalTrafficPolicy": "Cluster",
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
        }
        spec = create("services", service(type="LoadBalancer"))["spec"]
        assert spec["externalTrafficPolicy"] == "Cluster"
        assert spec["allocateLoadBalancerNodePorts"] is True
        headless = create("services", named() | {"spec": {"clusterIP": "None"}})["spec"]
        assert headless["clusterIPs"] == ["None"]

    def test_small_kinds(self) -> None:
        space = create("namespaces", named())
        assert space["metadata"]["labels"] == {"kubernetes.io/metadata.name": "web"}
        assert space["status"] == {"phase": "Active"}
        secret = create("secrets", named() | {"stringData": {"a": "é"}, "data": {"a": "eA=="}})
        assert secret["type"] == "Opaque"
        assert secret["data"] == {"a": "w6k="}
        assert "stringData" not in secret
        priority = create("priorityclasses.scheduling.k8s.io", named() | {"value": 5})
        assert priority["preemptionPolicy"] == "PreemptLowerPriority"
        piece = named() | {"addressType": "IPv4", "endpoints": [], "ports": [{"port": 1}]}
        ports = create("endpointslices.discovery.k8s.io", piece)["ports"]
        assert ports == [{"port": 1, "name": "", "protocol": "TCP"}]


def test_a_service_keeps_what_was_allocated() -> None:
    old = create("services", service(type="NodePort"))
    old["spec"] |= {"clusterIP": "10.0.0.9", "clusterIPs": ["10.0.0.9"]}
    old["spec"]["ports"][0]["nodePort"] = 30007
    spec = update("services", old, service(type="NodePort"))["spec"]
    assert (spec["clusterIP"], spec["ports"][0]["nodePort"]) == ("10.0.0.9", 30007)
    with pytest.raises(errors.Invalid, match="may not change once set"):
        update("services", old, service(type="NodePort", clusterIP="10.0.0.8"))


def test_uids_do_not_repeat() -> None:
    source = random.Random(3)
    assert len({objectmeta.new_uid(source) for _ in range(1000)}) == 1000


def test_metadata_that_holds_nothing_is_left_out():
    nothing = {"labels": {}, "annotations": {}, "finalizers": [], "ownerReferences": []}
    made = create("configmaps", named(**nothing))
    assert not nothing.keys() & made["metadata"].keys()
    owned = create("configmaps", named(finalizers=["example.com/kept"], labels={"a": "b"}))
    emptied = {**owned, "metadata": owned["metadata"] | nothing}
    assert not nothing.keys() & update("configmaps", owned, emptied)["metadata"].keys()
