"""The lab's own parts: waiting, parts, manifests, settings, and the invariants it checks."""

import asyncio
from types import SimpleNamespace

import pytest

from cluster.aio import tasks, virtual
from cluster.api import objects, resources
from cluster.apiserver import codec
from cluster.kubelet.config import Config as KubeletConfig
from cluster.lab import config, invariants, manifests
from cluster.lab.lab import Lab
from cluster.lab.mirror import Mirror
from cluster.lab.parts import Part
from cluster.lab.world import NotReached
from cluster.storage import interface as storage


class Store:
    """Feeds a mirror as the store would."""

    def __init__(self):
        self.mirror = Mirror()
        self.watchdog = invariants.Watchdog(self.mirror)
        self.revision = 0

    def put(self, resource, obj):
        self.revision += 1
        key = codec.key(resource, objects.namespace(obj), objects.name(obj))
        record = storage.Record(key, codec.encode(obj), self.revision, self.revision)
        self.mirror.take([storage.Event(self.revision, key, record, None)])

    def delete(self, resource, name, namespace=""):
        self.revision += 1
        key = codec.key(resource, namespace, name)
        self.mirror.take([storage.Event(self.revision, key, None, None)])


def _node(name, cpu="1", pods="10"):
    allocatable = {"cpu": cpu, "memory": "1Gi", "pods": pods}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "uid": f"node-{name}"},
        "status": {"allocatable": allocatable},
    }


def _pod(name, node="", *, cpu="100m", memory="1Mi", phase="Running", uid="", **more):
    requests = {"cpu": cpu, "memory": memory}
    spec = {"containers": [{"name": "c", "image": "i", "resources": {"requests": requests}}]}
    if node:
        spec["nodeName"] = node
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "uid": uid or f"pod-{name}"},
        "spec": spec,
        "status": {"phase": phase},
    } | more


def test_observers_of_the_mirror_see_what_components_do():
    store, seen = Store(), []
    store.mirror.observe("pods", seen.append)
    made = _pod("p", "a")
    made["metadata"]["managedFields"] = [{"manager": "me"}]
    store.put("pods", made)
    store.delete("pods", "p", "default")
    assert [(one.revision, one.old, one.new) for one in seen] == [
        (1, None, _pod("p", "a")),
        (2, _pod("p", "a"), None),
    ]
    store.put("pods", made)
    whole = store.mirror.get("pods", "p", "default")
    assert whole["metadata"] == {**made["metadata"], "resourceVersion": "3"}


def test_a_pod_that_changes_its_node_is_seen():
    store = Store()
    store.put("nodes", _node("a"))
    store.put("nodes", _node("b"))
    store.put("pods", _pod("p", "a"))
    assert store.watchdog.broken == []
    store.put("pods", _pod("p", "b"))
    assert store.watchdog.broken == [
        "revision 4: pod default/p was bound to a and then to b",
    ]


def test_a_pod_made_again_may_go_to_another_node():
    store = Store()
    store.put("nodes", _node("a"))
    store.put("nodes", _node("b"))
    store.put("pods", _pod("p", "a", uid="1"))
    store.delete("pods", "p", "default")
    store.put("pods", _pod("p", "b", uid="2"))
    assert store.watchdog.broken == []


def test_a_pod_on_a_node_that_does_not_exist_is_seen():
    store = Store()
    store.put("pods", _pod("p", "nowhere"))
    (text,) = store.watchdog.broken
    assert text.endswith("was bound to node nowhere, which does not exist")


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ({"cpu": "600m"}, {"cpu": "600m"}, "more cpu than the 1 that"),
        ({"memory": "600Mi"}, {"memory": "600Mi"}, "more memory than the 1Gi that"),
    ],
)
def test_more_than_a_node_can_give_is_seen(first, second, words):
    store = Store()
    store.put("nodes", _node("a"))
    store.put("pods", _pod("p", "a", **first))
    assert store.watchdog.broken == []
    store.put("pods", _pod("q", "a", **second))
    (text,) = store.watchdog.broken
    assert words in text


def test_more_pods_than_a_node_takes_are_seen():
    store = Store()
    store.put("nodes", _node("a", pods="1"))
    store.put("pods", _pod("p", "a"))
    store.put("pods", _pod("q", "a"))
    assert store.watchdog.broken == ["revision 3: pod default/q is pod 2 on node a, which takes 1"]


