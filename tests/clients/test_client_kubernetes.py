"""The official Python client, `kubernetes`."""

import sys
import threading
from collections.abc import Iterator
from typing import Any

import clientworld
import pytest
from clientworld import World
from realcluster import ready, until

kubernetes = pytest.importorskip("kubernetes", reason="pip install kubernetes")

from kubernetes import dynamic, utils, watch  # noqa: E402
from kubernetes.client import ApiException, rest  # noqa: E402
from kubernetes.stream import portforward, stream  # noqa: E402

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"


@pytest.fixture(scope="module")
def api(cluster: World) -> Iterator[Any]:
    with kubernetes.config.new_client_from_config(cluster.kubeconfig) as client:
        yield client


@pytest.fixture
def core(api: Any) -> Any:
    return kubernetes.client.CoreV1Api(api)


@pytest.fixture
def apps(api: Any) -> Any:
    return kubernetes.client.AppsV1Api(api)


def test_a_pod_is_watched_from_birth_to_death(core: Any, namespace: str) -> None:
    core.create_namespaced_pod(namespace, clientworld.pod("one", "nginx"))
    seen = []
    for event in watch.Watch().stream(core.list_namespaced_pod, namespace, timeout_seconds=60):
        pod = event["object"]
        seen.append(event["type"])
        if event["type"] == "DELETED":
            break
        if (
            ready(core.api_client.sanitize_for_serialization(pod))
            and not pod.metadata.deletion_timestamp
        ):
            core.delete_namespaced_pod("one", namespace, grace_period_seconds=1)
    assert (seen[0], seen[-1]) == ("ADDED", "DELETED")
    assert "MODIFIED" in seen


def test_commands_in_a_pod(core: Any, web: str) -> None:
    def run(*command: str, **more: Any) -> Any:
        return stream(
            core.connect_get_namespaced_pod_exec, "web", web, command=list(command),
            stdout=True, stderr=True, **more,
        )  # fmt: skip

    assert run("echo", "hello") == "hello\n"
    session = run(
        "sh", "-c", "read word; echo got $word; exit 3", stdin=True, _preload_content=False
    )
    session.write_stdin("words\n")
    session.run_forever(timeout=20)
    assert (session.read_stdout(), session.returncode) == ("got words\n", 3)


def test_attaching_to_a_pod(core: Any, namespace: str, cluster: World) -> None:
    pod = clientworld.pod("echoes", "busybox", "cat", restart="Never")
    pod["spec"]["containers"][0] |= {"stdin": True, "stdinOnce": True}
    core.create_namespaced_pod(namespace, pod)
    cluster.until_ready(namespace, "echoes")
    session = stream(
        core.connect_get_namespaced_pod_attach, "echoes", namespace,
        stdin=True, stdout=True, stderr=True, _preload_content=False,
    )  # fmt: skip
    session.write_stdin("there and back\n")
    assert session.readline_stdout(timeout=20) == "there and back"
    session.close()


def test_logs_are_read_and_followed(core: Any, namespace: str, cluster: World) -> None:
    words = "for n in 1 2 3; do echo word $n; sleep 0.2; done"
    core.create_namespaced_pod(
        namespace, clientworld.pod("says", "busybox", "sh", "-c", words, restart="Never")
    )
    done = until(
        "it runs",
        lambda: core.read_namespaced_pod("says", namespace).status.phase not in ("Pending", None),
    )
    assert done
    lines = watch.Watch().stream(core.read_namespaced_pod_log, "says", namespace, timestamps=False)
    assert list(lines) == ["word 1", "word 2", "word 3"]
    assert core.read_namespaced_pod_log("says", namespace, tail_lines=1) == "word 3\n"
    stamped = core.read_namespaced_pod_log("says", namespace, timestamps=True)
    assert [line.partition("Z ")[2] for line in stamped.splitlines()] == [
        "word 1",
        "word 2",
        "word 3",
    ]


def test_a_forwarded_port(core: Any, web: str) -> None:
    forward = portforward(core.connect_get_namespaced_pod_portforward, "web", web, ports="80")
    socket = forward.socket(80)
    socket.settimeout(20)
    socket.sendall(b"GET /forwarded HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n")
    answer = b""
    while part := socket.recv(65536):
        answer += part
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"GET /forwarded" in answer
    assert forward.error(80) is None


def test_proxies(core: Any, web: str) -> None:
    for said in (
        core.connect_get_namespaced_pod_proxy("web", web),
        core.connect_get_namespaced_pod_proxy("web:80", web),
        core.connect_get_namespaced_service_proxy("web:80", web),
    ):
        assert said == "web\nGET /\n"


