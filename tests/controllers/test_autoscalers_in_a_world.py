"""HorizontalPodAutoscalers in a small cluster: a load comes and goes, and sizes follow it."""

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import controllerworld as cw
import pytest

from cluster.aio import tasks, virtual
from cluster.api import errors, objects, quantity, timestamps
from cluster.api.objects import Object
from cluster.api.resources import metrics
from cluster.apiserver.extensions.controller import Extensions
from cluster.controllers.config import Config

HPAS = "horizontalpodautoscalers.autoscaling"


class Metrics:
    """A metrics-server that shares `load` (millicores) among the pods that run and are ready."""

    def __init__(self, world: cw.World) -> None:
        self.world = world
        self.load = 0
        self.broken = False
        self.asked = 0
        world.registry.computed[metrics.PODS] = self

    async def get(self, namespace: str, name: str) -> Object:
        raise errors.not_found(metrics.PODS, name)

    async def list(self, namespace: str) -> Sequence[Object]:
        self.asked += 1
        if self.broken:
            raise errors.ServiceUnavailable("no metrics to-day")
        pods = [
            pod
            for pod in await self.world.all("pods", namespace)
            if objects.status(pod).get("phase") == "Running"
        ]
        now = timestamps.encode(self.world.clock.now())
        return [
            {
                "metadata": {"name": objects.name(pod), "namespace": namespace},
                "timestamp": now,
                "window": "15s",
                "containers": [
                    {
                        "name": "c",
                        "usage": {
                            "cpu": quantity.format_milli(self.load // len(pods)),
                            "memory": "1Mi",
                        },
                    }
                ],
            }
            for pod in pods
        ]


def run(
    story: Callable[[cw.World, Metrics], Awaitable[None]],
    config: Config | None = None,
    crash_every: int | None = None,
) -> None:
    async def main() -> None:
        async with cw.running(config, crash_every=crash_every) as world:
            measured = Metrics(world)
            await story(world, measured)
            measured.broken = False

    virtual.run(main())


def workload(replicas: int = 2, name: str = "web", **annotations: str) -> Object:
    found: Object = cw.deployment(name, replicas)
    template = found["spec"]["template"]
    template["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "100m"}}
    if annotations:
        template["metadata"]["annotations"] = annotations
    return found


def hpa(name: str = "web", target: str = "web", **spec: Any) -> Object:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target},
            "minReplicas": 1,
            "maxReplicas": 10,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {
                        "name": "cpu",
                        "target": {"type": "Utilization", "averageUtilization": 50},
                    },
                }
            ],
            **spec,
        },
    }


async def size(world: cw.World, name: str = "web") -> int:
    return int((await world.get("deployments.apps", name))["spec"]["replicas"])


async def condition(world: cw.World, kind: str, name: str = "web") -> tuple[str, str, str]:
    found = (await world.get(HPAS, name)).get("status", {}).get("conditions", ())
    for one in found:
        if one["type"] == kind:
            return one["status"], one["reason"], one["message"]
    return "", "", ""


async def until_size(world: cw.World, wanted: int, within: float = 120.0) -> None:
    async def reached() -> bool:
        return await size(world) == wanted

    await world.until(reached, within=within, every=1.0)


async def until_reason(world: cw.World, kind: str, reason: str, within: float = 120.0) -> str:
    async def said() -> str:
        _, why, message = await condition(world, kind)
        return message if why == reason else ""

    return str(await world.until(said, within=within, every=1.0))


