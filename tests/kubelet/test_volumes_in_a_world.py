"""Volumes of pods on a node, on virtual time: on a disk in memory, and on the real one."""

import asyncio
import base64
import json
import os
from pathlib import Path

import kubeletworld as kw
import pytest
import structlog

from cluster.aio import virtual
from cluster.kubelet.volumes.realdisk import RealDisk
from cluster.pb.cri.v1 import api_pb2 as pb


def lab(scenario, root="", **settings):
    """`root`: a directory for a kubelet on the real disk."""

    async def main():
        async with kw.world() as world:
            runtime = world.runtime(volumes_on_disk=bool(root))
            world.machine = runtime
            kubelet, world.task = world.start_kubelet(runtime.cri, root_dir=str(root), **settings)
            async with asyncio.timeout(30):
                await kubelet.ready.wait()
            await scenario(world)

    virtual.run(main())


@pytest.fixture(params=["memory", "real"])
def root(request, tmp_path):
    return tmp_path if request.param == "real" else ""


def config(name, **data):
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


def one(name="web", mounts=(), **fields):
    made = [{"name": volume, "mountPath": path, **more} for volume, path, more in mounts]
    return {"name": name, "image": "busybox", "command": ["sleep", "99999"], "volumeMounts": made,
            **fields}  # fmt: skip


async def run(world, script, name="web"):
    """What a script prints in a running container."""
    (found,) = [
        container
        for container in world.machine.cri.driver.containers.values()
        if container.config.metadata.name == name and container.state == 1
    ]
    request = pb.ExecSyncRequest(container_id=found.id, cmd=["sh", "-c", script], timeout=60)
    answer = await world.machine.cri.exec_sync(request)
    return (answer.stdout + answer.stderr).decode()


def test_a_pod_waits_for_what_its_volume_is_made_of_and_then_starts(root):
    async def scenario(world):
        mounts = [("v", "/v", {})]
        volumes = [{"name": "v", "configMap": {"name": "late"}}]
        await world.pod("p", containers=[one(mounts=mounts)], volumes=volumes)
        pod = await world.wait("p", kw.waiting("ContainerCreating"))
        await asyncio.sleep(10)
        failed = [event for event in (await world.client.list("events")).items
                  if event["reason"] == "FailedMount"]  # fmt: skip
        assert {event["message"] for event in failed} == {
            'MountVolume.SetUp failed for volume "v" : configmap "late" not found'
        }
        # At 0, 0.5, 1.5, 3.5 and 7.5 seconds.
        assert sum(event.get("count", 1) for event in failed) == 5
        assert not world.machine.cri.driver.sandboxes
        await world.client.create("configmaps", config("late", k="1"))
        pod = await world.wait("p", kw.phase("Running"), 10)
        assert pod["status"]["phase"] == "Running"
        assert await run(world, "cat /v/k") == "1"

    lab(scenario, root)


def test_a_pod_that_waits_long_is_told_of_as_a_whole():
    async def scenario(world):
        mounts = [("v", "/v", {}), ("e", "/e", {})]
        volumes = [{"name": "v", "secret": {"secretName": "no"}}, {"name": "e", "emptyDir": {}}]
        await world.pod("p", containers=[one(mounts=mounts)], volumes=volumes)
        await asyncio.sleep(130)
        told = [text for text in await world.events("FailedMount") if text.startswith("Unable")]
        assert told == [
            "Unable to attach or mount volumes: unmounted volumes=[v], unattached volumes=[], "
            "failed to process volumes=[]: context deadline exceeded"
        ]

    lab(scenario)


