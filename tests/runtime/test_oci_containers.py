"""What only real processes can show: users, memory, namespaces, and who outlives whom."""

import asyncio
import json
import os
import signal
from pathlib import Path

import driverworld
import pytest
from driverworld import World

from cluster.aio import rpc
from cluster.pb.cluster.v1 import kubelet_pb2 as kubelet
from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime import memoryvolumes
from cluster.runtime.oci import leaving

pytestmark = pytest.mark.skipif(bool(driverworld.lacking()), reason=driverworld.lacking())
LIMIT = 24 << 20


@pytest.fixture
def play(tmp_path):
    def run(story, **config):
        async def main():
            world = World("oci", tmp_path)
            await world.open(**config)
            try:
                return await story(world)
            finally:
                await world.end()

        return asyncio.run(main())

    return run


def linux(**security) -> pb.LinuxContainerConfig:
    found = pb.LinuxContainerConfig(security_context=pb.LinuxContainerSecurityContext(**security))
    if "namespace_options" not in security:
        found.security_context.namespace_options.pid = pb.CONTAINER
    return found


def shim_of(world) -> int:
    return int(world.cri.driver.oci.link._process.pid)


def pid_of(world, made) -> int:
    return world.cri.driver.oci._pids[made]


def test_a_process_has_its_user_groups_and_rights(play):
    asked = linux(
        run_as_user=pb.Int64Value(value=1000), supplemental_groups=[77], no_new_privs=True,
        capabilities=pb.Capability(drop_capabilities=["ALL"]),
    )  # fmt: skip

    async def story(world):
        script = "id -u; id -G; grep -E 'CapBnd|NoNewPrivs' /proc/self/status"
        said = (await world.run("c", "sh", "-c", script, linux=asked))[1]
        (one,) = world.cri.driver.oci.containers.values()
        status = await world.cri.container_status(pb.ContainerStatusRequest(container_id=one.id))
        return said, status.status.user.linux

    said, user = play(story)
    assert said == [
        "stdout 1000", "stdout 1000 50 77", "stdout CapBnd:\t0000000000000000",
        "stdout NoNewPrivs:\t1",
    ]  # fmt: skip
    assert (user.uid, user.gid) == (1000, 1000)
    assert {50, 77} <= {*user.supplemental_groups}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root could give /dev/null away")
@pytest.mark.parametrize("tty", [False, True])
def test_the_machines_devices_stay_the_machines_whoever_the_user_is(play, tty):
    async def story(world):
        asked = linux(run_as_user=pb.Int64Value(value=4242))
        made = await world.begin("c", "sleep", "60", linux=asked, tty=tty)
        found = [(await world.exec(made, "id", "-u")).stdout]
        found.append((await world.session(made, ["id", "-u"], []))[0])
        found.append((await world.session(made, ["id", "-u"], [], tty=True))[0])
        read = (await world.session(made, ["cat"], []))[:3]
        await world.stop(made, 0)
        return [one.split() for one in found], read

    with driverworld.null_stays():
        assert play(story) == ([[b"4242"]] * 3, (b"", b"", 0))


def test_any_user_reads_what_is_mounted_whatever_the_umask_was(tmp_path):
    async def main():
        world = World("oci", tmp_path)
        await world.open()
        try:
            asked = linux(run_as_user=pb.Int64Value(value=1000))
            script = "umask; cat /etc/hostname /etc/resolv.conf; echo bye > /dev/termination-log"
            made = await world.begin("c", "sh", "-c", script, linux=asked)
            return (await world.ended(made)).message, await world.log(made)
        finally:
            await world.end()

    before = os.umask(0o077)
    try:
        words, log = asyncio.run(main())
    finally:
        os.umask(before)
    assert words == "bye\n"
    assert log[:3] == ["stdout 0022", "stdout p", "stdout search svc.cluster.local"]