def test_the_size_follows_the_load_up_at_once_and_down_after_five_minutes() -> None:
    async def story(world: cw.World, measured: Metrics) -> None:
        await world.create("deployments.apps", workload(2))
        measured.load = 100
        await world.create(HPAS, hpa())
        await until_reason(world, "AbleToScale", "ReadyForNewScale")
        assert await size(world) == 2
        assert await condition(world, "ScalingActive") == (
            "True",
            "ValidMetricFound",
            "the HPA was able to successfully calculate a replica count from cpu resource "
            "utilization (percentage of request)",
        )
        assert (await condition(world, "ScalingLimited"))[:2] == ("False", "DesiredWithinRange")
        found = await world.get(HPAS, "web")
        assert found["status"]["currentMetrics"] == [
            {
                "type": "Resource",
                "resource": {
                    "name": "cpu",
                    "current": {"averageUtilization": 50, "averageValue": "50m"},
                },
            }
        ]
        measured.load = 400
        await until_size(world, 4)  # it doubles, or goes to 4
        await until_size(world, 8)
        high = "cpu resource utilization (percentage of request) above target"
        assert await world.events("SuccessfulRescale") == [
            f"New size: 4; reason: {high}",
            # The new pods are not ready, so the metric calls for 4 still; the earlier
            # recommendation of 8 has no reason of its own. Kubernetes says it so, too.
            "New size: 8; reason: ",
        ]
        measured.load = 100
        fell = world.clock.now()
        await until_reason(world, "AbleToScale", "ScaleDownStabilized")
        await until_size(world, 2, within=600.0)
        assert 285.0 <= world.clock.now() - fell <= 340.0
        assert "New size: 2; reason: All metrics below target" in await world.events(
            "SuccessfulRescale"
        )
        status = (await world.get(HPAS, "web"))["status"]
        assert status["desiredReplicas"] == 2
        assert fell < timestamps.decode(status["lastScaleTime"])

    run(story)


def test_policies_bound_how_fast_the_size_changes() -> None:
    behavior = {
        "scaleUp": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}]},
        "scaleDown": {
            "stabilizationWindowSeconds": 30,
            "policies": [{"type": "Percent", "value": 50, "periodSeconds": 60}],
        },
    }

    async def story(world: cw.World, measured: Metrics) -> None:
        await world.create("deployments.apps", workload(1))
        measured.load = 500
        await world.create(HPAS, hpa(behavior=behavior))
        sizes: list[tuple[int, float]] = []
        last, begun = 1, world.clock.now()
        while last < 4:
            now = await size(world)
            if now != last:
                sizes.append((now, world.clock.now()))
                last = now
            assert world.clock.now() - begun < 600
            await asyncio.sleep(1.0)
        assert [count for count, _ in sizes] == [2, 3, 4]
        assert all(b - a >= 59 for (_, a), (_, b) in itertools.pairwise(sizes))
        assert (await condition(world, "ScalingLimited"))[1] == "ScaleUpLimit"
        await asyncio.sleep(75)  # growth counts for policies downwards, too
        measured.load = 10
        await until_size(world, 2, within=150.0)
        for _ in range(20):
            await asyncio.sleep(10)
            await until_size(world, 1, within=150.0)

    run(story)


def test_without_metrics_nothing_changes_and_everything_is_told() -> None:
    async def story(world: cw.World, measured: Metrics) -> None:
        await world.create("deployments.apps", workload(3))
        measured.broken = True
        await world.create(HPAS, hpa())
        told = await until_reason(world, "ScalingActive", "FailedGetResourceMetric")
        why = (
            "failed to get cpu utilization: unable to get metrics for resource cpu: unable to "
            "fetch metrics from resource metrics API: the server is currently unable to handle "
            "the request (get pods.metrics.k8s.io)"
        )
        assert told == f"the HPA was unable to compute the replica count: {why}"
        assert (await condition(world, "ScalingActive"))[0] == "False"
        assert await world.events("FailedGetResourceMetric") == [why]
        assert await world.events("FailedComputeMetricsReplicas") == [
            "invalid metrics (1 invalid out of 1), first error is: failed to get cpu resource "
            f"metric value: {why}"
        ]
        assert await size(world) == 3
        assert (await world.get(HPAS, "web"))["status"]["currentReplicas"] == 3
        measured.broken = False
        measured.load = 600
        await until_size(world, 6)

    run(story)


