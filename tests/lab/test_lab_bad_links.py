"""Links of the lab's pod network are bad on purpose, the same for the same seed."""

from typing import Any

import pytest

from cluster.aio import rpc
from cluster.lab.lab import Lab
from cluster.lab.world import Cluster

NODES = {"one": "node-1", "two": "node-2", "three": "node-3"}


async def pods(cluster: Cluster) -> dict[str, str]:
    """An idle pod a node; their addresses."""
    for name, node in NODES.items():
        container = {"name": "c", "image": "busybox", "command": ["sleep", "100000"]}
        spec = {"nodeName": node, "containers": [container]}
        await cluster.apply(
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
        )
    await cluster.until(lambda: len(cluster.pods(ready=True)) == len(NODES), within=60)
    await cluster.sleep(1)
    found: dict[str, str] = {}
    for name in NODES:
        pod: Any = cluster.get("pods", name, "default")
        found[name] = pod["status"]["podIP"]
    return found


async def received(cluster: Cluster, pod: str, address: str, count: int = 1) -> str:
    """Which pings were answered."""
    done = await cluster.exec(pod, "ping", "-c", str(count), "-W", "1", "-i", "0.2", address)
    return " ".join(word for word in done.out.split() if word.startswith("seq="))


def test_a_partition_cuts_what_it_says_and_heals() -> None:
    async def scenario(cluster: Cluster) -> None:
        at = await pods(cluster)
        await cluster.partition(["node-1"], ["node-2", "node-3"])
        assert not await received(cluster, "one", at["two"])
        assert not await received(cluster, "three", at["one"])
        assert await received(cluster, "two", at["three"])
        assert len(cluster.ready_nodes()) == 3
        await cluster.heal("node-1:node-2")
        assert await received(cluster, "one", at["two"])
        assert not await received(cluster, "one", at["three"])
        await cluster.heal()
        assert await received(cluster, "one", at["three"])
        with pytest.raises(ValueError, match="node-9"):
            await cluster.partition(["node-9"])
        with pytest.raises(ValueError, match="has no address"):
            await cluster.impair("pod:default/none", loss=1)
        await cluster.kill_node("node-2")
        with pytest.raises(rpc.Failure, match="down"):
            await cluster.impair("node-1:node-2", loss=1)
        await cluster.revive_node("node-2")

    Lab(nodes=3, network_backend="vxlan").run(scenario)


def lost(seed: int) -> tuple[str, str]:
    """What arrives over a bad link, and to a bad pod."""
    found: list[str] = []

    async def scenario(cluster: Cluster) -> None:
        at = await pods(cluster)
        await cluster.impair("node-1:node-2", loss=0.4, delay=0.01, jitter=0.005)
        found.append(await received(cluster, "one", at["two"], 20))
        await cluster.heal()
        await cluster.impair("pod:default/three", loss=0.4)
        found.append(await received(cluster, "one", at["three"], 20))

    Lab(nodes=3, seed=seed, network_backend="vxlan").run(scenario)
    return found[0], found[1]


def test_chance_on_bad_links_is_the_seeds() -> None:
    first = lost(5)
    assert lost(5) == first
    assert lost(6) != first
    assert all(0 < len(one.split()) < 20 for one in first)