def test_finished_and_deleted_pods_take_no_room():
    store = Store()
    store.put("nodes", _node("a"))
    store.put("pods", _pod("p", "a", cpu="900m"))
    store.put("pods", _pod("p", "a", cpu="900m", phase="Succeeded"))
    store.put("pods", _pod("q", "a", cpu="900m"))
    store.delete("pods", "q", "default")
    store.put("pods", _pod("r", "a", cpu="900m"))
    assert store.watchdog.broken == []


def test_demand_is_the_larger_of_init_and_the_rest_and_the_overhead():
    def container(cpu):
        return {"resources": {"requests": {"cpu": cpu}}}

    spec = {
        "containers": [container("1"), container("500m"), {}],
        "initContainers": [container("2"), container("1")],
        "overhead": {"cpu": "250m", "memory": "1Ki"},
    }
    assert invariants.demand({"spec": spec}) == (2250, 1024)
    sidecar = container("750m") | {"restartPolicy": "Always"}
    spec["initContainers"] = [sidecar, container("1")]
    assert invariants.demand({"spec": spec}) == (2500, 1024)


def _resting():
    store = Store()
    store.put("namespaces", {**_node("default"), "kind": "Namespace"})
    store.put("nodes", _node("a"))
    store.put("pods", _pod("p", "a"))
    return store


def test_a_cluster_in_order_has_nothing_wrong_at_rest():
    assert invariants.at_rest(_resting().mirror) == []


def test_orphans_are_seen_once_every_owner_is_gone():
    store = _resting()
    orphan = _pod("o")
    owners = [{"kind": "ReplicaSet", "uid": "gone"}, {"kind": "Node", "uid": "node-a"}]
    orphan["metadata"]["ownerReferences"] = owners
    store.put("pods", orphan)
    assert invariants.at_rest(store.mirror) == []
    orphan["metadata"]["ownerReferences"] = owners[:1]
    store.put("pods", orphan)
    assert invariants.at_rest(store.mirror) == [
        "pods default/o is an orphan: ReplicaSet is gone",
    ]


def test_objects_without_namespace_or_node_and_shared_addresses_are_seen():
    store = _resting()
    store.put("pods", _pod("q", "a", status={"phase": "Running", "podIP": "10.1.1.1"}))
    store.put("pods", _pod("r", "a", status={"phase": "Running", "podIP": "10.1.1.1"}))
    store.put("pods", _pod("done", "a", status={"phase": "Failed", "podIP": "10.1.1.1"}))
    store.delete("nodes", "a")
    elsewhere = _pod("s")
    elsewhere["metadata"]["namespace"] = "missing"
    store.put("pods", elsewhere)
    wrong = invariants.at_rest(store.mirror)
    assert "pods missing/s is in a namespace that does not exist" in wrong
    assert "pod default/q and pod default/r have the same address 10.1.1.1" in wrong
    assert "pod default/p is on node a, which does not exist" in wrong
    assert not any("default/done and" in text or "and pod default/done" in text for text in wrong)


def test_two_pods_of_a_daemonset_on_a_node_are_seen():
    store = _resting()
    store.put("daemonsets.apps", {**_node("agent"), "kind": "DaemonSet"})
    for name, phase in (("one", "Running"), ("two", "Pending"), ("ended", "Failed")):
        pod = _pod(name, "a", status={"phase": phase})
        owner = {"kind": "DaemonSet", "uid": "node-agent", "controller": True}
        pod["metadata"]["ownerReferences"] = [owner]
        store.put("pods", pod)
    assert invariants.at_rest(store.mirror) == [
        "pods default/one and default/two of one DaemonSet are on node a",
    ]


def test_endpoints_of_pods_that_are_gone_are_seen():
    store = _resting()
    target = {"kind": "Pod", "name": "old", "uid": "old"}
    piece = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "web", "namespace": "default", "uid": "w"},
        "endpoints": [{"targetRef": target}],
    }
    store.put("endpointslices.discovery.k8s.io", piece)
    assert invariants.at_rest(store.mirror) == [
        "endpoint slice default/web names pod old, which is gone",
    ]