def test_a_claim_that_is_not_bound_is_told_at_once():
    async def scenario(world):
        volumes = [{"name": "d", "persistentVolumeClaim": {"claimName": "no"}}]
        await world.pod("p", containers=[one(mounts=[("d", "/d", {})])], volumes=volumes)
        await asyncio.sleep(1)
        assert (await world.events("FailedMount"))[0] == (
            "Unable to attach or mount volumes: unmounted volumes=[d], unattached volumes=[], "
            "failed to process volumes=[d]: error processing PVC default/no: failed to fetch PVC "
            'from API server: persistentvolumeclaims "no" not found'
        )

    lab(scenario)


def test_a_config_map_that_changes_changes_the_files_and_no_part_that_is_mounted_alone(root):
    async def scenario(world):
        await world.client.create("configmaps", config("conf", a="1", b="1"))
        mounts = [("v", "/v", {}), ("v", "/single", {"subPath": "a"})]
        volumes = [{"name": "v", "configMap": {"name": "conf"}}]
        await world.pod("p", containers=[one(mounts=mounts)], volumes=volumes)
        await world.wait("p", kw.phase("Running"))
        assert await run(world, "cat /v/a /v/b /single; readlink /v/a") == "111..data/a\n"
        await world.client.patch("configmaps", "conf", {"data": {"a": "2", "b": None}}, "default")
        await asyncio.sleep(1)
        assert await run(world, "cat /v/a /single; ls /v") == "21a\n"
        assert "Read-only file system" in await run(world, "echo x > /v/a")
        await world.client.delete("configmaps", "conf", "default")
        await asyncio.sleep(1)
        assert await run(world, "cat /v/a") == "2"

    lab(scenario, root)


def test_an_immutable_object_is_watched_no_longer():
    async def scenario(world):
        await world.client.create("configmaps", {**config("conf", a="1"), "immutable": True})
        volumes = [{"name": "v", "configMap": {"name": "conf"}}]
        await world.pod("p", containers=[one(mounts=[("v", "/v", {})])], volumes=volumes)
        await world.wait("p", kw.phase("Running"))
        assert await run(world, "cat /v/a") == "1"
        await asyncio.sleep(1)
        assert not [
            task for task in asyncio.all_tasks() if "watch/configmaps/conf" in task.get_name()
        ]
        assert [
            task for task in asyncio.all_tasks() if "watch/configmaps/kube-root" in task.get_name()
        ]

    lab(scenario)


def test_containers_share_an_empty_directory_that_goes_with_the_pod(root):
    async def scenario(world):
        volumes = [{"name": "e", "emptyDir": {}}]
        containers = [
            one("web", [("e", "/w", {})]),
            one(
                "side",
                [("e", "/s", {"subPathExpr": "of/$(NAME)"}), ("e", "/ro", {"readOnly": True})],
                env=[{"name": "NAME", "value": "me"}],
            ),
        ]
        await world.pod("p", containers=containers, volumes=volumes)
        pod = await world.wait("p", kw.phase("Running"))
        await run(world, "echo hi > /w/a; mkdir -p /w/of/me; echo deep > /w/of/me/b")
        assert await run(world, "cat /ro/a /s/b", "side") == "hi\ndeep\n"
        assert "Read-only" in await run(world, "rm /ro/a", "side")
        uid = pod["metadata"]["uid"]
        path = f"{root or '/var/lib/kubelet'}/pods/{uid}"
        where = f"{path}/volumes/kubernetes.io~empty-dir/e/a"
        kept = Path(where).read_bytes() if root else world.disk.read(where)
        assert kept == b"hi\n"
        if root:  # who may write into the volume may write into a part of it
            assert Path(where).with_name("of").stat().st_mode & 0o777 == 0o777
        await world.client.delete("pods", "p", "default", grace=1)
        await world.gone("p")
        await asyncio.sleep(1)
        assert not (list((root / "pods").iterdir()) if root else world.disk.kind(path))

    lab(scenario, root)


