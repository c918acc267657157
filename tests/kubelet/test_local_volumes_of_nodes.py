"""What becomes of the data of kubemu's local volumes, on a disk in memory and on the real one."""

import asyncio
from pathlib import Path

import kubeletworld as kw
import pytest

from cluster.aio import virtual

CLAIMS, VOLUMES = "persistentvolumeclaims", "persistentvolumes"
PATH = "/var/lib/kubemu/local-volumes"
PV = "pvc-1"
PLACE = f"{PATH}/{PV}_default_data"


class Place:
    """A node's disk, as a test looks at it."""

    def __init__(self, world, root):
        self.disk, self.head = (world.kubelet_disk, f"{root}/host") if root else (world.disk, "")

    def kind(self, path):
        return self.disk.kind(self.head + path)

    def put(self, path, data=b"x"):
        folder = path.rpartition("/")[0]
        if not self.kind(folder):
            self.disk.make_folder(self.head + folder, 0o755)
        self.disk.write(self.head + path, data, 0o644)


def lab(scenario, root):
    from cluster.kubelet.volumes.realdisk import RealDisk

    async def main():
        async with kw.world() as world:
            runtime = world.machine = world.runtime(volumes_on_disk=bool(root))
            world.kubelet_disk = RealDisk()
            world.again = lambda: world.start_kubelet(runtime.cri, root_dir=str(root))
            kubelet, world.task = world.again()
            async with asyncio.timeout(30):
                await kubelet.ready.wait()
            await scenario(world, Place(world, root))

    virtual.run(main())


@pytest.fixture(params=["memory", "real"])
def root(request, tmp_path):
    return tmp_path if request.param == "real" else ""


async def provide(world, path=PLACE, policy="Delete", by="kubemu.dev/local"):
    """A claim with its volume, both bound: what the controllers would do."""
    spec = {"accessModes": ["ReadWriteOnce"]}
    claim = {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": "default"},
        "spec": spec | {"volumeName": PV, "resources": {"requests": {"storage": "1Gi"}}},
    }  # fmt: skip
    made = await world.client.create(CLAIMS, claim)
    ref = {"namespace": "default", "name": "data", "uid": made["metadata"]["uid"]}
    host = {"key": "kubernetes.io/hostname", "operator": "In", "values": [kw.NODE]}
    await world.client.create(VOLUMES, {
        "apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {"name": PV, "annotations": {"pv.kubernetes.io/provisioned-by": by}},
        "spec": spec | {
            "capacity": {"storage": "1Gi"}, "claimRef": ref,
            "hostPath": {"path": path, "type": "DirectoryOrCreate"},
            "persistentVolumeReclaimPolicy": policy,
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [host]}]}},
        },
    })  # fmt: skip
    await world.client.patch(CLAIMS, "data", {"status": {"phase": "Bound"}}, "default",
                             subresource="status")  # fmt: skip


async def write(world, script="echo kept > /data/file; sleep 99999"):
    """A pod that writes into the volume; it is left running."""
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]
    await world.pod("writer", volumes=volumes, containers=[{
        "name": "web", "image": "busybox", "command": ["sh", "-c", script],
        "volumeMounts": [{"name": "v", "mountPath": "/data"}],
    }])  # fmt: skip
    await world.wait("writer", lambda pod: pod["status"].get("phase") == "Running")
    await asyncio.sleep(2)


async def end(world):
    await world.client.delete("pods", "writer", "default", grace=0)
    await world.gone("writer")
    await asyncio.sleep(40)  # its shell does not hear SIGTERM


async def remove_volume(world):
    """It goes at once, whatever would protect it."""
    gone = {"metadata": {"finalizers": None}}
    await world.client.delete(VOLUMES, PV)
    if any(one["metadata"]["name"] == PV for one in (await world.client.list(VOLUMES)).items):
        await world.client.patch(VOLUMES, PV, gone)
    await asyncio.sleep(5)


def test_pods_of_any_user_may_write_into_a_volume(root):
    async def scenario(world, place):
        await provide(world)
        await write(world)
        assert place.disk.mode(place.head + PLACE) == 0o777

    lab(scenario, root)


