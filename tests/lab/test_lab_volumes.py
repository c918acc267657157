"""Volumes in a whole cluster: scheduler, controllers and API together."""

import pytest

from cluster.api import conditions, objects
from cluster.lab.lab import Lab

CLAIMS, VOLUMES, CLASSES = (
    "persistentvolumeclaims", "persistentvolumes", "storageclasses.storage.k8s.io",
)  # fmt: skip
HOSTNAME = "kubernetes.io/hostname"


def claim(name="data", size="1Gi", modes=("ReadWriteOnce",), **spec):
    spec = {"accessModes": [*modes], "resources": {"requests": {"storage": size}}} | spec
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec}


def volume(name, node="", size="1Gi", labels=None, **spec):
    spec = {"capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"]} | spec
    if node:
        expression = {"key": HOSTNAME, "operator": "In", "values": [node]}
        terms = [{"matchExpressions": [expression]}]
        spec |= {"nodeAffinity": {"required": {"nodeSelectorTerms": terms}}}
    spec.setdefault("hostPath", {"path": "/x"})
    meta = {"name": name} | ({"labels": labels} if labels else {})
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": meta, "spec": spec}


def waiting_class(name="local", provisioner="kubernetes.io/no-provisioner", **more):
    return {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name},
            "provisioner": provisioner, "volumeBindingMode": "WaitForFirstConsumer",
            } | more  # fmt: skip


def pod(name="web", claims=("data",), **spec):
    volumes = [{"name": each, "persistentVolumeClaim": {"claimName": each}} for each in claims]
    spec = {"containers": [{"name": "c", "image": "pause"}], "volumes": volumes} | spec
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def node_of(cluster, name="web"):
    return objects.spec(cluster.get("pods", name, "default")).get("nodeName")


def volume_of(cluster, name="data"):
    found = cluster.get(CLAIMS, name, "default")
    if objects.status(found).get("phase") != "Bound":
        return None
    return cluster.get(VOLUMES, objects.spec(found)["volumeName"])


def refused(cluster, name="web"):
    found = conditions.find(cluster.get("pods", name, "default"), "PodScheduled") or {}
    return found.get("message", "") if found.get("status") == "False" else ""