def test_a_pods_group_has_its_volumes(root):
    async def scenario(world):
        await world.client.create(
            "secrets",
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "data": {"k": "dg=="},
                "metadata": {"name": "s", "namespace": "default"},
            },
        )
        volumes = [
            {"name": "e", "emptyDir": {}},
            {"name": "m", "emptyDir": {"medium": "Memory"}},
            {"name": "s", "secret": {"secretName": "s", "defaultMode": 0o400}},
        ]
        mounts = [("e", "/e", {}), ("m", "/m", {}), ("s", "/s", {})]
        await world.pod(
            "p", containers=[one("web", mounts)], volumes=volumes,
            securityContext={"runAsUser": 1000, "runAsGroup": 3000, "fsGroup": 2000},
        )  # fmt: skip
        await world.wait("p", kw.phase("Running"))
        script = (
            "id; cat /s/k; echo; >/e/f; mkdir /m/d; stat -Lc '%n %a %u:%g' /e /e/f /m /m/d /s /s/k;"
            "stat -c %g /s/k; rm /s/k; >/etc/f"
        )
        told = await run(world, script)
        rows = [line for line in told.splitlines() if " 1000:" in line or " 0:" in line]
        if not root or os.geteuid() == 0:
            assert rows == [
                "/e 2777 0:2000", "/e/f 644 1000:2000", "/m 3777 0:2000", "/m/d 2755 1000:2000",
                "/s 3777 0:2000", "/s/k 440 0:2000",
            ]  # fmt: skip
            assert "\nv\n" in told
        assert told.startswith("uid=1000 gid=3000 groups=2000,3000\n")
        assert "rm: can't remove '/s/k': Read-only file system" in told
        assert "can't create /etc/f: Permission denied" in told

    lab(scenario, root)


def test_pods_that_nobody_looks_into_have_no_files_and_no_watches():
    async def scenario(world):
        await world.client.create("configmaps", config("conf", a="1"))
        volumes = [{"name": "v", "configMap": {"name": "conf"}}, {"name": "e", "emptyDir": {}}]
        mounts = [("v", "/v", {}), ("e", "/e", {})]
        for number in range(20):
            await world.pod(f"p-{number}", containers=[one(mounts=mounts)], volumes=volumes)
        for number in range(20):
            await world.wait(f"p-{number}", kw.phase("Running"))
        assert not world.disk.kind("/var")
        assert not [task for task in asyncio.all_tasks() if "watch/" in task.get_name()]

    lab(scenario)


def test_a_token_is_the_pods_own_and_is_replaced_before_it_expires(root):
    async def scenario(world):
        source = {
            "serviceAccountToken": {"path": "t", "audience": "vault", "expirationSeconds": 600}
        }
        volumes = [{"name": "t", "projected": {"sources": [source]}}]
        await world.pod("p", containers=[one(mounts=[("t", "/t", {})])], volumes=volumes)
        pod = await world.wait("p", kw.phase("Running"))
        first = await run(world, "cat /t/t")
        part = first.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        assert claims["aud"] == ["vault"]
        assert claims["kubernetes.io"]["pod"]["uid"] == pod["metadata"]["uid"]
        await asyncio.sleep(400)
        assert await run(world, "cat /t/t") == first
        await asyncio.sleep(100)
        assert await run(world, "cat /t/t") != first
        found = await run(world, "cat /var/run/secrets/kubernetes.io/serviceaccount/namespace")
        assert found == "default"

    lab(scenario, root)


def test_labels_that_change_change_the_downward_files(root):
    async def scenario(world):
        items = [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]
        volumes = [{"name": "d", "downwardAPI": {"items": items}}]
        await world.pod("p", containers=[one(mounts=[("d", "/d", {})])], volumes=volumes)
        await world.wait("p", kw.phase("Running"))
        assert await run(world, "cat /d/labels") == ""
        await world.client.patch("pods", "p", {"metadata": {"labels": {"a": "b"}}}, "default")
        await asyncio.sleep(1)
        assert await run(world, "cat /d/labels") == 'a="b"'

    lab(scenario, root)


