"""Processes in pods of the oci driver reach pods of other nodes, of either driver, and services."""

import asyncio
import contextlib
import random
from pathlib import Path

import driverworld
import pytest
from driverworld import World

from cluster.network.underlay import MemoryUnderlay
from cluster.pb.cluster.v1 import dataplane_pb2 as services
from cluster.pb.cluster.v1 import overlay_pb2 as overlay
from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime.dataplane import DataPlane
from cluster.runtime.network.plant import Plant
from cluster.runtime.overlay import Tables

pytestmark = pytest.mark.skipif(bool(driverworld.lacking()), reason=driverworld.lacking())


class Machine:
    """A node of the oci driver with a network."""

    def __init__(self, number: int, folder: Path, wire: MemoryUnderlay) -> None:
        folder.mkdir()
        self.name, self.ip = f"node-{number}", f"127.1.0.{number + 1}"
        self.cidr = f"10.244.{number}.0/24"
        self.world = World(
            "oci", folder, node_name=self.name, node_ip=self.ip, pod_cidr=self.cidr
        )  # fmt: skip
        self.plane = DataPlane(random.Random(number))
        config, spaces = self.world.cri._config, self.world.cri.spaces
        self.plant = Plant(config, spaces, self.plane, random.Random(number), wire)

    async def up(self) -> overlay.Peer:
        vtep = await self.plant.up(overlay.OverlaySettings(
            backend=overlay.VXLAN, network=self.cidr, cluster_network="10.244.0.0/16",
            address=self.ip, node=self.name,
        ))  # fmt: skip
        return overlay.Peer(
            name=self.name, address=self.ip, network=self.cidr, vtep_mac=vtep.mac
        )  # fmt: skip

    async def address(self) -> str:
        request = pb.PodSandboxStatusRequest(pod_sandbox_id=self.world.sandbox)
        return (await self.world.cri.pod_sandbox_status(request)).status.network.ip

    async def end(self) -> None:
        self.plant.down()
        await self.world.end()


@contextlib.asynccontextmanager
async def machines(folder: Path, *, late: bool = False):
    """Two machines; `late`: their pods begin before there is a network."""
    wire = MemoryUnderlay(random.Random(1), mtu=65535)
    made = [Machine(number, folder / str(number), wire) for number in (1, 2)]
    try:
        if late:
            for one in made:
                await one.world.open()
        peers = {one.name: await one.up() for one in made}
        for one in made:
            others = {name: peer for name, peer in peers.items() if name != one.name}
            one.plant.program(Tables(others), None)
            if not late:
                await one.world.open()
        yield made
    finally:
        for one in made:
            await one.end()


async def fetched(client: World, address: str, port: int) -> str:
    """What somebody says at a port, once it listens there."""
    script = f"for i in $(seq 50); do nc -w 3 {address} {port} </dev/null && exit; sleep 0.1; done"
    made = await client.begin(f"c{random.random()}", "sh", "-c", script)
    await client.ended(made)
    return "\n".join(await client.log(made))


@pytest.mark.parametrize("late", [pytest.param(False, marks=pytest.mark.slow), True])
def test_processes_reach_pods_of_other_nodes(tmp_path, late):
    async def main():
        async with machines(tmp_path, late=late) as (one, two):
            server = "nc -l -p 8080 -e echo hello from two"
            for port in (8080, 8081):
                await two.world.begin(f"s{port}", *server.replace("8080", str(port)).split())
            address = await two.address()
            if late:
                await joined(one, two)
            assert await fetched(one.world, address, 8080) == "stdout hello from two"
            end = services.Endpoint(address=address, port=8081, ready=True, internal=True)
            await one.plane.replace_services(_chunks(services.ServicePort(
                key="d/s/p", cluster_ips=["10.96.0.80"], port=80, protocol=services.TCP,
                endpoints=[end],
            )))  # fmt: skip
            assert await fetched(one.world, "10.96.0.80", 80) == "stdout hello from two"

    asyncio.run(main())


async def joined(*nodes: Machine) -> None:
    """Wait until their pods are on the network."""
    async with asyncio.timeout(10):
        while not all(one.plant.node._devices for one in nodes):
            await asyncio.sleep(0.01)


async def _chunks(*entries: services.ServicePort):
    yield services.ReplaceServicesRequest(services=entries)


def test_emulated_containers_and_processes_reach_each_other(tmp_path):
    async def main():
        async with machines(tmp_path) as (one, two):
            address = await two.address()
            await two.world.begin("s", "nc", "-l", "-p", "8080", "-e", "echo", "a process")
            config = pb.PodSandboxConfig(
                metadata=pb.PodSandboxMetadata(name="emulated", namespace="d", uid="u-e")
            )
            made = await one.world.cri.driver.run_sandbox(config, "sim")
            space = one.world.cri.spaces.of(made)
            async with asyncio.timeout(15):
                while True:
                    with contextlib.suppress(ConnectionRefusedError):
                        stream = await space.connect(address, 8080)
                        break
                    await asyncio.sleep(0.05)
            assert await stream.receive() == b"a process\n"
            listener = space.listen(9090)

            async def serve():
                stream = await listener.accept()
                await stream.send(b"emulated\n")
                stream.end()

            from cluster.aio import tasks

            async with tasks.Group("test") as group:
                group.spawn(serve(), "serve")
                assert await fetched(two.world, made.addresses[0], 9090) == "stdout emulated"

    asyncio.run(main())


def test_a_pod_that_ends_leaves_nothing_on_the_network(tmp_path):
    async def main():
        async with machines(tmp_path) as (one, _):
            assert list(one.plant.node._devices) == [await one.address()]
            request = pb.StopPodSandboxRequest(pod_sandbox_id=one.world.sandbox)
            await one.world.cri.stop_pod_sandbox(request)
            assert not one.plant.node._devices

    asyncio.run(main())


def test_a_pod_of_an_addon_is_emulated_where_all_others_are_processes(tmp_path):
    async def main():
        world = World("oci", tmp_path)
        await world.open()
        try:
            made = await world.box("addon", annotations={"kubemu.dev/driver": "sim"})
            found = world.cri.driver
            return made in found.sim.sandboxes, world.sandbox in found.oci.sandboxes
        finally:
            await world.end()

    assert asyncio.run(main()) == (True, True)


def test_pods_without_tap_devices_have_veth_and_keep_it_when_the_network_is_made_anew(
    tmp_path, monkeypatch
):
    missing = tmp_path / "none" / "tun"
    made = tmp_path / "sitecustomize"
    made.mkdir()
    (made / "sitecustomize.py").write_text(
        "from pathlib import Path\nfrom cluster.network.io import plugging\n"
        f"plugging.TUN = Path({str(missing)!r})\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{made}:{Path(__file__).parents[2]}")

    async def main():
        async with machines(tmp_path) as (one, two):
            await two.world.begin("s", "nc", "-l", "-p", "8080", "-e", "echo", "by veth")
            await two.world.begin("t", "nc", "-l", "-p", "8081", "-e", "echo", "again")
            address = await two.address()
            assert await fetched(one.world, address, 8080) == "stdout by veth"
            flags = await two.world.run("k", "cat", "/sys/class/net/eth0/tun_flags")
            assert flags[0] == 1  # it is no TAP device
            peers = {node.name: await node.up() for node in (one, two)}
            for node, other in ((one, two), (two, one)):
                node.plant.program(Tables({other.name: peers[other.name]}), None)
            await joined(one, two)
            assert await fetched(one.world, address, 8081) == "stdout again"

    asyncio.run(main())