def test_each_kind_of_patch(apps: Any, namespace: str) -> None:
    apps.create_namespaced_deployment(namespace, clientworld.deployment("d", replicas=0))

    def patch(body: Any, **more: Any) -> Any:
        return apps.patch_namespaced_deployment("d", namespace, body, **more)

    side = {"containers": [{"name": "side", "image": "busybox"}]}
    found = patch({"spec": {"template": {"spec": side}}}, _content_type=STRATEGIC)
    assert [each.name for each in found.spec.template.spec.containers] == ["side", "main"]
    found = patch({"spec": {"template": {"spec": side}}}, _content_type=MERGE)
    assert [each.name for each in found.spec.template.spec.containers] == ["side"]
    found = patch([{"op": "replace", "path": "/spec/replicas", "value": 2}])
    assert found.spec.replicas == 2
    found = patch([{"op": "add", "path": "/spec/paused", "value": True}], dry_run="All")
    assert found.spec.paused
    assert not apps.read_namespaced_deployment("d", namespace).spec.paused


def test_server_side_apply_and_its_conflicts(apps: Any, namespace: str) -> None:
    def apply(manager: str, replicas: int, **more: Any) -> Any:
        body = clientworld.deployment("d", replicas)
        return apps.patch_namespaced_deployment(
            "d", namespace, body, _content_type=APPLY, field_manager=manager, **more
        )

    assert apply("one", 1).metadata.generation == 1
    with pytest.raises(ApiException) as refused:
        apply("two", 2)
    assert refused.value.status == 409
    assert 'conflict with "one": .spec.replicas' in refused.value.body.replace("\\", "")
    owners = apply("two", 2, force=True).metadata.managed_fields
    assert {each.manager for each in owners if each.operation == "Apply"} == {"one", "two"}


def test_scale_and_status(apps: Any, core: Any, namespace: str) -> None:
    apps.create_namespaced_deployment(namespace, clientworld.deployment("d", replicas=1))
    scale = apps.read_namespaced_deployment_scale("d", namespace)
    assert (scale.spec.replicas, scale.status.selector) == (1, "app=d")
    scale.spec.replicas = 3
    scale.metadata.resource_version = None  # its controller writes as well
    assert apps.replace_namespaced_deployment_scale("d", namespace, scale).spec.replicas == 3
    until("three pods are there", lambda: len(core.list_namespaced_pod(namespace).items) == 3)
    scaled = apps.patch_namespaced_deployment_scale("d", namespace, {"spec": {"replicas": 0}})
    assert scaled.spec.replicas == 0
    until("no pods are there", lambda: not core.list_namespaced_pod(namespace).items)
    status = {"status": {"conditions": [{"type": "Tested", "status": "True"}]}}
    found = apps.patch_namespaced_deployment_status("d", namespace, status)
    assert "Tested" in {each.type for each in found.status.conditions}


def test_eviction_heeds_disruption_budgets(
    core: Any, api: Any, namespace: str, cluster: World
) -> None:
    core.create_namespaced_pod(namespace, clientworld.pod("stays", "nginx"))
    cluster.until_ready(namespace, "stays")
    policy = kubernetes.client.PolicyV1Api(api)
    budget = {
        "metadata": {"name": "b"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "stays"}}},
    }
    policy.create_namespaced_pod_disruption_budget(namespace, budget)
    eviction = kubernetes.client.V1Eviction(metadata={"name": "stays", "namespace": namespace})
    with pytest.raises(ApiException) as refused:
        core.create_namespaced_pod_eviction("stays", namespace, eviction)
    assert refused.value.status == 429
    policy.delete_namespaced_pod_disruption_budget("b", namespace)
    core.create_namespaced_pod_eviction("stays", namespace, eviction)
    until("it is gone", lambda: not core.list_namespaced_pod(namespace).items)


def test_deleting_owners_and_orphans(apps: Any, core: Any, namespace: str) -> None:
    for name in ("taken", "left"):
        apps.create_namespaced_deployment(namespace, clientworld.deployment(name))

    def sets() -> list[str]:
        return sorted(
            each.metadata.labels["app"]
            for each in apps.list_namespaced_replica_set(namespace).items
        )

    until("both have replica sets", lambda: sets() == ["left", "taken"])
    apps.delete_namespaced_deployment("left", namespace, propagation_policy="Orphan")
    apps.delete_namespaced_deployment("taken", namespace, propagation_policy="Foreground")
    until("both are gone", lambda: not apps.list_namespaced_deployment(namespace).items)
    assert sets() == ["left"]
    assert apps.list_namespaced_replica_set(namespace).items[0].metadata.owner_references is None