def test_a_target_out_of_bounds_is_brought_back_without_metrics() -> None:
    async def story(world: cw.World, measured: Metrics) -> None:
        measured.broken = True
        await world.create("deployments.apps", workload(5))
        await world.create(HPAS, hpa(maxReplicas=3))
        await until_size(world, 3)
        await world.client.patch(
            HPAS, "web", {"spec": {"minReplicas": 4, "maxReplicas": 6}}, "default"
        )
        await until_size(world, 4)

        async def both() -> bool:
            return await world.events("SuccessfulRescale") == [
                "New size: 3; reason: Current number of replicas above Spec.MaxReplicas",
                "New size: 4; reason: Current number of replicas below Spec.MinReplicas",
            ]

        await world.until(both)

    run(story)


def test_a_target_of_no_replicas_is_left_alone() -> None:
    async def story(world: cw.World, measured: Metrics) -> None:
        await world.create("deployments.apps", workload(0))
        await world.create(HPAS, hpa())
        message = await until_reason(world, "ScalingActive", "ScalingDisabled")
        assert message == ("scaling is disabled since the replica count of the target is zero")
        assert await size(world) == 0

    run(story)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ({"kind": "Deployment", "name": "none"}, 'deployments.apps "none" not found'),
        ({"kind": "Thing", "name": "web"}, 'no matches for kind "Thing" in group "apps"'),
        (
            {"kind": "DaemonSet", "name": "web"},
            "the server could not find the requested resource",
        ),
        (
            {"kind": "Deployment", "name": "web", "apiVersion": "a/b/c"},
            "unexpected GroupVersion string: a/b/c",
        ),
    ],
)
def test_a_target_that_cannot_be_scaled_is_told(reference: Object, message: str) -> None:
    async def story(world: cw.World, measured: Metrics) -> None:
        target = {"apiVersion": "apps/v1"} | reference
        await world.create(HPAS, hpa(scaleTargetRef=target))
        told = await until_reason(world, "AbleToScale", "FailedGetScale")
        lead = "the HPA controller was unable to get the target's current scale: "
        assert told == lead + message
        assert await world.events("FailedGetScale") == [message]

    run(story)


def test_two_autoscalers_over_the_same_pods_are_told_of_each_other() -> None:
    async def story(world: cw.World, measured: Metrics) -> None:
        await world.create("deployments.apps", workload(2))
        measured.load = 100
        await world.create(HPAS, hpa())
        await until_reason(world, "AbleToScale", "ReadyForNewScale")
        await world.create(HPAS, hpa("other"))
        message = await until_reason(world, "ScalingActive", "AmbiguousSelector")
        assert message == (
            "pods by selector app=web are controlled by multiple HPAs: [default/other default/web]"
        )
        measured.load = 1000
        await asyncio.sleep(60)
        assert await size(world) == 2
        await world.client.delete(HPAS, "other", "default")
        await until_size(world, 4)

    run(story)


def test_metrics_of_pods_objects_and_the_outside_come_from_annotations() -> None:
    wanted = [
        {
            "type": "Pods",
            "pods": {
                "metric": {"name": "queue"},
                "target": {"type": "AverageValue", "averageValue": "10"},
            },
        },
        {
            "type": "Object",
            "object": {
                "metric": {"name": "hits"},
                "describedObject": {"apiVersion": "v1", "kind": "Service", "name": "front"},
                "target": {"type": "Value", "value": "100"},
            },
        },
        {
            "type": "External",
            "external": {
                "metric": {"name": "messages"},
                "target": {"type": "AverageValue", "averageValue": "50"},
            },
        },
    ]

    async def story(world: cw.World, measured: Metrics) -> None:
        service = {
            "metadata": {"name": "front", "namespace": "default"},
            "spec": {"ports": [{"port": 80}]},
        }
        await world.create("services", service)
        await world.create("deployments.apps", workload(2, **{"kubemu.dev/metric.queue": "10"}))
        await world.create(HPAS, hpa(metrics=wanted))
        message = await until_reason(world, "ScalingActive", "ValidMetricFound")
        assert message.endswith("from pods metric queue")
        missing = await world.events("FailedGetObjectMetric")
        assert missing == [
            "unable to get metric hits: Service on default front/unable to fetch metrics from "
            "custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered"
        ]
        assert await world.events("FailedGetExternalMetric") == [
            "unable to get external metric default/messages/nil: unable to fetch metrics from "
            "external metrics API: the server could not find the requested resource "
            "(get messages.external.metrics.k8s.io)"
        ]
        await world.client.patch(
            "services",
            "front",
            {"metadata": {"annotations": {"kubemu.dev/metric.hits": "150"}}},
            "default",
        )
        await until_size(world, 3)
        await world.client.patch(
            "namespaces",
            "default",
            {"metadata": {"annotations": {"kubemu.dev/external-metric.messages": "300"}}},
        )
        await world.client.patch(
            "services",
            "front",
            {"metadata": {"annotations": {"kubemu.dev/metric.hits": "100"}}},
            "default",
        )
        await until_size(world, 6)
        status = (await world.get(HPAS, "web"))["status"]["currentMetrics"]
        assert [one["type"] for one in status] == ["Pods", "Object", "External"]
        assert status[1]["object"]["current"] == {"value": "100"}

    run(story)


