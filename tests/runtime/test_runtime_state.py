"""A runtime that was restarted: what it knows of what ran, by choice, and what damage does."""

import asyncio
import contextlib
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.aio import clock, virtual
from cluster.pb.cluster.v1 import streaming_pb2
from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime.config import Config, LogFiles, Unusable
from cluster.runtime.service import CriService
from cluster.runtime.state import entries, journal, recovery

EPOCH = 1_790_000_000.0
CIDR = "10.244.3.0/24"
NANO = 1_000_000_000


class World:
    """A machine that can be switched off and on, with its disk in a folder."""

    def __init__(self, folder, node="node-1") -> None:
        self.folder = folder
        self.node = node
        self._seed = 0

    async def up(self, on_restart="reboot") -> CriService:
        self._seed += 1
        wall = clock.LoopClock(asyncio.get_running_loop(), EPOCH)
        config = Config(
            node_name=self.node, state_dir=self.folder / "state", on_restart=on_restart,
            log_files=LogFiles(1 << 20, 2), volumes_on_disk=True,
        )  # fmt: skip
        cri = CriService(config, clock=wall, random=random.Random(self._seed))
        try:
            await cri.recover()
        except Unusable:
            cri.close()
            raise
        return cri

    async def pod(self, cri, name="web", annotations=None, containers=(("web", ()),)):
        config = pb.PodSandboxConfig(
            metadata=pb.PodSandboxMetadata(name=name, uid=f"uid-{name}"),
            log_directory=str(self.folder / "logs" / name),
            annotations=annotations or {},
        )
        box = (await cri.run_pod_sandbox(pb.RunPodSandboxRequest(config=config))).pod_sandbox_id
        return box, [await self.container(cri, box, *told) for told in containers]

    async def container(self, cri, box, name, command=(), started=True, now=None, **more):
        image = pb.ImageSpec(image="example.com/unheard/of:1")
        await cri.pull_image(pb.PullImageRequest(image=image))
        config = pb.ContainerConfig(
            metadata=pb.ContainerMetadata(name=name), image=image, command=command,
            log_path=f"{name}/0.log", **more,
        )  # fmt: skip
        request = pb.CreateContainerRequest(pod_sandbox_id=box, config=config, sandbox_config=now)
        made = (await cri.create_container(request)).container_id
        if started:
            await cri.start_container(pb.StartContainerRequest(container_id=made))
        return made


async def up_with_cidr(world, how="reboot"):
    cri = await world.up(how)
    network = pb.RuntimeConfig(network_config=pb.NetworkConfig(pod_cidr=CIDR))
    await cri.update_runtime_config(pb.UpdateRuntimeConfigRequest(runtime_config=network))
    return cri


async def status(cri, made):
    return (await cri.container_status(pb.ContainerStatusRequest(container_id=made))).status


async def box_status(cri, box):
    return (await cri.pod_sandbox_status(pb.PodSandboxStatusRequest(pod_sandbox_id=box))).status


async def log_of(cri, made):
    request = streaming_pb2.ReadLogRequest(container_id=made)
    return [line.split(b" ", 3)[3] for line in (await cri.read_log(request)).data.splitlines()]


def test_a_reboot_ends_what_ran_and_keeps_what_is_known_of_it(tmp_path):
    async def main():
        world = World(tmp_path)
        cri = await up_with_cidr(world)
        box, (ran, over, never) = await world.pod(
            cri, containers=(("web", ()), ("job", ("sh", "-c", "echo done; exit 3")),
                             ("late", (), False))
        )  # fmt: skip
        await asyncio.sleep(1)
        before = {one: await status(cri, one) for one in (ran, over, never)}
        assert before[over].exit_code == 3
        cri.close()
        cri = await world.up("reboot")
        sandbox, after = await box_status(cri, box), await status(cri, ran)
        assert sandbox.state == pb.SANDBOX_NOTREADY
        assert (after.state, after.exit_code, after.reason) == (pb.CONTAINER_EXITED, 255, "Unknown")
        assert after.started_at == before[ran].started_at
        assert after.finished_at > before[ran].started_at
        assert await status(cri, over) == before[over]
        assert (await status(cri, never)).state == pb.CONTAINER_CREATED
        assert await log_of(cri, over) == [b"done"]
        assert await log_of(cri, ran) == [b"web: started"]
        images = (await cri.list_images(pb.ListImagesRequest())).images
        assert [one.repo_tags for one in images] == [["example.com/unheard/of:1"]]
        # The addresses of a rebooted machine are free again, and it knows where they come from.
        again, _ = await world.pod(cri, "other")
        assert (await box_status(cri, again)).network.ip == sandbox.network.ip
        await cri.remove_pod_sandbox(pb.RemovePodSandboxRequest(pod_sandbox_id=box))
        assert not (tmp_path / "logs" / "web").exists()
        cri.close()

    virtual.run(main())