@pytest.mark.parametrize(("policy", "left"), [("Delete", ""), ("Retain", "file")])
def test_data_goes_with_its_volume_where_its_policy_says_so(root, policy, left):
    async def scenario(world, place):
        await provide(world, policy=policy)
        await write(world)
        await end(world)
        assert place.kind(f"{PLACE}/file") == "file"
        await remove_volume(world)
        assert place.kind(f"{PLACE}/file") == left
        assert place.kind(PLACE) == ("folder" if left else "")

    lab(scenario, root)


def test_the_policy_that_counts_is_the_last_one(root):
    async def scenario(world, place):
        await provide(world, policy="Delete")
        await write(world)
        await end(world)
        keep = {"spec": {"persistentVolumeReclaimPolicy": "Retain"}}
        await world.client.patch(VOLUMES, PV, keep)
        await asyncio.sleep(5)
        await remove_volume(world)
        assert place.kind(f"{PLACE}/file") == "file"

    lab(scenario, root)


def test_data_waits_for_the_last_pod_that_has_it(root):
    async def scenario(world, place):
        await provide(world)
        await write(world)
        await remove_volume(world)
        assert place.kind(f"{PLACE}/file") == "file"
        await end(world)
        await asyncio.sleep(5)
        assert place.kind(PLACE) == ""

    lab(scenario, root)


def test_a_kubelet_clears_away_what_went_while_none_ran(root):
    async def scenario(world, place):
        await provide(world)
        await write(world)
        await end(world)
        world.task.cancel()
        await asyncio.sleep(1)
        await remove_volume(world)
        assert place.kind(f"{PLACE}/file") == "file"
        world.again()
        await asyncio.sleep(30)
        assert place.kind(PLACE) == ""
        # What the node kept to know it by goes too.
        world.task.cancel()

    lab(scenario, root)


def test_what_a_node_found_is_not_its_own_to_remove(root):
    async def scenario(world, place):
        place.put(f"{PLACE}/before")
        await provide(world)
        await write(world)
        await end(world)
        await remove_volume(world)
        assert place.kind(f"{PLACE}/before") == place.kind(f"{PLACE}/file") == "file"

    lab(scenario, root)


@pytest.mark.parametrize("path", ["/srv/data", f"{PATH}/other_default_data", f"{PATH}/{PV}_a/b"])
def test_only_places_that_the_provisioner_chooses_are_removed(root, path):
    async def scenario(world, place):
        await provide(world, path=path)
        await write(world)
        await end(world)
        await remove_volume(world)
        assert place.kind(f"{path}/file") == "file"

    lab(scenario, root)


def test_what_links_lead_to_stays(tmp_path):
    """Neither links in a volume nor one in its place are followed."""

    async def scenario(world, place):
        await provide(world)
        await write(world)
        place.put("/srv/precious/file")
        host = Path(place.head)
        (host / PLACE[1:] / "link").symlink_to(host / "srv/precious")
        await end(world)
        (host / PLACE[1:]).rename(host / "srv/moved")
        (host / PLACE[1:]).symlink_to(host / "srv/precious")
        await remove_volume(world)
        assert place.kind("/srv/precious/file") == place.kind("/srv/moved/file") == "file"

    lab(scenario, tmp_path)


def test_a_folder_of_links_goes_without_what_they_lead_to(tmp_path):
    async def scenario(world, place):
        await provide(world)
        await write(world)
        place.put("/srv/precious/file")
        host = Path(place.head)
        (host / PLACE[1:] / "link").symlink_to(host / "srv/precious")
        await end(world)
        await remove_volume(world)
        assert place.kind(PLACE) == ""
        assert place.kind("/srv/precious/file") == "file"

    lab(scenario, tmp_path)


def test_a_volume_folder_that_lies_behind_a_link_is_left_alone(tmp_path):
    async def scenario(world, place):
        await provide(world)
        await write(world)
        await end(world)
        host = Path(place.head)
        (host / PATH[1:]).rename(host / "srv/elsewhere")
        (host / PATH[1:]).symlink_to(host / "srv/elsewhere")
        await remove_volume(world)
        assert place.kind(f"/srv/elsewhere/{PV}_default_data/file") == "file"

    lab(scenario, tmp_path)
