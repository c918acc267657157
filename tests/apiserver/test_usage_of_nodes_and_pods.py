"""metrics.k8s.io: what kubelets report becomes NodeMetrics and PodMetrics."""

import asyncio
import contextlib
import json

import pytest
import rest_world

from cluster.aio import tasks, virtual
from cluster.api import resources
from cluster.apiserver.kubelets.protocol import Unreachable
from cluster.apiserver.usage import collector as collecting
from cluster.apiserver.usage import metrics, summary
from cluster.apiserver.usage.collector import Collector
from cluster.pb.cluster.v1 import kubelet_pb2 as pb

AT = "2027-01-15T08:00:00Z"
METRICS = "/apis/metrics.k8s.io/v1beta1"


def used(cpu, memory):
    return {"cpu": {"time": AT, "usageNanoCores": cpu}, "memory": {"workingSetBytes": memory}}


def told(pods=(), cpu=1_500_000_000, memory=1 << 30):
    return {
        "node": {"nodeName": "n", **used(cpu, memory)},
        "pods": [
            {"podRef": {"name": name, "namespace": space, "uid": name}, "containers": containers}
            for space, name, containers in pods
        ],
    }


class Kubelets:
    """Answers each node's page with what `said` has: a summary, bytes, seconds or an error."""

    def __init__(self, **said):
        self.said = said
        self.asked = []

    @contextlib.asynccontextmanager
    async def kubelet(self, node):
        yield self

    async def page(self, request):
        self.asked.append(request.node)
        assert request.path == "/stats/summary"
        said = self.said[request.node]
        if isinstance(said, Exception):
            raise said
        if isinstance(said, float):
            await asyncio.sleep(said)
            said = told()
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        return pb.PageResponse(status=200, body=body)


class Cache:
    """As much of a watch cache as a collector reads."""

    def __init__(self, *nodes):
        self.nodes = nodes

    def of(self, resource):
        assert resource == "nodes"
        return self

    def select(self, selection):
        return iter(self.nodes)


class Node:
    def __init__(self, name):
        self.name = name

    def document(self):
        return {"metadata": {"name": self.name}}


def collect(story, kubelets, *names):
    async def main():
        found = Collector(Cache(*map(Node, names)), kubelets)
        async with tasks.Group("test") as group:
            running = group.spawn(found.run(), "collector")
            await story(found)
            running.cancel()

    virtual.run(main())


def test_nobody_is_asked_before_somebody_asks_and_not_again_within_the_resolution():
    kubelets = Kubelets(a=told(), b=told(cpu=7))

    async def story(collector):
        await asyncio.sleep(600)
        assert kubelets.asked == []
        one, other = await asyncio.gather(collector.usage(), collector.usage())
        assert one == other
        assert {name: usage.usage.cpu for name, usage in one.items()} == {
            "a": 1_500_000_000,
            "b": 7,
        }
        await asyncio.sleep(collecting.RESOLUTION - 1)
        await collector.usage()
        assert kubelets.asked == ["a", "b"]
        await asyncio.sleep(2)
        await collector.usage()
        assert kubelets.asked == ["a", "b", "a", "b"]

    collect(story, kubelets, "a", "b")


@pytest.mark.parametrize(
    "fault", [Unreachable("gone"), b"not json", {"node": {}}, 60.0, RuntimeError("a bug")]
)
def test_a_node_that_does_not_answer_is_left_out_and_waited_for_once(fault):
    kubelets = Kubelets(a=told(), b=fault)

    async def story(collector):
        loop = asyncio.get_running_loop()
        assert list(await collector.usage()) == ["a"]
        assert loop.time() <= collecting.NODE_SECONDS + 0.1
        await asyncio.sleep(20)
        began = loop.time()
        assert list(await collector.usage()) == ["a"]
        assert loop.time() == began
        await asyncio.sleep(20)
        assert kubelets.asked.count("b") == 2
        kubelets.said["b"] = told()
        await collector.usage()
        await asyncio.sleep(20)
        assert list(await collector.usage()) == ["a", "b"]

    collect(story, kubelets, "a", "b")


def test_an_answer_that_has_become_old_is_shown_no_more():
    kubelets = Kubelets(a=told())

    async def story(collector):
        assert await collector.usage()
        kubelets.said["a"] = Unreachable("gone")
        await asyncio.sleep(collecting.RESOLUTION)
        assert await collector.usage()
        await asyncio.sleep(collecting.KEPT)
        assert not await collector.usage()

    collect(story, kubelets, "a")


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{}", b'{"x":' + b"[" * 5000,
        json.dumps(told(cpu=-1)).encode(), json.dumps(told(cpu=2**63)).encode(),
        json.dumps({"node": {**used(1, 1), "cpu": {"time": "soon", "usageNanoCores": 1}}}).encode(),
    ],
)  # fmt: skip
def test_a_summary_that_is_none_is_unreadable(body):
    with pytest.raises(summary.Unreadable):
        summary.read(body)


def test_a_pod_of_which_a_container_is_unknown_does_not_count():
    known = {"name": "a", **used(1, 2)}
    pods = [("d", "half", [known, {"name": "b"}]), ("d", "none", []), ("d", "whole", [known])]
    assert list(summary.read(json.dumps(told(pods)).encode()).pods) == [("d", "whole")]


