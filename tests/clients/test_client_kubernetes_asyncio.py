"""The Python client `kubernetes_asyncio`."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import clientworld
import pytest
from clientworld import World

kubernetes = pytest.importorskip("kubernetes_asyncio", reason="pip install kubernetes_asyncio")

from kubernetes_asyncio import dynamic, utils, watch  # noqa: E402
from kubernetes_asyncio.client import ApiException  # noqa: E402
from kubernetes_asyncio.leaderelection import electionconfig, leaderelection  # noqa: E402
from kubernetes_asyncio.leaderelection.resourcelock.leaselock import LeaseLock  # noqa: E402
from kubernetes_asyncio.stream import WsApiClient  # noqa: E402
from kubernetes_asyncio.stream.ws_client import STDOUT_CHANNEL  # noqa: E402

APPLY = "application/apply-patch+yaml"


@contextlib.asynccontextmanager
async def client(cluster: World, kind: Any = kubernetes.client.ApiClient) -> AsyncIterator[Any]:
    config = kubernetes.client.Configuration()
    await kubernetes.config.load_kube_config(cluster.kubeconfig, client_configuration=config)
    async with asyncio.timeout(60), kind(config) as api:
        yield api


def test_watching_what_a_deployment_does(cluster: World, namespace: str) -> None:
    async def body() -> None:
        async with client(cluster) as api:
            apps = kubernetes.client.AppsV1Api(api)
            await apps.create_namespaced_deployment(namespace, clientworld.deployment("d", 2))
            async with watch.Watch() as watching:
                seen = watching.stream(apps.list_namespaced_deployment, namespace)
                async for event in seen:
                    if event["object"].status.available_replicas == 2:
                        break
            patch = {
                "spec": {"template": {"spec": {"containers": [{"name": "main", "image": "httpd"}]}}}
            }
            found = await apps.patch_namespaced_deployment("d", namespace, patch)
            assert [each.image for each in found.spec.template.spec.containers] == ["httpd"]
            merged = [{"op": "replace", "path": "/spec/replicas", "value": 0}]
            found = await apps.patch_namespaced_deployment("d", namespace, merged)
            assert found.spec.replicas == 0

    asyncio.run(body())


def test_apply_and_its_conflicts(cluster: World, namespace: str) -> None:
    async def body() -> None:
        async with client(cluster) as api:
            core = kubernetes.client.CoreV1Api(api)

            async def apply(manager: str, value: str, **more: Any) -> Any:
                body = {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {"name": "c"},
                    "data": {"a": value},
                }
                return await core.patch_namespaced_config_map(
                    "c", namespace, body, field_manager=manager, _content_type=APPLY, **more
                )

            await apply("one", "1")
            with pytest.raises(ApiException) as refused:
                await apply("two", "2")
            assert refused.value.status == 409
            assert json.loads(refused.value.body)["details"]["causes"][0]["field"] == ".data.a"
            assert (await apply("two", "2", force=True)).data == {"a": "2"}

    asyncio.run(body())


def test_commands_in_a_pod(cluster: World, web: str) -> None:
    async def body() -> None:
        async with client(cluster, WsApiClient) as api:
            core = kubernetes.client.CoreV1Api(api)
            said = await core.connect_get_namespaced_pod_exec(
                "web", web, command=["echo", "hello"], stdout=True, stderr=True
            )
            assert said == "hello\n"
            opening = await core.connect_get_namespaced_pod_exec(
                "web", web, command=["sh", "-c", "read w; echo got $w; exit 4"],
                stdin=True, stdout=True, stderr=True, _preload_content=False,
            )  # fmt: skip
            async with opening as session:
                await session.send_bytes(b"\x00words\n")
                out, status = b"", b""
                async for message in session:
                    if message.data[0] == STDOUT_CHANNEL:
                        out += message.data[1:]
                    else:
                        status += message.data[1:]
            assert out == b"got words\n"
            assert api.parse_error_data(status.decode()) == 4

    asyncio.run(body())


def test_a_log_is_followed(cluster: World, namespace: str) -> None:
    async def body() -> None:
        async with client(cluster) as api:
            core = kubernetes.client.CoreV1Api(api)
            words = "for n in 1 2 3; do echo word $n; sleep 0.1; done"
            await core.create_namespaced_pod(
                namespace, clientworld.pod("says", "busybox", "sh", "-c", words, restart="Never")
            )
            await asyncio.to_thread(cluster.until_started, namespace, "says")
            answer = await core.read_namespaced_pod_log(
                "says", namespace, follow=True, _preload_content=False
            )
            lines = [line.decode().strip() async for line in answer.content]
            assert lines == ["word 1", "word 2", "word 3"]

    asyncio.run(body())


def test_custom_objects(cluster: World, namespace: str) -> None:
    async def body() -> None:
        group = f"{namespace}.test"
        cluster.define(group, "toys", "Toy")
        async with client(cluster) as api:
            found = await dynamic.DynamicClient(api)
            toys = await found.resources.get(api_version=f"{group}/v1", kind="Toy")
            toy = {"apiVersion": f"{group}/v1", "kind": "Toy", "metadata": {"name": "ball"}}
            await toys.create(toy | {"spec": {"size": 1}}, namespace=namespace)
            await toys.status.patch(
                {"status": {"seen": 1}},
                "ball",
                namespace,
                content_type="application/merge-patch+json",
            )
            objects = kubernetes.client.CustomObjectsApi(api)
            got = await objects.get_namespaced_custom_object(group, "v1", namespace, "toys", "ball")
            assert (got["spec"], got["status"]) == ({"size": 1}, {"seen": 1})
            await toys.delete("ball", namespace)
            assert (await toys.get(namespace=namespace)).items == []

    asyncio.run(body())


def test_lists_in_pages(cluster: World, namespace: str) -> None:
    async def body() -> None:
        async with client(cluster) as api:
            core = kubernetes.client.CoreV1Api(api)
            for number in range(3):
                await core.create_namespaced_secret(namespace, {"metadata": {"name": f"s{number}"}})
            first = await core.list_namespaced_secret(namespace, limit=2)
            assert first.metadata.remaining_item_count == 1
            rest = await core.list_namespaced_secret(
                namespace, limit=2, _continue=first.metadata._continue
            )
            names = [each.metadata.name for each in first.items + rest.items]
            assert names == ["s0", "s1", "s2"]

    asyncio.run(body())


def test_one_candidate_leads_and_then_the_other(cluster: World, namespace: str) -> None:
    async def body() -> None:
        async with client(cluster) as api:
            turns: asyncio.Queue[str] = asyncio.Queue()

            def candidate(name: str) -> Any:
                async def leads() -> None:
                    await turns.put(name)

                async def stops() -> None:
                    pass

                config = electionconfig.Config(
                    LeaseLock("lead", namespace, name, api), lease_duration=3, renew_deadline=2,
                    retry_period=1, onstarted_leading=leads, onstopped_leading=stops,
                )  # fmt: skip
                return asyncio.get_running_loop().create_task(
                    leaderelection.LeaderElection(config).run()
                )

            first = candidate("first")
            assert await turns.get() == "first"
            second = candidate("second")
            first.cancel()
            assert await turns.get() == "second"
            second.cancel()

    asyncio.run(body())


def test_objects_made_from_documents(cluster: World, namespace: str) -> None:
    async def body() -> None:
        async with client(cluster) as api:
            for document in (clientworld.service("web"), clientworld.deployment("web")):
                await utils.create_from_dict(api, document, namespace=namespace)
            services = await kubernetes.client.CoreV1Api(api).list_namespaced_service(namespace)
            assert services.items[0].spec.cluster_ip.count(".") == 3

    asyncio.run(body())
