"""The Python client `lightkube`."""

import asyncio
from collections.abc import Iterator
from typing import Any

import clientworld
import pytest
from clientworld import World
from realcluster import until

lightkube = pytest.importorskip("lightkube", reason="pip install lightkube")

from lightkube import ApiError, AsyncClient, Client, KubeConfig, codecs  # noqa: E402
from lightkube.generic_resource import create_namespaced_resource, load_in_cluster_generic_resources  # noqa: E402
from lightkube.models.meta_v1 import ObjectMeta  # noqa: E402
from lightkube.operators import in_, not_equal  # noqa: E402
from lightkube.resources.apps_v1 import Deployment  # noqa: E402
from lightkube.resources.core_v1 import ConfigMap, Pod  # noqa: E402
from lightkube.resources.policy_v1 import PodDisruptionBudget  # noqa: E402
from lightkube.types import CascadeType, PatchType  # noqa: E402


@pytest.fixture
def client(cluster: World, namespace: str) -> Iterator[Any]:
    config = KubeConfig.from_file(cluster.kubeconfig)
    with Client(config, namespace=namespace, field_manager="tests") as found:
        yield found


def test_a_pod_from_creation_to_deletion(client: Any) -> None:
    made = client.create(Pod.from_dict(clientworld.pod("one", "nginx")))
    assert made.metadata.uid
    client.wait(Pod, "one", for_conditions=["Ready"])
    kinds = []
    for kind, pod in client.watch(
        Pod, fields={"metadata.name": "one"}, resource_version=made.metadata.resourceVersion
    ):
        kinds.append(kind)
        if kind == "DELETED":
            break
        if pod.status.phase == "Running" and not pod.metadata.deletionTimestamp:
            client.delete(Pod, "one", grace_period=1)
    assert set(kinds) == {"MODIFIED", "DELETED"}


def test_each_kind_of_patch(client: Any) -> None:
    client.create(Deployment.from_dict(clientworld.deployment("d", 0)))
    side = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "busybox"}]}}}}
    found = client.patch(Deployment, "d", side)
    assert [each.name for each in found.spec.template.spec.containers] == ["side", "main"]
    found = client.patch(Deployment, "d", side, patch_type=PatchType.MERGE)
    assert [each.name for each in found.spec.template.spec.containers] == ["side"]
    found = client.patch(
        Deployment,
        "d",
        [{"op": "add", "path": "/spec/paused", "value": True}],
        patch_type=PatchType.JSON,
    )
    assert found.spec.paused
    found = client.patch(
        Deployment.Scale, "d", {"spec": {"replicas": 1}}, patch_type=PatchType.MERGE
    )
    assert found.spec.replicas == 1
    found = client.patch(
        Deployment.Status, "d", {"status": {"observedGeneration": 99}}, patch_type=PatchType.MERGE
    )
    assert found.status.observedGeneration == 99


def test_apply_set_and_conflicts(client: Any) -> None:
    found = client.apply(ConfigMap(metadata=ObjectMeta(name="c"), data={"a": "1"}))
    assert found.metadata.managedFields[0].manager == "tests"
    with pytest.raises(ApiError) as refused:
        client.apply(
            ConfigMap(metadata=ObjectMeta(name="c"), data={"a": "2"}), field_manager="other"
        )
    assert refused.value.status.reason == "Conflict"
    found = client.apply(
        ConfigMap(metadata=ObjectMeta(name="c"), data={"a": "2"}), field_manager="other", force=True
    )
    assert found.data == {"a": "2"}
    found.data["b"] = "3"
    assert client.replace(found).data == {"a": "2", "b": "3"}
    assert client.set(ConfigMap, "c", labels={"x": "y"}).metadata.labels == {"x": "y"}


