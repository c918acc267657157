"""A Deployment is updated under load in a lab, and no request fails."""

import asyncio
from collections import Counter

import rollingupdate as rolling

from cluster.aio import tasks
from cluster.api import objects
from cluster.api.operations import STRATEGIC_PATCH
from cluster.lab.lab import Lab
from cluster.lab.world import Cluster


async def passing(cluster: Cluster) -> None:
    """What sets the readiness gates of pods, half a second after their containers are ready."""
    while True:
        for pod in cluster.pods(app="rolling"):
            if rolling.waiting(dict(pod)):
                await asyncio.sleep(0.5)
                await cluster.client.patch(
                    "pods", objects.name(pod), rolling.PASS, "default",
                    patch_type=STRATEGIC_PATCH, subresource="status",
                )  # fmt: skip
        await asyncio.sleep(0.1)


async def scenario(cluster: Cluster) -> Counter[str]:
    async with tasks.Group("test") as group:
        gates = group.spawn(passing(cluster), "gates")
        await cluster.apply(rolling.CLIENT)
        await cluster.apply(rolling.manifest())
        await cluster.until(lambda: len(cluster.pods(ready=True)) == 4, within=60)
        await cluster.sleep(1)
        service = cluster.get("services", "rolling", "default")
        nodes = cluster.list("nodes")
        assert service is not None
        places = [f"{service['spec']['clusterIP']}:80"]
        places += [
            f"{node['status']['addresses'][0]['address']}:{rolling.NODE_PORT}" for node in nodes
        ]
        urls = [f"http://{place}/{query}" for place in places for query in ("", rolling.SLOW)]
        loads = [
            group.spawn(cluster.exec("load", "sh", "-c", rolling.script(url, 0.1)), url)
            for url in urls
        ]
        await cluster.sleep(1)
        await cluster.client.patch(
            "deployments.apps", "rolling", rolling.update("v2"), "default",
            patch_type=STRATEGIC_PATCH,
        )  # fmt: skip

        def rolled() -> bool:
            found = cluster.get("deployments.apps", "rolling", "default")
            return found is not None and rolling.rolled(dict(found))

        await cluster.until(rolled, within=120)
        await cluster.sleep(5)
        await cluster.exec("load", "touch", "/tmp/stop")
        said = [(await load).out for load in loads]
        gates.cancel()
    return rolling.judged(said)


def test_no_request_fails_while_a_deployment_is_updated() -> None:
    answered = Lab(nodes=2).run(scenario)
    assert set(answered) == {"v1", "v2"}
    assert min(answered.values()) > 50