def test_another_kubelet_keeps_the_files_true(root):
    async def scenario(world):
        await world.client.create("configmaps", config("conf", a="1"))
        volumes = [{"name": "v", "configMap": {"name": "conf"}}, {"name": "e", "emptyDir": {}}]
        mounts = [("v", "/v", {}), ("e", "/e", {})]
        await world.pod("p", containers=[one(mounts=mounts)], volumes=volumes)
        await world.wait("p", kw.phase("Running"))
        assert await run(world, "echo kept > /e/f; cat /v/a") == "1"
        world.task.cancel()
        await asyncio.sleep(1)
        kubelet, _ = world.start_kubelet(world.machine.cri, root_dir=str(root))
        await kubelet.ready.wait()
        await world.client.patch("configmaps", "conf", {"data": {"a": "2"}}, "default")
        await asyncio.sleep(2)
        assert await run(world, "cat /v/a /e/f") == "2kept\n"
        assert (await world.get("p"))["status"]["containerStatuses"][0]["restartCount"] == 0

    lab(scenario, root)


def test_what_is_left_of_a_pod_and_cannot_be_removed_does_not_end_the_kubelet(
    tmp_path, monkeypatch
):
    (tmp_path / "pods" / "stuck").mkdir(parents=True)
    (tmp_path / "pods" / "other").mkdir()
    remove = RealDisk.remove

    def refusing(disk, path):
        if path.endswith("/stuck"):
            raise PermissionError(1, "Operation not permitted", path)
        remove(disk, path)

    monkeypatch.setattr(RealDisk, "remove", refusing)

    async def scenario(world):
        await world.pod("p", containers=[one()])
        await world.wait("p", kw.phase("Running"))
        assert not world.task.done()
        assert not (tmp_path / "pods" / "other").exists()

    lab(scenario, tmp_path)


def test_a_pod_stays_until_its_volumes_go_and_that_is_said_once(tmp_path, monkeypatch):
    remove, held = RealDisk.remove, [True]

    def refusing(disk, path):
        if held[0] and Path(path).parent.name == "pods":
            raise PermissionError(1, "Operation not permitted", path)
        remove(disk, path)

    monkeypatch.setattr(RealDisk, "remove", refusing)

    async def scenario(world):
        await world.pod("p", containers=[one()], volumes=[{"name": "v", "emptyDir": {}}])
        await world.wait("p", kw.phase("Running"))
        await world.client.delete("pods", "p", "default")
        await asyncio.sleep(120)
        assert await world.get("p")
        held[0] = False
        await world.gone("p")

    with structlog.testing.capture_logs() as logs:
        lab(scenario, tmp_path)
    told = [one for one in logs if one["log_level"] in ("warning", "error")]
    assert [one["event"] for one in told] == ["a pod has ended: its volumes stay"]


def test_a_volume_in_memory_has_its_limit():
    async def scenario(world):
        volumes = [{"name": "m", "emptyDir": {"medium": "Memory", "sizeLimit": "4Ki"}}]
        await world.pod("p", containers=[one(mounts=[("m", "/m", {})])], volumes=volumes)
        await world.wait("p", kw.phase("Running"))
        assert "No space left" in await run(
            world, "for i in 1 2 3 4 5 6; do seq 1 400 >> /m/f; done"
        )
        said = await run(world, "dd if=/dev/zero of=/m/g bs=1k count=9; echo $?")
        assert said == "1\ndd: error writing '/m/g': No space left on device\n"

    lab(scenario)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        (
            {"env": [{"name": "K", "valueFrom": {"configMapKeyRef": {"name": "no", "key": "k"}}}]},
            'configmap "no" not found',
        ),
        ({"envFrom": [{"secretRef": {"name": "no"}}]}, 'secret "no" not found'),
        (
            {"env": [{"name": "K", "valueFrom": {
                "configMapKeyRef": {"name": "kube-root-ca.crt", "key": "k"}}}]},
            "couldn't find key k in ConfigMap default/kube-root-ca.crt",
        ),
    ],
)  # fmt: skip
def test_a_container_that_cannot_be_configured_says_why_and_recovers(fields, why):
    async def scenario(world):
        await world.pod("p", containers=[one(**fields)])
        pod = await world.wait("p", kw.waiting("CreateContainerConfigError"))
        assert kw.container(pod)["state"]["waiting"]["message"] == why
        await asyncio.sleep(1)
        assert f"Error: {why}" in await world.events("Failed")
        if "kube-root" in why:
            patch = {"data": {"k": "v"}}
            await world.client.patch("configmaps", "kube-root-ca.crt", patch, "default")
        else:
            await world.client.create("configmaps", config("no", k="v"))
            meta = {"name": "no", "namespace": "default"}
            secret = {"apiVersion": "v1", "kind": "Secret", "metadata": meta}
            await world.client.create("secrets", secret)
        await world.wait("p", kw.phase("Running"), 20)

    lab(scenario)