def test_what_does_not_come_about_in_time_is_told_with_the_last_of_the_log():
    async def scenario(cluster):
        started = cluster.now()
        try:
            await cluster.until(lambda: False, within=7, what="pigs fly")
        finally:
            assert cluster.now() - started == pytest.approx(7)

    with pytest.raises(NotReached, match=r"(?s)not within 7 s: pigs fly.*lab booted"):
        Lab(nodes=1).run(scenario)


def test_until_gives_what_the_condition_found_and_sees_what_no_write_tells():
    async def scenario(cluster):
        started = cluster.now()
        return await cluster.until(lambda: cluster.now() - started > 5 and "found", within=10)

    assert Lab(nodes=0).run(scenario) == "found"


def test_a_broken_invariant_ends_the_scenario():
    async def scenario(cluster):
        bad = _pod("p", "nowhere")
        await cluster.apply(bad)
        await cluster.sleep(1)

    with pytest.raises(invariants.Broken, match="node nowhere, which does not exist"):
        Lab(nodes=1).run(scenario)


def test_a_task_that_is_left_behind_is_told():
    async def scenario(cluster):
        loop = asyncio.get_running_loop()
        scenario.kept = loop.create_task(asyncio.sleep(1e9), name="stray")

    with pytest.raises(invariants.Broken, match="tasks were left behind: stray"):
        Lab(nodes=0).run(scenario)


def test_a_component_that_fails_fails_the_scenario(monkeypatch):
    from cluster.scheduler.component import Scheduler

    async def run(self):
        self.ready.set()
        await asyncio.sleep(5)
        raise ZeroDivisionError("scheduler fault")

    monkeypatch.setattr(Scheduler, "run", run)

    async def scenario(cluster):
        await cluster.sleep(100)

    with pytest.raises(ZeroDivisionError, match="scheduler fault"):
        Lab(nodes=1).run(scenario)


def test_a_scenarios_own_failure_comes_through():
    async def scenario(cluster):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        Lab(nodes=1).run(scenario)


def test_parts_are_known_by_name_and_stop_once():
    async def scenario(cluster):
        with pytest.raises(KeyError, match="no component kubelet/node-9: there are apiserver"):
            await cluster.stop("kubelet/node-9")
        with pytest.raises(RuntimeError, match="scheduler is running already"):
            await cluster.start("scheduler")
        await cluster.stop("scheduler")
        with pytest.raises(RuntimeError, match="scheduler is not running"):
            await cluster.stop("scheduler")
        return cluster.part("scheduler").running

    assert Lab(nodes=0).run(scenario) is False


def test_a_part_that_ends_by_itself_is_a_fault():
    async def serve(part):
        part.built(SimpleNamespace(ready=asyncio.Event()))

    async def main():
        async with tasks.Group("g") as group:
            Part("short", serve).start(group)
            await asyncio.sleep(10)

    with pytest.raises(RuntimeError, match="short ended by itself"):
        virtual.run(main())


def test_manifests_are_read_in_every_form():
    table = resources.built_in()
    text = "apiVersion: v1\nkind: Node\nmetadata: {name: 2024-01-01}\n---\n---\n" + (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {at: 2024-01-01}\n"
    )
    (node_row, node), (map_row, config_map) = manifests.read(text, table)
    assert (node_row.id, objects.key(node)) == ("nodes", "2024-01-01")
    assert (map_row.id, objects.key(config_map)) == ("configmaps", "default/c")
    assert config_map["data"] == {"at": "2024-01-01"}
    assert len([*manifests.read(node, table)]) == 1
    assert len([*manifests.read([node, config_map], table)]) == 2
    with pytest.raises(ValueError, match="no kind Unicorn in version v1"):
        [*manifests.read({"apiVersion": "v1", "kind": "Unicorn"}, table)]
    with pytest.raises(ValueError, match="'x' is no Kubernetes object"):
        [*manifests.read("x", table)]


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="two nodes are named a"):
        Lab(nodes=[KubeletConfig("a"), KubeletConfig("a")])
    with pytest.raises(ValueError, match="the shortest and the longest"):
        config.Config(latency=(2.0, 1.0))


def test_nodes_may_be_given_as_their_kubelets_settings():
    async def scenario(cluster):
        node = cluster.get("nodes", "big")
        return objects.status(node)["capacity"]["cpu"], objects.labels(node)["disk"]

    big = KubeletConfig("big", cpu="64", labels={"disk": "ssd"})
    assert Lab(nodes=[big]).run(scenario) == ("64", "ssd")