def in_memory(folder: Path, size: int) -> dict[str, str]:
    return {memoryvolumes.NAME: json.dumps({str(folder): size})}


def test_a_volume_in_memory_has_its_size_and_is_shared_and_goes_with_the_pod(play, tmp_path):
    folder = tmp_path / "volume"
    folder.mkdir()
    folder.chmod(0o777)
    mount = pb.Mount(container_path="/m", host_path=str(folder))
    part = pb.Mount(container_path="/part", host_path=f"{folder}/a/b")
    more = {"annotations": in_memory(folder, 1 << 20), "mounts": [mount, part]}

    async def story(world):
        user = linux(run_as_user=pb.Int64Value(value=1000))
        script = (
            "mount | grep -c 'tmpfs on /m .*size=1024k'; echo deep > /part/x; cat /m/a/b/x;"
            "dd if=/dev/zero of=/m/big bs=1M count=2 2>/dev/null || echo full"
        )
        first = await world.run("a", "sh", "-c", script, linux=user, **more)
        second = await world.run("b", "cat", "/part/x", **more)
        request = pb.RemovePodSandboxRequest(pod_sandbox_id=world.sandbox)
        mounts = Path(f"/proc/{shim_of(world)}/mounts")
        before = str(folder) in mounts.read_text()
        await world.cri.remove_pod_sandbox(request)
        return first[1], second[1], before, str(folder) in mounts.read_text()

    first, second, before, after = play(story)
    assert first == ["stdout 1", "stdout deep", "stdout full"]
    assert second == ["stdout deep"]
    assert (before, after) == (True, False)
    assert list(folder.iterdir()) == []


def test_no_link_leads_out_of_a_volume_in_memory(play, tmp_path):
    folder = tmp_path / "volume"
    folder.mkdir()
    mount = pb.Mount(container_path="/m", host_path=str(folder))
    part = pb.Mount(container_path="/part", host_path=f"{folder}/out")

    async def story(world):
        said = in_memory(folder, 0)
        await world.run("a", "sh", "-c", "ln -s / /m/out", mounts=[mount], annotations=said)
        with pytest.raises(rpc.Failure) as failed:
            await world.begin("b", "ls", "/part", mounts=[part], annotations=said)
        return failed.value.message

    assert "out is a symbolic link" in play(story)


def test_who_uses_more_memory_than_allowed_is_killed_for_it(play):
    asked = linux()
    asked.resources.memory_limit_in_bytes = LIMIT

    async def story(world):
        if not world.cri.driver.oci.link.cgroup:
            pytest.skip("cgroups cannot be written here")
        made = await world.begin("c", "sh", "-c", "head -c 99000000 /dev/zero | tail", linux=asked)
        found = await world.ended(made)
        return found.reason, found.exit_code

    assert play(story) == ("OOMKilled", 137)


def test_limits_are_changed_while_it_runs(play):
    asked = linux()
    asked.resources.memory_limit_in_bytes = LIMIT

    async def story(world):
        if not world.cri.driver.oci.link.cgroup:
            pytest.skip("cgroups cannot be written here")
        made = await world.begin("c", "sleep", "60", linux=asked)
        more = pb.LinuxContainerResources(memory_limit_in_bytes=2 * LIMIT)
        request = pb.UpdateContainerResourcesRequest(container_id=made, linux=more)
        await world.cri.update_container_resources(request)
        line = next(one for one in Path(f"/proc/{pid_of(world, made)}/cgroup").read_text().split()
                    if ":memory:" in one or one.startswith("0::/kubemu"))  # fmt: skip
        folder = Path("/sys/fs/cgroup")
        path = line.rpartition(":")[2].lstrip("/")
        new, old = folder / path / "memory.max", folder / "memory" / path / "memory.limit_in_bytes"
        return int((new if new.exists() else old).read_text())

    assert play(story) == 2 * LIMIT