def test_lists_in_pages_and_by_selectors(core: Any, namespace: str) -> None:
    for number in range(5):
        labels = {"parity": "odd" if number % 2 else "even"}
        core.create_namespaced_config_map(
            namespace, {"metadata": {"name": f"c{number}", "labels": labels}}
        )
    names, token = [], None
    while token != "":
        page = core.list_namespaced_config_map(
            namespace, limit=2, _continue=token, label_selector="parity"
        )
        names.append([each.metadata.name for each in page.items])
        token = page.metadata._continue or ""
    assert names == [["c0", "c1"], ["c2", "c3"], ["c4"]]
    chosen = core.list_namespaced_config_map(
        namespace, label_selector="parity in (odd)", field_selector="metadata.name!=c1"
    )
    assert [each.metadata.name for each in chosen.items] == ["c3"]
    with pytest.raises(ApiException) as refused:
        core.list_namespaced_config_map(namespace, field_selector="data.a=b")
    assert refused.value.status == 400
    assert "is not a known field selector" in refused.value.body


def test_a_shared_informer(core: Any, namespace: str) -> None:
    from kubernetes.informer import informer

    shared = informer.SharedInformer(core.list_namespaced_config_map, namespace=namespace)
    seen: list[str] = []
    for kind in (informer.ADDED, informer.MODIFIED, informer.DELETED):
        shared.add_event_handler(
            kind, lambda found, kind=kind: seen.append(f"{kind} {_name(found)}")
        )
    shared.start()
    try:
        core.create_namespaced_config_map(namespace, {"metadata": {"name": "c"}})
        until("it is added", lambda: "ADDED c" in seen)
        core.patch_namespaced_config_map("c", namespace, {"data": {"a": "b"}})
        until("it is modified", lambda: "MODIFIED c" in seen)
        core.delete_namespaced_config_map("c", namespace)
        until("it is deleted", lambda: "DELETED c" in seen)
    finally:
        shared.stop()


def _name(found: Any) -> str:
    name: str = found["metadata"]["name"] if isinstance(found, dict) else found.metadata.name
    return name


def test_custom_objects_by_the_dynamic_client(api: Any, namespace: str) -> None:
    client = dynamic.DynamicClient(api)
    definitions = client.resources.get(
        api_version="apiextensions.k8s.io/v1", kind="CustomResourceDefinition"
    )
    group = f"{namespace}.test"
    made = definitions.create(clientworld.definition(group, "toys", "Toy"))
    try:
        until(
            "it is established",
            lambda: clientworld.established(definitions.get(name=made.metadata.name).to_dict()),
        )
        toys = until("it is found", lambda: _found(client, f"{group}/v1", "Toy"))
        body = {
            "apiVersion": f"{group}/v1",
            "kind": "Toy",
            "metadata": {"name": "ball"},
            "spec": {"size": 1},
        }
        toys.create(body, namespace=namespace)
        toys.patch({"spec": {"size": 2}}, name="ball", namespace=namespace, content_type=MERGE)
        toys.status.patch(
            {"status": {"seen": True}}, name="ball", namespace=namespace, content_type=MERGE
        )
        found = toys.get(name="ball", namespace=namespace)
        assert (found.spec.size, found.status.seen) == (2, True)
        body["spec"] = {"colour": "red"}
        applied = toys.server_side_apply(body, namespace=namespace, field_manager="tests")
        assert applied.spec.to_dict() == {"size": 2, "colour": "red"}
        threading.Timer(0.2, lambda: toys.delete(name="ball", namespace=namespace)).start()
        kinds = [event["type"] for event in toys.watch(namespace=namespace, timeout=3)]
        assert kinds == ["ADDED", "DELETED"]
        objects = kubernetes.client.CustomObjectsApi(api)
        assert objects.list_namespaced_custom_object(group, "v1", namespace, "toys")["items"] == []
    finally:
        definitions.delete(name=made.metadata.name)


def _found(client: Any, version: str, kind: str) -> Any:
    client.resources.invalidate_cache()
    try:
        return client.resources.get(api_version=version, kind=kind)
    except dynamic.exceptions.ResourceNotFoundError:
        return None


