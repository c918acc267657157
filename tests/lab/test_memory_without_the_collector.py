"""What the components let go of is free at once: nothing waits in cycles for the collector, which
comes by seldom in a process that has much to look at.
"""

import gc
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from cluster.api import errors
from cluster.lab.lab import Lab
from cluster.lab.world import Cluster

_TURNS = 3

Turn = Callable[[Cluster, int], Awaitable[None]]


def _deployment(replicas: int) -> dict[str, Any]:
    labels = {"app": "web"}
    spec = {"containers": [{"name": "web", "image": "nginx"}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


_CLIENT = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "client", "namespace": "default", "labels": {"run": "me"}},
    "spec": {
        "containers": [{"name": "main", "image": "busybox", "command": ["sleep", "infinity"]}],
        "terminationGracePeriodSeconds": 1,
    },
}


def _job(name: str) -> dict[str, Any]:
    pod = {"containers": [{"name": "main", "image": "busybox"}], "restartPolicy": "Never"}
    annotations = {"kubemu.dev/run-for": "1s"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "completions": 3,
            "parallelism": 3,
            "ttlSecondsAfterFinished": 2,
            "template": {"metadata": {"annotations": annotations}, "spec": pod},
        },
    }


async def _grow_and_shrink(cluster: Cluster, _turn: int) -> None:
    for replicas in (6, 1):
        await cluster.apply(_deployment(replicas))
        await cluster.until(
            lambda: len(cluster.pods(ready=True, app="web")) == replicas,  # noqa: B023
            within=60,
        )
        await cluster.sleep(40)


async def _ask_who_leaves(cluster: Cluster, _turn: int) -> None:
    await cluster.apply(_deployment(2))
    await cluster.apply(_CLIENT)
    await cluster.until(
        lambda: (
            len(cluster.pods(ready=True, app="web")) == 2 and cluster.pods(ready=True, run="me")
        ),
        within=60,
    )
    await cluster.sleep(5)  # the nodes know the way to each other
    for pod in cluster.pods(app="web"):
        said = await cluster.exec("client", "wget", "-q", "-O-", f"http://{pod['status']['podIP']}")
        assert "Welcome to nginx" in said.out
    await cluster.apply(_deployment(0))
    await cluster.client.delete("pods", "client", "default")
    await cluster.until(lambda: not cluster.pods(), within=60)
    await cluster.sleep(300)  # connections are forgotten


async def _finish_a_job(cluster: Cluster, turn: int) -> None:
    await cluster.apply(_job(f"job-{turn}"))
    await cluster.until(
        lambda: not cluster.list("jobs.batch", "default") and not cluster.pods(), within=60
    )


async def _be_refused(cluster: Cluster, _turn: int) -> None:
    with pytest.raises(errors.NotFound):
        await cluster.client.delete("pods", "nobody", "default")
    with pytest.raises(errors.AlreadyExists):
        await cluster.client.create(
            "namespaces",
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}},
        )
    with pytest.raises(errors.Invalid):
        await cluster.client.create("pods", {"metadata": {"name": "a", "namespace": "default"}})


@contextmanager
def _kept() -> Iterator[list[object]]:
    """Keeps what the collector finds."""
    gc.collect()
    gc.garbage.clear()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield gc.garbage
    finally:
        gc.set_debug(0)
        gc.garbage.clear()


_HEAVY = {"Container", "File", "FileSystem", "Folder", "Kernel", "Machine", "Namespace", "Sandbox"}


def test_pods_that_were_asked_leave_no_machine_to_the_collector() -> None:
    """What remains of them is of the network: a hundred objects a pod, in cycles of a few."""
    assert not _left_by(_ask_who_leaves).keys() & _HEAVY


@pytest.mark.parametrize("turn", [_grow_and_shrink, _finish_a_job, _be_refused])
def test_nothing_waits_for_the_collector(turn: Turn) -> None:
    assert _left_by(turn) == Counter()


def _left_by(turn: Turn) -> Counter[str]:
    """What the collector finds after some turns, by type."""

    async def scenario(cluster: Cluster) -> Counter[str]:
        await turn(cluster, 0)  # what is made once only may have been made by now
        with _kept() as garbage:
            for number in range(1, _TURNS + 1):
                await turn(cluster, number)
            gc.collect()
            return Counter(type(one).__qualname__ for one in garbage)

    return Lab(seed=1, nodes=2).run(scenario)