def test_containers_of_a_pod_share_its_network_and_others_do_not(play):
    async def story(world):
        await world.begin("server", "sh", "-c", "while :; do echo hi | nc -l -p 80; done")
        inside = "for i in $(seq 50); do nc 127.0.0.1 80 </dev/null && break; sleep 0.1; done"
        _, same = await world.run("client", "sh", "-c", inside)
        world.sandbox = await world.box("other")
        _, other = await world.run("c", "sh", "-c", "nc 127.0.0.1 80 </dev/null || echo none")
        return same[-1], other[-1]

    assert play(story) == ("stdout hi", "stdout none")


def test_a_port_of_a_pod_is_forwarded_and_one_that_nobody_has_is_refused(play):
    async def story(world):
        await world.begin("c", "sh", "-c", "while :; do nc -l -p 8080 -e cat; done")

        async def forwarded(port):
            async def inputs():
                start = kubelet.PortForwardStart(pod=world.sandbox, port=port)
                yield kubelet.PortForwardInput(start=start)
                yield kubelet.PortForwardInput(data=b"ping")
                yield kubelet.PortForwardInput(closed=True)

            return [one async for one in await world.cri.stream_port_forward(inputs())]

        async with asyncio.timeout(10):
            while (found := await forwarded(8080))[0].error:
                await asyncio.sleep(0.05)
        return found, (await forwarded(8081))[0].error

    found, refused = play(story)
    assert b"".join(one.data for one in found) == b"ping"
    assert found[0].connected
    assert found[-1].closed
    assert "dial tcp4 127.0.0.1:8081: connect: connection refused" in refused


def test_a_pod_sees_its_address(play):
    async def story(world):
        request = pb.PodSandboxStatusRequest(pod_sandbox_id=world.sandbox)
        address = (await world.cri.pod_sandbox_status(request)).status.network.ip
        _, log = await world.run("c", "cat", "/proc/net/fib_trie")
        return any(line.endswith(f"|-- {address}") for line in log)

    assert play(story)


def test_processes_are_shared_where_the_pod_says_so(play):
    box = pb.LinuxPodSandboxConfig()

    async def story(world):
        shared = linux(namespace_options=pb.NamespaceOption(pid=pb.POD))
        await world.begin("a", "sleep", "61", linux=shared)
        _, log = await world.run("b", "ps", linux=shared)
        return log

    said = "\n".join(play(story, linux=box))
    assert "/pause" in said
    assert "sleep 61" in said


def test_on_the_nodes_network_a_pod_has_the_nodes_name(play):
    box = pb.LinuxPodSandboxConfig()
    box.security_context.namespace_options.network = pb.NODE
    box.security_context.namespace_options.pid = pb.CONTAINER

    async def story(world):
        return (await world.run("c", "hostname"))[1]

    assert play(story, linux=box) == [f"stdout {os.uname().nodename}"]


def test_an_emulated_image_is_refused_with_a_word_about_what_to_do(play):
    async def story(world):
        world.image = "nginx"
        with pytest.raises(rpc.Failure) as refused:
            await world.make("c")
        return refused.value.message

    assert 'image "nginx" is emulated' in play(story)


def test_a_pod_of_the_handler_sim_is_emulated(play):
    async def story(world):
        config = pb.PodSandboxConfig(metadata=pb.PodSandboxMetadata(name="s", uid="s"))
        request = pb.RunPodSandboxRequest(config=config, runtime_handler="sim")
        world.sandbox = (await world.cri.run_pod_sandbox(request)).pod_sandbox_id
        world.image = "nginx"
        made = await world.begin("c")
        return (await world.status(made)).state

    assert play(story) == pb.CONTAINER_RUNNING


def test_a_start_that_fails_leaves_a_container_that_has_ended(play):
    async def story(world):
        made = await world.make("c", "nosuch")
        with pytest.raises(rpc.Failure) as failed:
            await world.cri.start_container(pb.StartContainerRequest(container_id=made))
        return failed.value.message, await world.status(made)

    message, status = play(story)
    assert 'exec: "nosuch": executable file not found in $PATH' in message
    assert (status.state, status.exit_code, status.reason) == (
        pb.CONTAINER_EXITED, 128, "StartError",
    )  # fmt: skip


