"""Reads by path for components, and the metrics that annotations give."""

import asyncio

import msgspec
import pytest
import registry_world
import rest_world

from cluster.aio import virtual
from cluster.api import errors, identity
from cluster.apiserver import direct
from cluster.apiserver.aggregation import forwarding
from cluster.apiserver.aggregation.services import Remote
from cluster.apiserver.authz import modes
from cluster.apiserver.outbound.protocol import Answer, Service, Unreachable
from cluster.apiserver.usage import custom

ADMIN = identity.User("admin", (identity.MASTERS,))
CUSTOM = "/apis/custom.metrics.k8s.io/v1beta2"
EXTERNAL = "/apis/external.metrics.k8s.io/v1beta1"


def run(story, **options):
    async def main():
        async with registry_world.world(**options) as world:
            await story(world)

    virtual.run(main())


async def read(world, path, user=ADMIN):
    return msgspec.json.decode(await world.registry.paths.read(path, user))


def annotated(name, space="default", **annotations):
    found = {key.replace("_", "/", 1): value for key, value in annotations.items()}
    return registry_world.pod(name, labels={"app": "web"}, annotations=found)


def test_a_path_gives_what_rest_gives():
    async def story(world):
        spec = {
            "replicas": 3,
            "selector": {"matchLabels": {"a": "b"}},
            "template": {
                "metadata": {"labels": {"a": "b"}},
                "spec": {"containers": [{"name": "c", "image": "i"}]},
            },
        }
        await world.create("deployments.apps", {"metadata": {"name": "web"}, "spec": spec})
        scale = await read(world, "/apis/apps/v1/namespaces/default/deployments/web/scale")
        assert scale["kind"] == "Scale"
        assert scale["spec"] == {"replicas": 3}
        assert scale["status"] == {"replicas": 0, "selector": "a=b"}
        await world.create("pods", registry_world.pod("one", labels={"x": "1"}))
        await world.create("pods", registry_world.pod("two", labels={"x": "2"}))
        found = await read(world, "/api/v1/namespaces/default/pods?labelSelector=x%3D2")
        assert found["kind"] == "PodList"
        assert [pod["metadata"]["name"] for pod in found["items"]] == ["two"]

    run(story)


@pytest.mark.parametrize(
    "path",
    [
        "/apis/apps/v1/namespaces/default/deployments/none/scale",
        "/apis/apps/v1/namespaces/default/nothings/web",
        "/api/v1/namespaces/default/pods/web/scale",
        "/api/v1/namespaces/default/pods/web/proxy/x",
        "/api/v1/watch/namespaces/default/pods",
        "/apis",
        "/apis/custom.metrics.k8s.io/v1beta2/namespaces/default/pods/*/queue",
        "/apis/custom.metrics.k8s.io/v1beta2/namespaces/default/nothings/*/queue",
        "/apis/custom.metrics.k8s.io/v1beta2/x",
        "/apis/custom.metrics.k8s.io/v2/namespaces/default/pods/*/queue",
        "/apis/external.metrics.k8s.io/v1beta1/namespaces/default/queue",
        "/apis/external.metrics.k8s.io/v1beta1/namespaces/none/queue",
    ],
)
def test_what_is_not_served_is_not_found(path):
    async def story(world):
        await world.create("pods", registry_world.pod("web"))
        with pytest.raises(errors.NotFound):
            await read(world, path)

    run(story)


@pytest.mark.parametrize("path", ["apis", "", "/" + "a" * 70_000])
def test_what_is_no_path_is_refused(path):
    async def story(world):
        with pytest.raises(errors.BadRequest):
            await read(world, path)

    run(story)


def test_annotations_are_metrics_of_their_objects():
    async def story(world):
        await world.create("pods", annotated("a", **{"kubemu.dev_metric.queue": "7"}))
        await world.create("pods", annotated("b", **{"kubemu.dev_metric.queue": "0s=0,1m=60"}))
        await world.create("pods", annotated("c"))
        await world.create("pods", annotated("d", **{"kubemu.dev_metric.queue": "many"}))
        await asyncio.sleep(30.0)
        path = f"{CUSTOM}/namespaces/default/pods/*/queue"
        found = await read(world, f"{path}?labelSelector=app%3Dweb")
        assert found["kind"] == "MetricValueList"
        assert found["apiVersion"] == "custom.metrics.k8s.io/v1beta2"
        values = {item["describedObject"]["name"]: item["value"] for item in found["items"]}
        assert values == {"a": "7", "b": "30"}
        assert found["items"][0]["metric"] == {"name": "queue"}
        with pytest.raises(errors.NotFound):
            await read(world, f"{path}?labelSelector=app%3Dother")
        with pytest.raises(errors.NotFound):
            await read(world, f"{path}?metricLabelSelector=verb%3DGET")
        older = await read(
            world, "/apis/custom.metrics.k8s.io/v1beta1/namespaces/default/pods/a/queue"
        )
        assert older["items"][0]["metricName"] == "queue"

    run(story)


