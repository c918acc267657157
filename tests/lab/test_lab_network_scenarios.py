"""The table of what the pod network does, in a lab; the same table is tried with processes."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import networkscenarios as table
import networkverdicts as verdicts
import pytest

from cluster.api import objects
from cluster.controllers.config import Config as Controllers
from cluster.lab import manifests
from cluster.lab.lab import Lab
from cluster.lab.world import Cluster

SERVER = f'image: traefik/whoami, args: ["--port={table.PORT}"]'
CLIENT = "image: busybox, command: [sleep, '100000']"


class Asked:
    """A lab that is asked."""

    clients = verdicts.askers()

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def apply(self, given: str) -> None:
        await self._cluster.apply(given)

    async def remove(self, given: str) -> None:
        for row, obj in manifests.read(given, self._cluster._table):
            await self._cluster.client.delete(row.id, objects.name(obj), objects.namespace(obj))

    async def end(self, pod: str) -> None:
        await self._cluster.client.delete("pods", pod, "default")

    async def pod(self, pod: table.Pod) -> str:
        found = self._cluster.get("pods", pod.name, pod.namespace)
        assert found is not None
        return str(found["status"]["podIP"])

    async def node(self, name: str) -> tuple[str, str]:
        found = self._cluster.get("nodes", name)
        assert found is not None
        return found["status"]["addresses"][0]["address"], objects.spec(found)["podCIDR"]

    async def service(self, name: str) -> Mapping[str, Any] | None:
        return self._cluster.get("services", name, "default")

    async def say(self, client: str, urls: Sequence[str]) -> str:
        namespace = next(pod.namespace for pod in table.PODS if pod.name == client)
        done = await self._cluster.exec(
            client, "sh", "-c", verdicts.script(urls), namespace=namespace
        )
        assert done.code == 0, done
        return done.out

    async def pause(self) -> None:
        await self._cluster.sleep(0.5)


async def scenario(cluster: Cluster, backend: str) -> list[str]:
    await cluster.apply(table.manifests(SERVER, CLIENT))
    wanted = sum(pod.ready for pod in table.PODS)  # and that of the cluster's DNS

    def addressed() -> bool:
        return all(pod["status"].get("podIP") for pod in cluster.list("pods"))

    await cluster.until(lambda: len(cluster.pods(ready=True)) == wanted + 1, within=60)
    await cluster.until(addressed, within=60)
    return await verdicts.differing(Asked(cluster), encapsulated=backend != "routed")


@pytest.mark.parametrize(
    "backend", ["vxlan", *(pytest.param(one, marks=pytest.mark.slow) for one in ("routed", "mesh"))]
)
def test_the_table_holds_in_the_lab(backend: str) -> None:
    controllers = Controllers(load_balancer_pool="198.51.100.128/28")
    lab = Lab(nodes=2, addons=("dns",), controllers=controllers, network_backend=backend)
    wrong = lab.run(functools.partial(scenario, backend=backend))
    assert not wrong, "\n".join(wrong)
