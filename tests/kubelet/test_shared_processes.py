"""Containers that see each other's processes: shareProcessNamespace, and a debugger's target."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import kubeletworld as kw
import pytest

from cluster.aio import virtual
from cluster.pb.cri.v1 import api_pb2 as pb

LOOP = ["sh", "-c", "trap 'echo hup' HUP; echo secret > /tmp/f; while :; do sleep 0.1; done"]
SHELL = {"name": "shell", "image": "busybox:1.28", "command": ["sleep", "3600"]}


async def run(world: Any, script: str, name: str = "shell") -> str:
    """What a script prints in a running container."""
    (found,) = [
        one
        for one in world.machine.cri.driver.containers.values()
        if one.config.metadata.name == name and one.state == 1
    ]
    request = pb.ExecSyncRequest(container_id=found.id, cmd=["sh", "-c", script], timeout=60)
    answer = await world.machine.cri.exec_sync(request)
    return (answer.stdout + answer.stderr).decode()


def commands(listed: str) -> list[tuple[int, str]]:
    """Pid and command of what `ps` shows, but itself and its shell."""
    rows = [line.split(None, 3) for line in listed.splitlines()[1:]]
    return [(int(row[0]), row[3]) for row in rows if not row[3].startswith(("ps", "sh -c ps"))]


def lab(scenario: Callable[[Any], Awaitable[None]], root: Any = None) -> None:
    async def main() -> None:
        async with kw.world() as world:
            world.machine = world.runtime(volumes_on_disk=root is not None)
            more = {"root_dir": str(root)} if root is not None else {}
            kubelet, _ = world.start_kubelet(world.machine.cri, **more)
            async with asyncio.timeout(30):
                await kubelet.ready.wait()
            try:
                await scenario(world)
            finally:
                world.machine.cri.close()

    virtual.run(main())


@pytest.mark.parametrize("on_disk", [False, True])
def test_the_containers_of_a_pod_see_each_other_where_it_says_so(tmp_path, on_disk):
    async def scenario(world):
        looping = {"name": "loop", "image": "busybox", "command": LOOP}
        nginx = {"name": "nginx", "image": "nginx"}
        await world.pod("p", containers=[nginx, SHELL, looping], shareProcessNamespace=True)
        await world.wait("p", kw.phase("Running"))
        await asyncio.sleep(1)
        seen = commands(await run(world, "ps ax"))
        assert seen[0] == (1, "/pause")
        by_name = {text.split()[0].strip(":"): pid for pid, text in seen}
        assert {"/pause", "nginx", "sleep"} <= set(by_name)
        loop = next(pid for pid, text in seen if "trap" in text)
        assert len({pid for pid, _ in seen}) == len(seen)
        assert "secret" in await run(world, f"cat /proc/{loop}/root/tmp/f")
        assert "nginx.conf" in await run(world, f"ls /proc/{by_name['nginx']}/root/etc/nginx")
        assert "bin" in await run(world, f"ls /proc/{loop}/root/")
        await run(world, f"echo more >> /proc/{loop}/root/tmp/f")
        assert await run(world, "cat /tmp/f", "loop") == "secret\nmore\n"
        assert "nginx" in await run(world, f"cat /proc/{by_name['nginx']}/cmdline", "loop")
        assert commands(await run(world, "ps", "loop"))[0] == (1, "/pause")
        # A main process that is not the first one ends by a signal like any other.
        assert await run(world, "pidof nginx") == f"{by_name['nginx']}\n"
        await run(world, f"kill -HUP {loop} {by_name['nginx']}; kill {by_name['sleep']}", "loop")
        await world.wait("p", lambda pod: any(
            one["restartCount"] == 1 and one["lastState"]["terminated"]["exitCode"] == 143
            for one in pod["status"]["containerStatuses"] if one["name"] == "shell"
        ))  # fmt: skip
        await asyncio.sleep(1)
        left = [text for _, text in commands(await run(world, "ps", "loop"))]
        assert [text.split()[0] for text in left].count("sleep") <= 2

    lab(scenario, tmp_path if on_disk else None)


def test_containers_of_other_pods_see_themselves_alone():
    async def scenario(world):
        nginx = {"name": "nginx", "image": "nginx"}
        await world.pod("p", containers=[nginx, SHELL])
        await world.wait("p", kw.phase("Running"))
        assert commands(await run(world, "ps")) == [(1, "sleep 3600")]
        assert "No such process" in await run(world, "kill 99")

    lab(scenario)


def test_a_server_that_slept_is_awake_for_a_debugger():
    async def scenario(world):
        await world.pod("p", image="nginx")
        pod = await world.wait("p", kw.phase("Running"))
        look = ["sh", "-c", "ps > /tmp/seen; sleep 1000"]
        pod["spec"]["ephemeralContainers"] = [
            {**SHELL, "command": look, "targetContainerName": "web"}
        ]
        await world.client.update("pods", pod, subresource="ephemeralcontainers")
        await world.wait("p", lambda pod: "running" in str(
            pod["status"].get("ephemeralContainerStatuses")
        ))  # fmt: skip
        await asyncio.sleep(1)
        assert "1 root      0:00 nginx: master process" in await run(world, "cat /tmp/seen")

    lab(scenario)


def test_a_debugger_sees_its_target_and_ends_with_it():
    async def scenario(world):
        main = {"name": "web", "image": "busybox", "command": LOOP}
        await world.pod("p", containers=[main], policy="Never")
        pod = await world.wait("p", kw.phase("Running"))
        debugger = {**SHELL, "targetContainerName": "web"}
        pod["spec"]["ephemeralContainers"] = [debugger]
        await world.client.update("pods", pod, subresource="ephemeralcontainers")
        await world.wait("p", lambda pod: "running" in str(
            pod["status"].get("ephemeralContainerStatuses")
        ))  # fmt: skip
        seen = commands(await run(world, "ps"))
        assert seen[0][0] == 1
        assert "trap" in seen[0][1]
        assert "sleep 3600" in [text for _, text in seen]
        assert await run(world, "cat /proc/1/root/tmp/f") == "secret\n"
        await run(world, "kill -9 1")
        pod = await world.wait("p", kw.phase("Failed"))
        (status,) = pod["status"]["ephemeralContainerStatuses"]
        assert status["state"]["terminated"]["exitCode"] == 137

    lab(scenario)