def test_what_a_pod_says_when_a_container_is_made_counts_for_it_for_good(tmp_path):
    async def main():
        world = World(tmp_path)
        cri = await up_with_cidr(world)
        box, (first,) = await world.pod(cri, annotations={"kubemu.dev/memory": "1Mi", "note": "a"})
        now = pb.PodSandboxConfig(annotations={"kubemu.dev/memory": "2Mi", "note": "b"})
        second = await world.container(cri, box, "second", now=now)
        third = await world.container(cri, box, "third", now=pb.PodSandboxConfig())

        def told():
            found = [cri.driver.containers[one].script.memory for one in (first, second, third)]
            return [one and one.at(0.0) for one in found]

        assert told() == [1 << 20, 2 << 20, None]
        cri.close()
        cri = await world.up("resume")
        assert told() == [1 << 20, 2 << 20, None]
        cri.close()

    virtual.run(main())


def test_a_machine_that_was_out_of_sight_runs_on(tmp_path):
    async def main():
        world = World(tmp_path)
        cri = await up_with_cidr(world)
        box, (server, timed, loop) = await world.pod(
            cri, annotations={"kubemu.dev/run-for.timed": "60s"},
            containers=(("web", ()), ("timed", ()),
                        ("loop", ("sh", "-c", "while true; do echo turn; sleep 10; done"))),
        )  # fmt: skip
        before = {one: await status(cri, one) for one in (server, timed, loop)}
        await asyncio.sleep(15)
        await cri.update_container_resources(
            pb.UpdateContainerResourcesRequest(
                container_id=server, linux=pb.LinuxContainerResources(cpu_shares=77)
            )
        )
        cri.close()
        await asyncio.sleep(15)
        cri = await world.up("resume")
        assert {one: await status(cri, one) for one in before} == before
        assert (await box_status(cri, box)).state == pb.SANDBOX_READY
        assert cri.driver.containers[server].resources.cpu_shares == 77
        other, _ = await world.pod(cri, "other")
        assert (await box_status(cri, other)).network.ip == "10.244.3.3"
        await asyncio.sleep(29)
        assert (await status(cri, timed)).state == pb.CONTAINER_RUNNING
        await asyncio.sleep(2)
        ended = await status(cri, timed)
        assert (ended.state, ended.reason) == (pb.CONTAINER_EXITED, "Completed")
        assert round((ended.finished_at - ended.started_at) / NANO) == 60
        # A program's memory is gone: it begins anew in its container, and its log goes on.
        assert await log_of(cri, loop) == [b"turn"] * 2 + [b"turn"] * 4
        cri.close()
        cri = await world.up("resume")
        assert (await status(cri, timed)).state == pb.CONTAINER_EXITED
        cri.close()

    virtual.run(main())


def test_an_empty_machine_knows_nothing(tmp_path):
    async def main():
        world = World(tmp_path)
        cri = await up_with_cidr(world)
        await world.pod(cri)
        assert (tmp_path / "logs" / "web" / "web" / "0.log").exists()
        cri.close()
        cri = await world.up("empty")
        assert not (await cri.list_pod_sandbox(pb.ListPodSandboxRequest())).items
        assert not (await cri.list_images(pb.ListImagesRequest())).images
        assert not (tmp_path / "logs" / "web").exists()
        cri.close()
        cri = await world.up("reboot")
        assert not (await cri.list_pod_sandbox(pb.ListPodSandboxRequest())).items
        cri.close()

    virtual.run(main())


@pytest.mark.parametrize(
    ("how", "left"),
    [
        ("resume", ["disk", "memory", "other", "part"]), ("reboot", ["disk", "other", "part"]),
        ("empty", ["other"]),
    ],
)  # fmt: skip
def test_what_is_left_in_volumes(tmp_path, how, left):
    volumes = tmp_path / "pods" / "uid-web" / "volumes" / "kubernetes.io~empty-dir"
    theirs = tmp_path / "pods" / "uid-other" / "volumes" / "kubernetes.io~empty-dir" / "other"
    paths = {name: volumes / name for name in ("disk", "memory", "part")} | {"other": theirs}
    for path in paths.values():
        (path / "sub").mkdir(parents=True)
        (path / "sub" / "file").write_text("x")
        (path / "link").symlink_to(tmp_path)
    (tmp_path / "keep").write_text("x")

    async def main():
        world = World(tmp_path)
        cri = await up_with_cidr(world)
        mounted = [*(paths[name] for name in ("disk", "memory", "other")), paths["part"] / "sub"]
        mounts = [pb.Mount(host_path=str(path), container_path=f"/{path.name}") for path in mounted]
        memory = json.dumps({str(paths["memory"]): 0})
        told = {"kubemu.dev/memory-volumes": memory}
        box, _ = await world.pod(cri, containers=())
        await world.container(cri, box, "web", mounts=mounts, annotations=told)
        cri.close()
        (await world.up(how)).close()
        assert [name for name, path in sorted(paths.items()) if list(path.iterdir())] == left
        assert all(path.is_dir() for path in paths.values())
        assert (tmp_path / "keep").exists()

    virtual.run(main())