def host_of(found):
    terms = found["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
    return terms[0]["matchExpressions"][0]["values"][0]


def run(scenario, nodes=3, seed=3):
    Lab(seed=seed, nodes=nodes).run(scenario)


def test_a_pod_with_a_claim_of_the_default_class_gets_a_volume_on_its_node():
    async def scenario(cluster):
        await cluster.apply([claim()])
        await cluster.sleep(5)
        assert objects.status(cluster.get(CLAIMS, "data", "default"))["phase"] == "Pending"
        await cluster.apply([pod(nodeSelector={HOSTNAME: "node-2"})])
        await cluster.until(lambda: node_of(cluster), within=30)
        assert node_of(cluster) == "node-2" == host_of(volume_of(cluster))
        said = {e["reason"] for e in cluster.list("events", "default")}
        assert {"WaitForFirstConsumer", "Provisioning", "ProvisioningSucceeded"} <= said

    run(scenario)


def test_a_pod_follows_its_volume_and_waits_where_it_cannot():
    async def scenario(cluster):
        await cluster.apply([claim(), pod(nodeSelector={HOSTNAME: "node-2"})])
        await cluster.until(lambda: node_of(cluster), within=30)
        await cluster.client.delete("pods", "web", "default", grace=0)
        await cluster.apply([pod("again"), pod("other", nodeSelector={HOSTNAME: "node-1"})])
        await cluster.until(lambda: node_of(cluster, "again") == "node-2", within=30)
        await cluster.until(lambda: refused(cluster, "other"), within=30)
        assert refused(cluster, "other") == (
            "0/3 nodes are available: 1 node(s) had volume node affinity conflict, 2 node(s) "
            "didn't match Pod's node affinity/selector. preemption: 0/3 nodes are available: 3 "
            "Preemption is not helpful for scheduling."
        )

    run(scenario)


def test_volumes_that_are_there_are_matched_where_they_are():
    async def scenario(cluster):
        await cluster.apply([waiting_class()])
        await cluster.apply([
            volume("small", "node-3", storageClassName="local"),
            volume("large", "node-3", "9Gi", storageClassName="local"),
            volume("far", "node-1", "2Gi", storageClassName="local"),
        ])  # fmt: skip
        await cluster.apply([
            claim("one", "2Gi", storageClassName="local"),
            claim("two", storageClassName="local"),
            pod("both", ("one", "two")),
        ])  # fmt: skip
        await cluster.until(lambda: node_of(cluster, "both"), within=30)
        assert node_of(cluster, "both") == "node-3"
        assert objects.name(volume_of(cluster, "one")) == "large"
        assert objects.name(volume_of(cluster, "two")) == "small"
        await cluster.apply([claim("three", "5Gi", storageClassName="local")])
        await cluster.apply([pod("late", ("three",))])
        text = "0/3 nodes are available: 3 node(s) didn't find available persistent volumes to bind"
        await cluster.until(lambda: refused(cluster, "late").startswith(text), within=30)
        await cluster.apply([volume("new", "node-2", "5Gi", storageClassName="local")])
        await cluster.until(lambda: node_of(cluster, "late") == "node-2", within=30)

    run(scenario)


WAITS = [
    ([], 'persistentvolumeclaim "data" not found'),
    ([claim(storageClassName="")], "pod has unbound immediate PersistentVolumeClaims"),
]


@pytest.mark.parametrize(("made", "why"), WAITS)
def test_a_pod_waits_for_its_claim_and_goes_when_it_is_bound(made, why):
    async def scenario(cluster):
        await cluster.apply([*made, pod()])
        text = f"0/3 nodes are available: {why}. preemption:"
        await cluster.until(lambda: refused(cluster).startswith(text), within=30)
        await cluster.apply([claim(storageClassName=""), volume("v")])
        await cluster.until(lambda: node_of(cluster), within=30)

    run(scenario)


def test_a_claim_for_one_pod_is_one_pods_until_it_is_preempted():
    async def scenario(cluster):
        await cluster.apply([claim(modes=("ReadWriteOncePod",)), pod("first")])
        await cluster.until(lambda: node_of(cluster, "first"), within=30)
        await cluster.apply([pod("second")])
        await cluster.until(lambda: refused(cluster, "second"), within=30)
        assert (
            "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod "
            "access mode"
        ) in refused(cluster, "second")
        await cluster.apply([{
            "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass",
            "metadata": {"name": "high"}, "value": 1000,
        }])  # fmt: skip
        await cluster.apply([pod("urgent", priorityClassName="high")])
        await cluster.until(lambda: node_of(cluster, "urgent"), within=120)
        assert cluster.get("pods", "first", "default") is None
        assert not node_of(cluster, "second")

    run(scenario)


def test_zones_of_volumes_are_kept():
    async def scenario(cluster):
        zone = "topology.kubernetes.io/zone"
        for name, where in (("node-1", "a"), ("node-2", "b"), ("node-3", "c")):
            await cluster.client.patch("nodes", name, {"metadata": {"labels": {zone: where}}})
        await cluster.apply([volume("v", labels={zone: "b__c"}), claim(storageClassName="")])
        await cluster.apply([pod(nodeSelector={zone: "a"}), pod("fits")])
        await cluster.until(lambda: node_of(cluster, "fits"), within=30)
        assert node_of(cluster, "fits") in ("node-2", "node-3")
        text = "1 node(s) had no available volume zone"
        await cluster.until(lambda: text in refused(cluster), within=30)

    run(scenario)


def test_a_node_takes_no_more_volumes_than_its_driver_can():
    async def scenario(cluster):
        driver = {"name": "csi.example.com", "nodeID": "n", "allocatable": {"count": 1}}
        meta = {"name": "node-1"}
        await cluster.apply([{"apiVersion": "storage.k8s.io/v1", "kind": "CSINode",
                              "metadata": meta, "spec": {"drivers": [driver]}}])  # fmt: skip
        for name in ("a", "b"):
            source = {"driver": "csi.example.com", "volumeHandle": name}
            await cluster.apply([
                volume(f"v{name}", csi=source, hostPath=None),
                claim(name, storageClassName="", volumeName=f"v{name}"), pod(name, (name,)),
            ])  # fmt: skip
        await cluster.until(lambda: any(node_of(cluster, name) for name in "ab"), within=30)
        text = "0/1 nodes are available: 1 node(s) exceed max volume count."
        both = lambda: [name for name in "ab" if refused(cluster, name).startswith(text)]  # noqa: E731
        (waits,) = await cluster.until(both, within=60)
        (placed,) = {*"ab"} - {waits}
        await cluster.client.delete("pods", placed, "default", grace=0)
        await cluster.until(lambda: node_of(cluster, waits), within=60)

    run(scenario, nodes=1)


@pytest.mark.parametrize("seed", range(4))
def test_pods_and_volumes_meet_whoever_dies_meanwhile(seed):
    """Scheduler and controllers are stopped in the middle of it, again and again."""

    async def scenario(cluster):
        await cluster.apply([waiting_class()])
        for number in range(4):
            node = f"node-{number % 3 + 1}"
            await cluster.apply([volume(f"v{number}", node, storageClassName="local")])
        for number in range(8):
            kind = {"storageClassName": "local"} if number % 2 else {}
            await cluster.apply([claim(f"c{number}", **kind), pod(f"p{number}", (f"c{number}",))])
            part = ("scheduler", "controller-manager")[(number + seed) % 2]
            await cluster.sleep(0.05 * (seed + 1) + 0.4 * (number % 3))
            await cluster.stop(part)
            await cluster.sleep(0.3)
            await cluster.start(part)
        pods = [f"p{number}" for number in range(8)]
        await cluster.until(lambda: all(node_of(cluster, name) for name in pods), within=900)
        found = [volume_of(cluster, f"c{number}") for number in range(8)]
        assert len({objects.name(one) for one in found}) == 8
        assert [host_of(one) for one in found] == [node_of(cluster, name) for name in pods]
        assert {objects.name(one) for one in cluster.list(VOLUMES)} == {*map(objects.name, found)}

    run(scenario, seed=seed)


def test_the_data_of_a_deleted_volume_leaves_its_node():
    container = {
        "name": "c", "image": "busybox",
        "command": ["sh", "-c", "echo mine > /data/file; exec sleep 99999"],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }  # fmt: skip
    everything = {"name": "all", "hostPath": {"path": "/var/lib/kubemu"}}
    looking = container | {"command": ["sleep", "99999"],
                           "volumeMounts": [{"name": "all", "mountPath": "/all"}]}  # fmt: skip

    async def files(cluster):
        done = await cluster.exec("looker", "find", "/all/local-volumes", "-type", "f")
        return done.out.split()

    async def scenario(cluster):
        looker = pod("looker", volumes=[everything], containers=[looking])
        await cluster.apply([claim(), pod(containers=[container]), looker])
        await cluster.until(lambda: all(map(running, cluster.list("pods", "default"))), within=60)
        await cluster.sleep(5)
        held = volume_of(cluster)
        place = held["spec"]["hostPath"]["path"].rpartition("/")[2]
        assert await files(cluster) == [f"/all/local-volumes/{place}/file"]
        await cluster.client.delete("pods", "web", "default", grace=1)
        await cluster.until(lambda: cluster.get("pods", "web", "default") is None, within=60)
        assert len(await files(cluster)) == 1
        await cluster.client.delete(CLAIMS, "data", "default")
        await cluster.until(lambda: cluster.get(VOLUMES, objects.name(held)) is None, within=60)
        await cluster.sleep(5)
        done = await cluster.exec("looker", "ls", "/all/local-volumes")
        assert (done.code, done.out) == (0, "")

    def running(found):
        return objects.status(found).get("phase") == "Running"

    Lab(seed=3, nodes=1).run(scenario)