def test_a_namespace_has_metrics_of_its_own_and_external_ones():
    async def story(world):
        await world.create(
            "namespaces",
            {
                "metadata": {
                    "name": "shop",
                    "annotations": {
                        "kubemu.dev/metric.visitors": "12",
                        "kubemu.dev/external-metric.messages": "1500m",
                    },
                }
            },
            namespace="",
        )
        own = await read(world, f"{CUSTOM}/namespaces/shop/metrics/visitors")
        described = {"kind": "Namespace", "name": "shop", "apiVersion": "v1"}
        assert own["items"][0]["describedObject"] == described
        assert own["items"][0]["value"] == "12"
        found = await read(world, f"{EXTERNAL}/namespaces/shop/messages")
        assert found["kind"] == "ExternalMetricValueList"
        assert found["items"][0]["metricName"] == "messages"
        assert found["items"][0]["value"] == "1500m"

    run(story)


def test_who_may_not_is_told_so_before_anything_else():
    async def story(world):
        world.registry.authz = modes.build([modes.RBAC], world.registry.cache, "")
        world.registry.authz.open(world.registry.cache)
        nobody = identity.User("nobody", ())
        for path in (
            "/api/v1/namespaces/default/pods",
            "/apis/apps/v1/namespaces/default/deployments/web/scale",
            f"{CUSTOM}/namespaces/default/pods/*/queue",
        ):
            with pytest.raises(errors.Forbidden):
                await read(world, path, nobody)

    run(story)


class Elsewhere:
    """Serves v1beta1 of the custom metrics."""

    def route(self, path):
        return "remote" if path.startswith("/apis/custom.metrics.k8s.io/v1beta1/") else None

    async def read(self, found, user, path):
        return msgspec.json.encode({"remote": found, "user": user.name, "path": path})

    def claims(self, group):
        return group == custom.CUSTOM


def test_another_server_takes_the_whole_group_over():
    async def story(world):
        await world.create("pods", annotated("a", **{"kubemu.dev_metric.queue": "7"}))
        world.registry.paths.aggregated = Elsewhere()
        transport = direct.DirectTransport(world.registry, ADMIN)
        path = "/apis/custom.metrics.k8s.io/v1beta1/namespaces/default/pods/*/queue?a=b"
        found = msgspec.json.decode(await transport.read(path))
        assert found == {"remote": "remote", "user": "admin", "path": path}
        with pytest.raises(errors.NotFound):
            await read(world, f"{CUSTOM}/namespaces/default/pods/*/queue")

    run(story)


def test_rest_serves_the_metrics_of_annotations():
    async def main():
        async with rest_world.serving() as api:
            pod = annotated("a", **{"kubemu.dev_metric.queue": "7"})
            await api.create(rest_world.PODS, pod)
            found = await api.get(f"{CUSTOM}/namespaces/default/pods/a/queue")
            assert found.json["items"][0]["value"] == "7"
            none = await api.get(f"{CUSTOM}/namespaces/default/pods/a/other")
            assert none.status == 404
            wrong = await api.create(f"{CUSTOM}/namespaces/default/pods/a/queue", {})
            assert wrong.status == 405

    asyncio.run(main())


class Answers:
    """A caller that gets one answer of every server, or none."""

    def __init__(self, status, body):
        self.status = status
        self.body = body
        self.asked = []

    async def call(self, request, seconds):
        self.asked.append(request)
        if self.status == 0:
            raise Unreachable("nobody there")
        return Answer(self.status, {}, self.body)


REMOTE = Remote("v1.x", "x", "v1", Service("a", "b"), available=True)


def test_another_server_is_told_who_asks():
    async def main():
        caller = Answers(200, b'{"items":[]}')
        user = identity.User("jane", ("dev", "ops"), uid="7")
        assert await forwarding.fetched(caller, REMOTE, user, "/apis/x/v1/a?b=c") == b'{"items":[]}'
        (request,) = caller.asked
        assert (request.method, request.path) == ("GET", "/apis/x/v1/a?b=c")
        assert request.headers["X-Remote-User"] == "jane"
        assert request.headers.getall("X-Remote-Group") == ["dev", "ops"]
        assert request.headers["X-Remote-Uid"] == "7"

    asyncio.run(main())


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (404, b'{"kind":"Status","reason":"NotFound","message":"no such"}', "NotFound", "no such"),
        (404, b"nothing\n", "NotFound", "nothing"),
        (403, b'{"message":["a"],"details":3}', "Forbidden", '{"message":["a"],"details":3}'),
        (500, b'{"reason":{},"message":"broken"}', "InternalError", "broken"),
        (500, b"[" * 200_000, "InternalError", "[" * 512),
        (502, b"", "InternalError", "unknown"),
        (0, b"", "ServiceUnavailable", "error trying to reach service: nobody there"),
    ],
)
def test_what_another_server_says_that_went_wrong_is_the_error(status, body, kind, message):
    async def main():
        with pytest.raises(errors.StatusError) as caught:
            await forwarding.fetched(Answers(status, body), REMOTE, ADMIN, "/apis/x/v1/a")
        assert (type(caught.value).__name__, caught.value.message) == (kind, message)

    asyncio.run(main())