def test_lists_in_chunks_and_by_selectors(client: Any) -> None:
    for number in range(5):
        labels = {"parity": "odd" if number % 2 else "even"}
        client.create(ConfigMap(metadata=ObjectMeta(name=f"c{number}", labels=labels)))
    names = [
        each.metadata.name
        for each in client.list(ConfigMap, labels={"parity": in_(["odd", "even"])}, chunk_size=2)
    ]
    assert names == ["c0", "c1", "c2", "c3", "c4"]
    chosen = client.list(
        ConfigMap, labels={"parity": "even"}, fields={"metadata.name": not_equal("c2")}
    )
    assert [each.metadata.name for each in chosen] == ["c0", "c4"]
    for name in ("c0", "c2", "c4"):
        client.delete(ConfigMap, name)
    left = client.list(ConfigMap, labels={"parity": in_(["odd", "even"])})
    assert [each.metadata.name for each in left] == ["c1", "c3"]


def test_deleting_a_deployment_with_its_pods(client: Any) -> None:
    client.create(Deployment.from_dict(clientworld.deployment("d", 1)))
    client.wait(Deployment, "d", for_conditions=["Available"])
    client.delete(Deployment, "d", cascade=CascadeType.FOREGROUND)
    until("all of it is gone", lambda: not [*client.list(Deployment), *client.list(Pod)])


def test_evicting_a_pod(client: Any) -> None:
    client.create(Pod.from_dict(clientworld.pod("leaves", "nginx")))
    client.wait(Pod, "leaves", for_conditions=["Ready"])
    budget = {
        "metadata": {"name": "b"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "leaves"}}},
    }
    client.create(PodDisruptionBudget.from_dict(budget))
    with pytest.raises(ApiError) as refused:
        client.create(Pod.Eviction(metadata=ObjectMeta(name="leaves")), "leaves")
    assert refused.value.status.code == 429
    client.delete(PodDisruptionBudget, "b")
    client.create(Pod.Eviction(metadata=ObjectMeta(name="leaves")), "leaves")
    until("it is gone", lambda: not list(client.list(Pod)))


def test_a_log_is_followed(client: Any, cluster: World, namespace: str) -> None:
    words = "for n in 1 2 3; do echo word $n; sleep 0.1; done"
    client.create(
        Pod.from_dict(clientworld.pod("says", "busybox", "sh", "-c", words, restart="Never"))
    )
    cluster.until_started(namespace, "says")
    assert "".join(client.log("says", follow=True)).split("\n")[:3] == [
        "word 1",
        "word 2",
        "word 3",
    ]


def test_commands_in_a_pod(client: Any, web: str) -> None:
    done = client.exec(
        "web", namespace=web, command=["sh", "-c", "cat; exit 5"], stdin="words", stdout=True
    )
    assert (done.stdout, done.exit_code) == ("words", 5)


def test_custom_objects(client: Any, cluster: World, namespace: str) -> None:
    group = f"{namespace}.test"
    cluster.define(group, "toys", "Toy")
    load_in_cluster_generic_resources(client)
    toys = create_namespaced_resource(group, "v1", "Toy", "toys")
    client.create(toys({"metadata": {"name": "ball"}, "spec": {"size": 1}}))
    client.patch(toys.Status, "ball", {"status": {"seen": True}}, patch_type=PatchType.MERGE)
    found = client.get(toys, "ball")
    assert (found.spec, found.status) == ({"size": 1}, {"seen": True})
    loaded = codecs.load_all_yaml(f"{{apiVersion: {group}/v1, kind: Toy, metadata: {{name: bat}}}}")
    client.create(loaded[0])
    assert [each.metadata.name for each in client.list(toys)] == ["ball", "bat"]


def test_waiting_without_blocking(cluster: World, namespace: str) -> None:
    async def body() -> None:
        client = AsyncClient(KubeConfig.from_file(cluster.kubeconfig), namespace=namespace)
        await client.create(Deployment.from_dict(clientworld.deployment("d", 1)))
        found = await client.wait(Deployment, "d", for_conditions=["Available"])
        assert found.status.availableReplicas == 1
        names = [each.metadata.name async for each in client.list(Pod)]
        assert len(names) == 1
        await client.close()

    asyncio.run(body())