def test_containers_know_services_hosts_and_resolvers(root):
    async def scenario(world):
        spec = {"clusterIP": "10.96.0.44", "ports": [{"port": 80}]}
        meta = {"name": "front", "namespace": "default"}
        service = {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}
        await world.client.create("services", service)
        await asyncio.sleep(1)
        aliases = [{"ip": "1.2.3.4", "hostnames": ["foo"]}]
        await world.pod("p", containers=[one()], hostAliases=aliases, hostname="h", subdomain="s")
        await world.wait("p", kw.phase("Running"))
        assert await run(world, "echo $FRONT_SERVICE_HOST $FRONT_PORT") == (
            "10.96.0.44 tcp://10.96.0.44:80\n"
        )
        hosts = await run(world, "cat /etc/hosts; hostname")
        assert "10.244.1.2\th.s.default.svc.cluster.local\th\n" in hosts
        assert hosts.endswith("1.2.3.4\tfoo\nh\n")
        assert await run(world, "cat /etc/resolv.conf") == (
            "search default.svc.cluster.local svc.cluster.local cluster.local\n"
            "nameserver 10.96.0.10\noptions ndots:5\n"
        )
        await world.pod("q", containers=[one("q")], enableServiceLinks=False)
        await world.wait("q", kw.phase("Running"))
        assert await run(world, "echo x$FRONT_SERVICE_HOST", "q") == "x\n"

    lab(scenario, root)


def test_a_host_path_is_in_the_nodes_own_root(tmp_path):
    async def scenario(world):
        volumes = [{"name": "h", "hostPath": {"path": "/data", "type": "DirectoryOrCreate"}}]
        await world.pod("p", containers=[one(mounts=[("h", "/h", {})])], volumes=volumes)
        await world.wait("p", kw.phase("Running"))
        await run(world, "echo hi > /h/f; ln -s /etc /h/l; ln -s /none /h/n")
        assert (tmp_path / "host" / "data" / "f").read_text() == "hi\n"
        await world.pod("q", containers=[one("q", [("h", "/h", {})])],
                        volumes=[{"name": "h", "hostPath": {"path": "/data/l"}}])  # fmt: skip
        await world.wait("q", kw.phase("Running"))
        (tmp_path / "host" / "etc" / "of-the-node").write_text("here\n")
        assert await run(world, "cat /h/of-the-node", "q") == "here\n"
        await world.pod("r", containers=[one("r", [("h", "/h", {})])],
                        volumes=[{"name": "h", "hostPath": {"path": "/data/n"}}])  # fmt: skip
        await asyncio.sleep(3)
        told = await world.events("FailedMount")
        assert set(told) == {
            'MountVolume.SetUp failed for volume "h" : path /data/n is a link to nowhere'
        }
        assert (await world.get("r"))["status"]["phase"] == "Pending"

    lab(scenario, tmp_path)