CANDIDATE = """
import sys
from kubernetes import config
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock

config.load_kube_config()
lock = LeaseLock("lead", sys.argv[1], sys.argv[2])
leaderelection.LeaderElection(electionconfig.Config(
    lock, lease_duration=3, renew_deadline=2, retry_period=1,
    onstarted_leading=lambda: print(sys.argv[2], "leads", flush=True), onstopped_leading=None,
)).run()
"""


def test_one_candidate_leads_and_then_the_other(namespace: str, cluster: World, api: Any) -> None:
    def candidate(name: str) -> Any:
        return cluster.started(sys.executable, "-c", CANDIDATE, namespace, name)

    with candidate("first") as first:
        assert first.stdout.readline() == "first leads\n"
        with candidate("second") as second:
            first.kill()
            assert second.stdout.readline() == "second leads\n"
            lease = kubernetes.client.CoordinationV1Api(api).read_namespaced_lease(
                "lead", namespace
            )
            assert (lease.spec.holder_identity, lease.spec.lease_duration_seconds) == ("second", 3)


def test_what_a_pod_would_use_a_token_file_for(
    core: Any, api: Any, namespace: str, cluster: World, tmp_path: Any
) -> None:
    kubernetes.client.RbacAuthorizationV1Api(api).create_namespaced_role_binding(
        namespace,
        {
            "metadata": {"name": "viewer"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "view",
            },
            "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": namespace}],
        },
    )
    asked = {
        "spec": {
            "audiences": ["https://kubernetes.default.svc.cluster.local"],
            "expirationSeconds": 600,
        }
    }
    token = core.create_namespaced_service_account_token("default", namespace, asked).status.token
    (tmp_path / "token").write_text(token)
    host, port = cluster.server.removeprefix("https://").split(":")
    loader = kubernetes.config.incluster_config.InClusterConfigLoader(
        token_filename=tmp_path / "token",
        cert_filename=str(cluster.authority()),
        environ={"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port},
    )
    config = kubernetes.client.Configuration()
    loader.load_and_set(config)
    own = kubernetes.client.CoreV1Api(kubernetes.client.ApiClient(config))
    assert own.list_namespaced_pod(namespace).items == []
    with pytest.raises(ApiException) as refused:
        own.list_namespaced_secret(namespace)
    assert refused.value.status == 403
    assert (
        f'User "system:serviceaccount:{namespace}:default" cannot list resource "secrets"'
        in refused.value.body.replace("\\", "")
    )


def test_objects_made_from_a_file(api: Any, apps: Any, namespace: str, tmp_path: Any) -> None:
    import yaml

    path = tmp_path / "all.yaml"
    path.write_text(yaml.safe_dump_all([clientworld.service("web"), clientworld.deployment("web")]))
    utils.create_from_yaml(api, str(path), namespace=namespace)
    until(
        "the deployment is rolled out",
        lambda: (
            apps.read_namespaced_deployment_status("web", namespace).status.available_replicas == 1
        ),
    )
    with pytest.raises(utils.FailToCreateError, match="already exists"):
        utils.create_from_yaml(api, str(path), namespace=namespace)


def test_errors_say_what_is_wrong(core: Any, apps: Any, namespace: str) -> None:
    with pytest.raises(rest.ApiException) as missing:
        core.read_namespaced_pod("none", namespace)
    assert (missing.value.status, missing.value.reason) == (404, "Not Found")
    wrong = clientworld.deployment("d")
    wrong["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    with pytest.raises(ApiException) as invalid:
        apps.create_namespaced_deployment(namespace, wrong)
    assert invalid.value.status == 422
    assert "`selector` does not match template `labels`" in invalid.value.body


def test_events_of_both_groups_are_one(api: Any, core: Any, namespace: str) -> None:
    events = kubernetes.client.EventsV1Api(api)
    event = {
        "metadata": {"name": "e"},
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "tests.dev/client",
        "reportingInstance": "one",
        "action": "Testing",
        "reason": "Tested",
        "type": "Normal",
        "note": "all is well",
        "regarding": {"kind": "Namespace", "name": namespace, "namespace": namespace},
    }
    events.create_namespaced_event(namespace, event)
    found = core.list_namespaced_event(namespace, field_selector="reason=Tested").items
    assert [each.message for each in found] == ["all is well"]


def test_the_version(api: Any) -> None:
    version = kubernetes.client.VersionApi(api).get_code()
    assert version.git_version.startswith("v1.")
    assert (version.major, version.minor) == tuple(version.git_version[1:].split(".")[:2])
