"""What a kubelet finds again that was stopped and started: no container restarts, nothing is lost.

Each test stops the kubelet in a state that only its memory, the runtime or the API knows.
"""

import asyncio
from typing import Any

import pytest
from kubeletworld import World, container, phase, restarts, waiting, world

from cluster.aio import virtual

AWAY = 100.0


async def restarted(here: World, cri: Any, task: Any, **settings: Any) -> None:
    """Stop the kubelet for a while and start another."""
    task.cancel()
    await asyncio.sleep(AWAY)
    here.start_kubelet(cri, **settings)
    await asyncio.sleep(30)


def test_a_pod_that_ends_at_once_shows_its_address() -> None:
    async def scenario() -> None:
        async with world() as here:
            here.start_kubelet(here.runtime().cri)
            await here.pod("web", annotations={"kubemu.dev/run-for": "0s"}, policy="Never")
            pod = await here.wait("web", phase("Succeeded"))
            assert pod["status"]["podIP"].startswith("10.244.1.")
            assert pod["status"]["podIPs"] == [{"ip": pod["status"]["podIP"]}]

    virtual.run(scenario())


def _probe(path: int, **more: Any) -> dict[str, Any]:
    return {"tcpSocket": {"port": path}, "periodSeconds": 5, **more}


@pytest.mark.parametrize(
    "probes",
    [
        {},
        {"readinessProbe": _probe(80)},
        {"readinessProbe": _probe(81)},
        {"startupProbe": _probe(80), "livenessProbe": _probe(80)},
        {"startupProbe": _probe(81, failureThreshold=1000)},
    ],
    ids=["none", "ready", "unready", "started", "starting"],
)
def test_what_probes_found_is_known_again(probes: dict[str, Any]) -> None:
    async def scenario() -> None:
        async with world() as here:
            cri = here.runtime().cri
            _, task = here.start_kubelet(cri)
            one = {"name": "web", "image": "nginx:1", "ports": [{"containerPort": 80}], **probes}
            await here.pod("web", containers=[one])
            await here.wait("web", phase("Running"))
            await asyncio.sleep(20)
            before = await here.get("web")
            await restarted(here, cri, task)
            assert (await here.get("web"))["status"] == before["status"]

    virtual.run(scenario())


def test_a_crashing_container_keeps_its_count() -> None:
    async def scenario() -> None:
        async with world() as here:
            cri = here.runtime().cri
            _, task = here.start_kubelet(cri)
            await here.pod("web", annotations={"kubemu.dev/crash-after": "1s"})
            await here.wait("web", restarts(3), 120)
            await here.wait("web", waiting("CrashLoopBackOff"), 120)
            await restarted(here, cri, task)
            # A kubelet's back-offs begin anew, as in Kubernetes; what is told goes on.
            pod = await here.wait("web", restarts(5), 200)
            assert container(pod)["lastState"]["terminated"]["exitCode"] == 1

    virtual.run(scenario())


def test_a_pod_that_is_ending_ends() -> None:
    async def scenario() -> None:
        async with world() as here:
            cri = here.runtime().cri
            _, task = here.start_kubelet(cri)
            await here.pod("web", annotations={"kubemu.dev/stop-after": "20s"})
            await here.wait("web", phase("Running"))
            await here.client.delete("pods", "web", "default")
            await asyncio.sleep(2)
            await restarted(here, cri, task)
            await here.gone("web")
            assert not cri.driver.sandboxes

    virtual.run(scenario())


def test_an_evicted_pod_stays_evicted() -> None:
    async def scenario() -> None:
        async with world() as here:
            cri = here.runtime().cri
            _, task = here.start_kubelet(cri, memory="1Gi")
            await here.pod("leak", annotations={"kubemu.dev/memory": "0s=64Mi,1m=900Mi"})
            await here.pod("calm")
            before = await here.wait("leak", phase("Failed"), 120)
            calm = await here.get("calm")
            await restarted(here, cri, task, memory="1Gi")
            assert (await here.get("leak"))["status"] == before["status"]
            assert (await here.get("calm"))["status"] == calm["status"]

    virtual.run(scenario())


def test_a_deadline_that_passed_meanwhile_is_kept() -> None:
    async def scenario() -> None:
        async with world() as here:
            cri = here.runtime().cri
            _, task = here.start_kubelet(cri)
            await here.pod("web", activeDeadlineSeconds=60)
            await here.wait("web", phase("Running"))
            await restarted(here, cri, task)
            pod = await here.wait("web", phase("Failed"))
            assert pod["status"]["reason"] == "DeadlineExceeded"

    virtual.run(scenario())
