"""What a kubelet finds again that was stopped and started: no container restarts, nothing is lost.

Each test stops the kubelet in a state that only its memory, the runtime or the API knows.
"""

import asyncio
from typing import Any

import pytest
from kubeletworld import NODE, World, container, phase, restarts, waiting, world

from cluster.aio import rpc, virtual
from cluster.api import errors
from cluster.kubelet.lifecycle.model import NOTHING
from cluster.pb.cluster.v1 import kubelet_pb2 as pb

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


class Far:
    """A runtime in another process, whose every answer takes its time."""

    def __init__(self, cri: Any, seconds: float = 0.5) -> None:
        self._cri = cri
        self._seconds = seconds
        self.away = False

    def __getattr__(self, name: str) -> Any:
        if name == "on_event":
            raise AttributeError(name)

        async def call(request: Any) -> Any:
            await asyncio.sleep(self._seconds)
            if self.away:
                raise rpc.Failure("UNAVAILABLE", "gone")
            return await getattr(self._cri, name)(request)

        return call


async def echoed(kubelet: Any, pod: str, name: str = "web") -> bytes:
    """What `echo hello` says in a pod's container."""
    ref = pb.ContainerRef(node=NODE, namespace="default", pod=pod, container=name)

    async def inputs() -> Any:
        yield pb.StreamInput(
            start=pb.StreamStart(container=ref, command=["echo", "hello"], stdout=True)
        )

    return b"".join([one.stdout async for one in kubelet.service.exec(inputs())])


def test_a_kubelet_that_is_ready_can_be_asked_at_once() -> None:
    async def scenario() -> None:
        async with world() as here:
            cri = Far(here.runtime().cri)
            _, task = here.start_kubelet(cri, kubelet_port=1111)
            await here.pod("web", image="busybox", command=["sleep", "1000"])
            await here.wait("web", phase("Running"))
            task.cancel()
            await asyncio.sleep(1)
            kubelet, _ = here.start_kubelet(cri, kubelet_port=2222)
            await kubelet.ready.wait()
            status = (await here.client.get("nodes", NODE))["status"]
            assert status["daemonEndpoints"]["kubeletEndpoint"]["Port"] == 2222
            assert await echoed(kubelet, "web") == b"hello\n"

    virtual.run(scenario())


def test_a_container_that_only_the_runtime_knows_of_can_be_asked() -> None:
    async def scenario() -> None:
        async with world() as here:
            runtime = here.runtime()
            kubelet, _ = here.start_kubelet(Far(runtime.cri, 0.01))
            await here.pod("web", image="busybox", command=["sleep", "1000"])
            await here.wait("web", phase("Running"))
            pod = next(iter(kubelet._crew.members[NODE].agent.pods.values()))
            pod.seen = NOTHING
            assert await echoed(kubelet, "web") == b"hello\n"
            with pytest.raises(errors.InternalError, match="container not found"):
                await echoed(kubelet, "web", "other")

    virtual.run(scenario())


def test_a_kubelet_is_ready_though_its_runtime_is_away() -> None:
    async def scenario() -> None:
        async with world() as here:
            cri = Far(here.runtime().cri)
            cri.away = True
            kubelet, _ = here.start_kubelet(cri)
            async with asyncio.timeout(5):
                await kubelet.ready.wait()

    virtual.run(scenario())
