"""The Python client `kr8s`, in both of its forms."""

import asyncio
import urllib.request
from typing import Any

import clientworld
import pytest
from clientworld import World
from realcluster import until

kr8s = pytest.importorskip("kr8s", reason="pip install kr8s")

from kr8s import asyncio as kr8s_asyncio  # noqa: E402
from kr8s.asyncio.objects import Deployment as AsyncDeployment  # noqa: E402
from kr8s.objects import ConfigMap, Deployment, Node, Pod, Service, new_class  # noqa: E402


@pytest.fixture
def api(cluster: World, namespace: str) -> Any:
    return kr8s.api(kubeconfig=cluster.kubeconfig, namespace=namespace)


@pytest.fixture
def served(cluster: World, web: str) -> Any:
    """The pod `web`."""
    return Pod.get("web", namespace=web, api=kr8s.api(kubeconfig=cluster.kubeconfig, namespace=web))


def pod(api: Any, namespace: str, *what: Any, **more: Any) -> Any:
    found = clientworld.pod(*what, **more)
    found["metadata"]["namespace"] = namespace
    return Pod(found, api=api)


def test_a_pod_from_creation_to_deletion(api: Any, namespace: str) -> None:
    one = pod(api, namespace, "one", "nginx")
    one.create()
    one.wait(["condition=Ready"], timeout=30)
    assert one.ready()
    one.label(tier="front")
    one.annotate({"why": "because"})
    one.refresh()
    assert (one.labels["tier"], one.annotations["why"]) == ("front", "because")
    one.remove_label("tier")
    one.refresh()
    assert "tier" not in one.labels
    one.delete(grace_period=1)
    one.wait("delete", timeout=30)
    assert not one.exists()


def test_commands_in_a_pod(served: Any) -> None:
    assert served.exec(["echo", "hello"]).stdout == b"hello\n"
    done = served.exec(["sh", "-c", "echo out; echo err >&2; exit 6"], check=False)
    assert (done.returncode, done.stdout, done.stderr) == (6, b"out\n", b"err\n")


def test_a_log_is_followed(api: Any, namespace: str, cluster: World) -> None:
    words = "for n in 1 2 3; do echo word $n; sleep 0.1; done"
    says = pod(api, namespace, "says", "busybox", "sh", "-c", words, restart="Never")
    says.create()
    cluster.until_started(namespace, "says")
    assert list(says.logs(follow=True)) == ["word 1", "word 2", "word 3"]
    assert list(says.logs(tail_lines=1)) == ["word 3"]


def test_forwarded_ports_of_a_pod_and_of_a_service(served: Any, web: str) -> None:
    with served.portforward(80, local_port="auto") as port:
        for number in range(3):
            assert page(port, f"/forwarded-{number}") == f"web\nGET /forwarded-{number}\n"
    service = Service.get("web", namespace=web, api=served.api)
    assert service.ready()
    with service.portforward(80, local_port="auto") as port:
        assert page(port, "/by-service") == "web\nGET /by-service\n"
    assert service.proxy_http_get("/by-proxy", port=80).text == "web\nGET /by-proxy\n"


def page(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
        text: str = answer.read().decode()
        return text


def test_a_deployment_is_scaled_patched_and_deleted(api: Any, namespace: str) -> None:
    found = Deployment(
        clientworld.deployment("d") | {"metadata": {"name": "d", "namespace": namespace}}, api=api
    )
    found.create()
    until("it is ready", found.ready)
    assert len(found.pods()) == 1
    found.scale(3)
    assert found.replicas == 3
    until("three pods are there", lambda: len(found.pods()) == 3)
    found.patch([{"op": "replace", "path": "/spec/replicas", "value": 0}], type="json")
    until("no pods are there", lambda: not found.pods())
    found.delete(propagation_policy="Foreground")
    until("it is gone", lambda: not found.exists())


def test_lists_and_watches_by_selectors(api: Any, namespace: str) -> None:
    for number in range(4):
        labels = {"parity": "odd" if number % 2 else "even"}
        ConfigMap(
            {"metadata": {"name": f"c{number}", "namespace": namespace, "labels": labels}}, api=api
        ).create()
    names = [each.name for each in api.get("configmaps", label_selector={"parity": "odd"})]
    assert names == ["c1", "c3"]
    assert [each.name for each in api.get("configmaps", field_selector="metadata.name=c2")] == [
        "c2"
    ]
    seen = []
    for kind, found in api.watch("configmaps", label_selector="parity=even"):
        seen.append((kind, found.name))
        if kind == "DELETED":
            break
        if len(seen) == 2:
            ConfigMap.get("c0", namespace=namespace, api=api).delete()
    assert seen == [("ADDED", "c0"), ("ADDED", "c2"), ("DELETED", "c0")]


def test_owners_adopt(api: Any, namespace: str) -> None:
    owner = ConfigMap({"metadata": {"name": "owner", "namespace": namespace}}, api=api)
    owner.create()
    child = ConfigMap({"metadata": {"name": "child", "namespace": namespace}}, api=api)
    child.create()
    owner.adopt(child)
    owner.delete()
    until("the child is gone as well", lambda: not child.exists())


def test_custom_objects(api: Any, namespace: str, cluster: World) -> None:
    group = f"{namespace}.test"
    cluster.define(group, "toys", "Toy")
    toys = new_class("Toy", f"{group}/v1", namespaced=True)
    ball = toys(
        {"metadata": {"name": "ball", "namespace": namespace}, "spec": {"size": 1}}, api=api
    )
    ball.create()
    ball.patch({"spec": {"size": 2}})
    ball.patch({"status": {"seen": True}}, subresource="status")
    ball.refresh()
    assert (ball.spec.size, ball.status.seen) == (2, True)
    assert [each.name for each in api.get(f"toys.{group}", namespace=namespace)] == ["ball"]


def test_cordoning_a_node(api: Any) -> None:
    node = Node.get("node-2", api=api)
    node.cordon()
    assert Node.get("node-2", api=api).unschedulable
    node.uncordon()
    assert not Node.get("node-2", api=api).unschedulable


def test_versions_resources_and_who_asks(api: Any) -> None:
    assert api.version()["major"] == "1"
    assert {"pods", "deployments"} <= {each["name"] for each in api.api_resources()}
    assert api.whoami() == "kubernetes-admin"


def test_waiting_for_several_things_at_once(cluster: World, namespace: str) -> None:
    async def body() -> None:
        api = await kr8s_asyncio.api(kubeconfig=cluster.kubeconfig, namespace=namespace)
        found = [
            await AsyncDeployment(
                clientworld.deployment(name) | {"metadata": {"name": name, "namespace": namespace}},
                api=api,
            )
            for name in ("a", "b")
        ]
        for each in found:
            await each.create()
        await asyncio.gather(*(each.wait("condition=Available", timeout=30) for each in found))
        assert [each.name async for each in api.get("deployments")] == ["a", "b"]

    asyncio.run(body())