def test_times_go_on_after_a_restart(tmp_path):
    async def main():
        world = World(tmp_path)
        cri = await up_with_cidr(world)
        _, (made,) = await world.pod(cri)
        started = (await status(cri, made)).started_at
        cri.close()
        cri = await world.up("resume")
        assert cri.driver.time() > started
        cri.close()

    virtual.run(main())


def test_what_was_removed_does_not_come_back_and_the_file_stays_short(tmp_path):
    async def main():
        world = World(tmp_path)
        cri = await up_with_cidr(world)
        message = "x" * 20_000
        for number in range(150):
            box, _ = await world.pod(
                cri, f"pod-{number}", annotations={"note": message}, containers=()
            )
            await cri.remove_pod_sandbox(pb.RemovePodSandboxRequest(pod_sandbox_id=box))
        assert (tmp_path / "state" / "runtime.state").stat().st_size < 1_100_000
        kept, _ = await world.pod(cri, "kept", containers=())
        cri.close()
        cri = await world.up()
        items = (await cri.list_pod_sandbox(pb.ListPodSandboxRequest())).items
        assert [one.id for one in items] == [kept]
        cri.close()

    virtual.run(main())


@pytest.mark.parametrize(
    ("spoil", "left"),
    [
        (lambda data: data[:-3], 1),
        (lambda data: data[:-3] + b"\0\0\0", 1),
        (lambda data: b"something else\n" + data, 0),
        (lambda data: b"", 0),
        (lambda data: data + journal.framed(entries.encode({"type": "novelty"})), 0),
    ],
)
def test_a_damaged_file_is_moved_aside_and_used_as_far_as_it_goes(tmp_path, spoil, left):
    async def main():
        world = World(tmp_path)
        cri = await up_with_cidr(world)
        await world.pod(cri, "first", containers=())
        await world.pod(cri, "second", containers=())
        cri.close()
        path = tmp_path / "state" / "runtime.state"
        spoiled = spoil(path.read_bytes())
        path.write_bytes(spoiled)
        cri = await world.up()
        assert len((await cri.list_pod_sandbox(pb.ListPodSandboxRequest())).items) == left
        assert path.with_name("runtime.state.damaged-1").read_bytes() == spoiled
        cri.close()
        cri = await world.up()
        assert len((await cri.list_pod_sandbox(pb.ListPodSandboxRequest())).items) == left
        assert not path.with_name("runtime.state.damaged-2").exists()
        cri.close()

    virtual.run(main())


def test_a_folder_has_one_runtime_of_one_node(tmp_path):
    async def main():
        world = World(tmp_path)
        cri = await up_with_cidr(world)
        with pytest.raises(Unusable, match="in use by another runtime"):
            await world.up()
        cri.close()
        with pytest.raises(Unusable, match="holds the state of node node-1, and this is node-2"):
            await World(tmp_path, "node-2").up()
        (await world.up()).close()

    virtual.run(main())


def test_a_full_disk_is_told_and_written_to_again(tmp_path, monkeypatch):
    async def main():
        world = World(tmp_path)
        cri = await up_with_cidr(world)
        real = journal.os.write
        monkeypatch.setattr(journal.os, "write", lambda fd, data: real(fd, bytes(data)[:4]) and 4)
        await world.pod(cri, "first", containers=())
        monkeypatch.setattr(journal.os, "write", real)
        await asyncio.sleep(6)
        await world.pod(cri, "second", containers=())
        cri.close()
        cri = await world.up()
        items = (await cri.list_pod_sandbox(pb.ListPodSandboxRequest())).items
        assert [one.metadata.name for one in items] == ["first", "second"]
        cri.close()

    virtual.run(main())


@given(st.lists(st.binary(max_size=60), max_size=8), st.data())
def test_whatever_is_cut_off_what_comes_before_is_read(payloads, data):
    whole = journal.HEADER + b"".join(map(journal.framed, payloads))
    assert journal.parse(whole) == journal.Content(tuple(payloads))
    cut = data.draw(st.integers(0, len(whole) - 1))
    found = journal.parse(whole[:cut])
    assert found.records == tuple(payloads)[: len(found.records)]
    ends = [len(journal.HEADER)]
    for payload in payloads:
        ends.append(ends[-1] + len(journal.framed(payload)))
    assert bool(found.damage) == (cut not in ends)


@given(st.binary(max_size=300))
def test_no_bytes_make_reading_fail_otherwise(noise):
    found = journal.parse(journal.HEADER + noise)
    with contextlib.suppress(entries.Unreadable):
        recovery.read(found.records)
    with pytest.raises(entries.Unreadable):
        recovery.read((b"\xc1" + noise,))