def alive(pid: int) -> bool:
    """Whether a process is there; one that has ended may wait for its parent."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


# ---- who outlives whom -------------------------------------------------------------------------


def test_a_runtime_finds_what_ran_while_it_was_away(tmp_path):
    keep = {"state_dir": tmp_path / "state", "on_restart": "resume"}

    async def main():
        first = World("oci", tmp_path, **keep)
        await first.open()
        runs = await first.begin("a", "sh", "-c", "while :; do echo on; sleep 0.05; done")
        ends = await first.begin("b", "sh", "-c", "sleep 0.2; echo late; exit 9")
        await first.said(runs, "stdout on")
        first.cri.close()
        await asyncio.sleep(0.5)
        second = World("oci", tmp_path, **keep)
        second.sandbox = first.sandbox
        try:
            await second.open()
            code, log = (await second.ended(ends)).exit_code, await second.log(ends)
            found = await second.exec(runs, "echo", "still")
            stopped = await second.stop(runs, 0)
            return code, log, found.stdout, stopped.exit_code
        finally:
            second.cri.close()
            assert await leaving.end([tmp_path / "oci"], 20.0) == []

    assert asyncio.run(main()) == (9, ["stdout late"], b"still\n", 137)


def test_nothing_runs_on_where_the_machine_is_to_have_been_switched_off(tmp_path):
    state = tmp_path / "state"

    async def main():
        first = World("oci", tmp_path, state_dir=state, on_restart="resume")
        await first.open()
        made = await first.begin("c", "sh", "-c", "echo said; sleep 60")
        await first.said(made, "stdout said")
        pids = [pid_of(first, made), pid_of(first, first.sandbox)]
        first.cri.close()
        second = World("oci", tmp_path, state_dir=state, on_restart="reboot")
        second.sandbox = first.sandbox
        try:
            await second.open()
            status = await second.status(made)
            async with asyncio.timeout(driverworld.DEADLINE):
                while any(map(alive, pids)):
                    await asyncio.sleep(0.01)
            return status.state, status.exit_code, await second.log(made)
        finally:
            await second.end()

    assert asyncio.run(main()) == (pb.CONTAINER_EXITED, 255, ["stdout said"])


def test_containers_end_soon_after_a_runtime_that_is_not_to_leave_any(tmp_path):
    async def main():
        world = World("oci", tmp_path)
        await world.open()
        made = await world.begin("c", "sleep", "60")
        pid = pid_of(world, made)
        await world.end()
        return alive(pid)

    assert not asyncio.run(main())


def test_a_shim_that_is_killed_takes_all_with_it_and_another_takes_its_place(play):
    async def story(world):
        made = await world.begin("c", "sleep", "60")
        pid = pid_of(world, made)
        os.kill(world.cri.driver.oci.link._process.pid, signal.SIGKILL)
        found = await world.ended(made)
        world.sandbox = await world.box("next")
        ran = await world.run("d", "echo", "again")
        return found.exit_code, found.reason, alive(pid), ran

    assert play(story) == (255, "Unknown", False, (0, ["stdout again"]))


def test_nothing_is_left_of_a_sandbox(play, tmp_path):
    async def story(world):
        made = await world.begin("c", "sleep", "60")
        base = world.cri.driver.oci.link.cgroup
        await world.cri.remove_pod_sandbox(pb.RemovePodSandboxRequest(pod_sandbox_id=world.sandbox))
        folders = [path.name for path in (tmp_path / "oci" / "containers").glob("*")]
        groups = list(Path("/sys/fs/cgroup").glob(f"**{base}/pod*")) if base else []
        return made in folders, folders, groups

    assert play(story) == (False, [], [])