def pod(name, phase="Running", **labels):
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "i"}]},
    }, {"status": {"phase": phase}}


@contextlib.asynccontextmanager
async def serving():
    containers = [{"name": "c", **used(12_345_678, 64 << 20)}, {"name": "b", **used(2 * 10**9, 1)}]
    names = ("web", "done", "other")
    kubelets = Kubelets(n1=told([("default", name, containers) for name in names]))
    async with rest_world.serving() as api, tasks.Group("usage") as group:
        collector = Collector(api.registry.cache, kubelets)
        api.registry.computed |= metrics.sources(api.registry.cache, collector, api.clock)
        running = group.spawn(collector.run(), "collector")
        node = {"metadata": {"name": "n1", "labels": {"zone": "a"}}}
        await api.create("/api/v1/nodes", node)
        for name, phase in (("web", "Running"), ("done", "Succeeded"), ("late", "Running")):
            obj, status = pod(name, phase, app=name)
            assert (await api.create(rest_world.PODS, obj)).status == 201
            path = f"{rest_world.PODS}/{name}/status"
            patch = "application/merge-patch+json"
            assert (await api.call("PATCH", path, status, Content_Type=patch)).status == 200
        yield api
        running.cancel()


def over_rest(story):
    async def main():
        async with serving() as api:
            await story(api)

    asyncio.run(main())


def test_metrics_over_rest():
    async def story(api):
        node = (await api.get(f"{METRICS}/nodes/n1")).json
        assert node == {
            "kind": "NodeMetrics", "apiVersion": "metrics.k8s.io/v1beta1",
            "metadata": {"name": "n1", "labels": node["metadata"]["labels"],
                         "creationTimestamp": "2027-01-15T08:00:00Z"},
            "timestamp": AT, "window": "15s", "usage": {"cpu": "1500m", "memory": "1Gi"},
        }  # fmt: skip
        pods = (await api.get(f"{METRICS}/pods")).json
        assert (pods["kind"], pods["metadata"]) == ("PodMetricsList", {})
        (web,) = pods["items"]  # not what is done, and not what no kubelet knows
        assert web["containers"] == [
            {"name": "b", "usage": {"cpu": "2", "memory": "1"}},
            {"name": "c", "usage": {"cpu": "12345678n", "memory": "64Mi"}},
        ]
        for query, count in (
            ("labelSelector=app%3Dweb", 1), ("labelSelector=app%3Dx", 0),
            ("fieldSelector=metadata.name%3Dweb", 1), ("fieldSelector=metadata.name%3Dx", 0),
        ):  # fmt: skip
            path = f"{METRICS}/namespaces/default/pods?{query}"
            assert len((await api.get(path)).json["items"]) == count
        assert (await api.get(f"{METRICS}/namespaces/kube-system/pods")).json["items"] == []
        assert len((await api.get(f"{METRICS}/nodes?labelSelector=zone%3Da")).json["items"]) == 1

    over_rest(story)


def test_what_is_not_known_is_not_found_in_the_words_of_metrics_server():
    async def story(api):
        for path, message in (
            ("nodes/n2", 'nodes "n2" not found'),
            ("namespaces/default/pods/none", 'pods "none" not found'),
            ("namespaces/default/pods/late",
             'podmetrics.metrics.k8s.io "default/late" not found'),
        ):  # fmt: skip
            answer = await api.get(f"{METRICS}/{path}")
            assert (answer.status, answer.json["message"]) == (404, message)
        for method, path in (
            ("POST", "nodes"), ("DELETE", "nodes/n1"), ("PATCH", "nodes/n1"), ("PUT", "nodes/n1"),
            ("GET", "nodes?watch=true"), ("DELETE", "nodes"),
        ):  # fmt: skip
            assert (await api.call(method, f"{METRICS}/{path}", {})).status == 405
        assert (await api.get(f"{METRICS}/nodes?fieldSelector=spec.x%3Dy")).status == 400

    over_rest(story)


def test_tables_discovery_and_documents_tell_of_metrics():
    async def story(api):
        table = "application/json;as=Table;v=v1;g=meta.k8s.io"
        shown = (await api.get(f"{METRICS}/pods", Accept=table)).json
        assert [each["name"] for each in shown["columnDefinitions"]] == [
            "Name", "cpu", "memory", "Window",
        ]  # fmt: skip
        assert shown["rows"][0]["cells"] == ["web", "2012345678n", "67108865", "15s"]
        listed = (await api.get(METRICS)).json["resources"]
        assert [(each["name"], each["kind"], each["verbs"]) for each in listed] == [
            ("nodes", "NodeMetrics", ["get", "list"]), ("pods", "PodMetrics", ["get", "list"]),
        ]  # fmt: skip
        document = (await api.get("/openapi/v3/apis/metrics.k8s.io/v1beta1")).json
        schemas = document["components"]["schemas"]
        assert (
            "usage" in schemas["io.k8s.metrics.pkg.apis.metrics.v1beta1.NodeMetrics"]["properties"]
        )
        assert list(document["paths"])  # each with a get alone
        assert all(set(path) <= {"get", "parameters"} for path in document["paths"].values())

    over_rest(story)


def test_every_version_serves_metrics():
    for version in ("1.25", "1.33"):
        assert resources.built_in(version).at("metrics.k8s.io", "v1beta1", "pods") is not None