def test_a_custom_resource_is_scaled_by_its_scale() -> None:
    definition = {
        "metadata": {"name": "farms.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "farms", "singular": "farm", "kind": "Farm"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "x-kubernetes-preserve-unknown-fields": True,
                        }
                    },
                    "subresources": {
                        "status": {},
                        "scale": {
                            "specReplicasPath": ".spec.replicas",
                            "statusReplicasPath": ".status.replicas",
                            "labelSelectorPath": ".status.selector",
                        },
                    },
                }
            ],
        },
    }

    async def story(world: cw.World, measured: Metrics) -> None:
        extensions = Extensions(world.registry, random.Random(1))
        extensions.open()
        async with tasks.Group("extensions") as group:
            group.spawn(extensions.run(), "extensions")
            await world.create("customresourcedefinitions.apiextensions.k8s.io", definition)
            farm = {
                "apiVersion": "example.com/v1",
                "kind": "Farm",
                "metadata": {"name": "green", "namespace": "default"},
                "spec": {"replicas": 7},
            }

            async def served() -> bool:
                return world.registry.table.get("farms.example.com") is not None

            await world.until(served)
            await world.create("farms.example.com", farm)
            reference = {"apiVersion": "example.com/v1", "kind": "Farm", "name": "green"}
            await world.create(HPAS, hpa(scaleTargetRef=reference, maxReplicas=5))

            async def scaled() -> bool:
                return bool(
                    (await world.get("farms.example.com", "green"))["spec"]["replicas"] == 5
                )

            await world.until(scaled, within=60)
            message = await until_reason(world, "ScalingActive", "InvalidSelector")
            assert message == "the HPA target's scale is missing a selector"
            group.cancel()

    run(story)


def test_many_autoscalers_ask_once_for_their_namespace() -> None:
    async def story(world: cw.World, measured: Metrics) -> None:
        measured.load = 1000
        names = [f"w{number}" for number in range(20)]
        for name in names:
            await world.create("deployments.apps", workload(1, name))
            await world.create(HPAS, hpa(name, name))
        for name in names:

            async def valid(name: str = name) -> bool:
                return (await condition(world, "ScalingActive", name))[1] == "ValidMetricFound"

            await world.until(valid, within=60)
        before, begun = measured.asked, world.clock.now()
        await asyncio.sleep(150)
        assert measured.asked - before <= (world.clock.now() - begun) / 5 + 1

    run(story)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_manager_that_dies_again_and_again_arrives_at_the_right_size(seed: int) -> None:
    async def story(world: cw.World, measured: Metrics) -> None:
        await world.create("deployments.apps", workload(1))
        measured.load = 300
        await world.create(HPAS, hpa())
        await until_size(world, 6, within=300)
        for _ in range(60):
            await asyncio.sleep(1)
            assert await size(world) == 6

    run(story, Config(horizontal_pod_autoscaler_sync_period=1.0), crash_every=seed)
