"""What containers use because of the load that their pods share."""

import asyncio
from types import SimpleNamespace

import pytest

from cluster.aio import clock, rpc, virtual
from cluster.api import errors
from cluster.kubelet.lifecycle.model import State
from cluster.kubelet.serving.loads import Loads
from cluster.kubelet.serving.usage import Used

CREATED = "2027-01-15T08:00:00Z"
EPOCH = 1_800_000_000.0
BASE = Used(10, 1000, 100)


class Api:
    def __init__(self, load="400", ready=2):
        self.load = load
        self.ready = ready
        self.asked = 0
        self.failure = None

    async def get(self, resource, name, namespace):
        self.asked += 1
        assert (resource, name, namespace) == ("deployments.apps", "web", "default")
        if self.failure is not None:
            raise self.failure
        meta = {"name": name, "namespace": namespace, "creationTimestamp": CREATED}
        annotations = {} if self.load is None else {"kubemu.dev/load": self.load}
        return {
            "metadata": meta | {"annotations": annotations},
            "status": {"readyReplicas": self.ready},
        }


class Runtime:
    def __init__(self, name="kubemu"):
        self.name = name

    async def version(self, request):
        if self.name is None:
            raise rpc.Failure("UNAVAILABLE", "down")
        return SimpleNamespace(runtime_name=self.name)


def pod(name, ready="True", **annotations):
    told = {
        "kubemu.dev/load-from": "deployment/web",
        "kubemu.dev/cpu-per-load": "1n",
        "kubemu.dev/memory-per-load": "2",
    }
    told |= {f"kubemu.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}
    container = {"name": "c", "resources": {"limits": {"memory": "450"}}}
    return SimpleNamespace(
        object={
            "metadata": {"name": name, "namespace": "default", "annotations": told},
            "spec": {"containers": [container]},
        },
        status={"conditions": [{"type": "Ready", "status": ready}]},
        memory=SimpleNamespace(removed=False),
        seen=SimpleNamespace(
            containers=[SimpleNamespace(id=f"{name}-c", name="c", state=State.RUNNING)]
        ),
    )


def agent(*pods, runtime="kubemu"):
    return SimpleNamespace(
        pods={one.object["metadata"]["name"]: one for one in pods},
        config=SimpleNamespace(node_name="n"),
        cri=Runtime(runtime),
    )


def run(story, api=None):
    async def main():
        wall = clock.LoopClock(asyncio.get_running_loop(), EPOCH)
        await story(Loads(api, wall))

    virtual.run(main())


def test_ready_pods_bear_their_share_and_it_adds_up():
    async def story(loads):
        node = agent(pod("a"), pod("b", ready="False"))
        used = {"a-c": BASE, "b-c": BASE, "other": BASE}
        found = await loads.added(node, used)
        assert found == {"a-c": Used(210, 1000, 450), "b-c": BASE, "other": BASE}
        await asyncio.sleep(10)
        found = await loads.added(node, used)
        assert found["a-c"].total == 1000 + 10 * 200
        api.load = "100"
        await asyncio.sleep(10)
        found = await loads.added(node, used)
        assert found["a-c"] == Used(60, 1000 + 20 * 200, 200)
        await asyncio.sleep(10)
        assert (await loads.added(node, used))["a-c"].total == 1000 + 20 * 200 + 10 * 50

    api = Api()
    run(story, api)


def test_a_workload_is_asked_once_for_all_its_pods_and_not_too_often():
    async def story(loads):
        node = agent(*(pod(f"p{number}") for number in range(20)))
        used = {f"p{number}-c": BASE for number in range(20)}
        await asyncio.gather(*(loads.added(node, used) for _ in range(5)))
        assert api.asked == 1
        await asyncio.sleep(6)
        await loads.added(node, used)
        assert api.asked == 2

    api = Api()
    run(story, api)


def test_an_api_that_hangs_is_waited_for_once_and_not_for_each_workload():
    class Hanging(Api):
        async def get(self, _resource, _name, _namespace):
            self.asked += 1
            await asyncio.Event().wait()

    async def story(loads):
        pods = [pod(f"p{number}", load_from=f"deployment/w{number}") for number in range(20)]
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert (await loads.added(agent(*pods), {"p0-c": BASE}))["p0-c"] == BASE
        assert (loop.time() - began, api.asked) == (3.0, 1)

    api = Hanging()
    run(story, api)


@pytest.mark.parametrize("runtime", ["containerd", None])
def test_containers_that_are_not_simulated_are_left_alone(runtime):
    async def story(loads):
        assert await loads.added(agent(pod("a"), runtime=runtime), {"a-c": BASE}) == {"a-c": BASE}

    run(story, Api())


@pytest.mark.parametrize(
    ("change", "share"),
    [
        ({"failure": errors.ServiceUnavailable("away")}, 200),
        ({"failure": errors.NotFound("gone")}, 0),
        ({"load": None}, 0),
        ({"load": "much"}, 0),
        ({"load": "-1"}, 0),
        ({"ready": 0}, 0),
    ],
)
def test_a_load_that_is_not_told_any_more(change, share):
    async def story(loads):
        node, used = agent(pod("a")), {"a-c": BASE}
        assert (await loads.added(node, used))["a-c"].cpu == 210
        for name, value in change.items():
            setattr(api, name, value)
        await asyncio.sleep(6)
        assert (await loads.added(node, used))["a-c"].cpu == 10 + share

    api = Api()
    run(story, api)


def test_annotations_that_are_nonsense_later_on_cost_nothing():
    async def story(loads):
        for wrong in ({"cpu_per_load": "x"}, {"load_from": "nothing"}):
            node = agent(pod("a", **wrong))
            assert (await loads.added(node, {"a-c": BASE}))["a-c"].cpu == 10

    run(story, Api())
