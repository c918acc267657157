"""Pods of several nodes: connections, datagrams, pings, sleepers that are woken, services."""

import asyncio

import pytest
from networkworld import Node, World, on_nodes

from cluster.aio import tasks
from cluster.pb.cluster.v1 import dataplane_pb2 as services
from cluster.pb.cluster.v1 import overlay_pb2 as pb
from cluster.pb.cri.v1 import api_pb2 as cri

BACKENDS = pytest.mark.parametrize("backend", [pb.VXLAN, pb.ROUTED], ids=["vxlan", "routed"])


async def pair(world: World) -> tuple[Node, str, Node, str]:
    """Two nodes with an idle container each."""
    first, second = world.nodes[:2]
    here = await first.run("here", "busybox", "sleep", "99999")
    there = await second.run("there", "busybox", "sleep", "99999")
    return first, here, second, there


@BACKENDS
def test_a_server_that_sleeps_is_woken_from_another_node(backend: pb.Backend) -> None:
    async def story(world: World) -> None:
        first, here, second, _ = await pair(world)
        web = await second.run("web", "nginx", ports=(80,))
        where = second.address("web")
        assert "Welcome to nginx" in await first.sh(here, f"wget -q -O- http://{where}/")
        assert "GET / HTTP/1.1" in (await second.said(web))[-1]
        refused = await first.sh(here, f"nc -z {where} 81")
        assert refused == f"nc: {where} ({where}:81): Connection refused\n"

    on_nodes(2, story, backend)


def test_one_who_answers_by_himself_is_reached_from_everywhere() -> None:
    async def story(world: World) -> None:
        first, here, second, there = await pair(world)
        await second.run("app", "example.com/app", ports=(8080,))
        where = second.address("app")
        for node, cid in ((first, here), (second, there)):
            assert "GET /x" in await node.sh(cid, f"wget -q -O- http://{where}:8080/x")
            assert "Connection refused" in await node.sh(cid, f"nc -z {where} 80")

    on_nodes(2, story)


@BACKENDS
def test_much_is_carried_whole_between_nodes(backend: pb.Backend) -> None:
    async def story(world: World) -> None:
        first, here, second, there = await pair(world)
        where = second.address("there")
        await second.sh(there, "head -c 3000000 /dev/zero > /tmp/big; httpd -p 8080 -h /tmp")
        got = await first.sh(here, f"wget -q -O- http://{where}:8080/big | wc -c")
        assert got.strip() == "3000000"

    on_nodes(2, story, backend)


def test_pings_tell_of_the_way() -> None:
    async def story(world: World) -> None:
        first, here, second, _ = await pair(world)
        where = second.address("there")
        lines = (await first.sh(here, f"ping -c 1 {where}")).splitlines()
        assert lines[1].startswith(f"64 bytes from {where}: seq=0 ttl=62 time=0.4")
        lines = (await first.sh(here, f"traceroute -q 1 {where}")).splitlines()
        assert [line.split()[1] for line in lines[1:]] == ["10.244.1.1", "10.244.2.0", where]
        lost = await first.sh(here, "ping -c 1 -W 5 10.244.2.99")
        assert "ICMP 3" in lost

    on_nodes(2, story)


def test_datagrams_go_between_nodes_and_are_refused_there() -> None:
    async def story(world: World) -> None:
        first, here, second, there = await pair(world)
        where = second.address("there")
        async with tasks.Group("test") as group:
            script = "nc -ul -p 9 -w 3 > /got; cat /got"
            serving = group.spawn(second.sh(there, script), "server")
            await asyncio.sleep(1)
            await first.sh(here, f"echo datagram | nc -u -w 1 {where} 9")
        assert serving.result() == "datagram\n"
        assert "Connection refused" in await first.sh(here, f"nc -zu {where} 10")

    on_nodes(2, story)


def test_a_datagram_wakes_who_sleeps() -> None:
    async def story(world: World) -> None:
        first, here, second, _ = await pair(world)
        command = ("/agnhost", "netexec", "--udp-port=8081")
        await second.run("udp", "agnhost", *command)
        where = second.address("udp")
        assert await first.sh(here, f"echo hostname | nc -u -w 2 {where} 8081") == "udp"

    on_nodes(2, story)


def service(name: str, address: str, *endpoints: str) -> services.ServicePort:
    return services.ServicePort(
        key=f"default/{name}", namespace="default", name=name, protocol=services.TCP,
        cluster_ips=[address], port=80, internal_policy=services.CLUSTER,
        external_policy=services.CLUSTER,
        endpoints=[
            services.Endpoint(
                address=one, port=80, ready=True, serving=True, internal=True, external=True
            )
            for one in endpoints
        ],
    )  # fmt: skip


def test_a_cluster_address_leads_to_each_of_its_endpoints() -> None:
    async def story(world: World) -> None:
        first, here, second, _ = await pair(world)
        third = world.nodes[2]
        for node in (second, third):
            await node.run(f"web-{node.name}", "traefik/whoami", ports=(80,))
        backends = [node.address(f"web-{node.name}") for node in (second, third)]
        await world.programmed(
            service("web", "10.96.0.9", *backends), service("none", "10.96.0.10")
        )
        said = await first.sh(
            here, "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do wget -q -O- http://10.96.0.9/; done"
        )
        assert all(f"IP: {one}\n" in said for one in backends)
        assert f"RemoteAddr: {first.address('here')}:" in said
        refused = await first.sh(here, "nc -z 10.96.0.10 80")
        assert "Connection refused" in refused

    on_nodes(3, story)


def test_a_server_reaches_itself_by_its_service() -> None:
    async def story(world: World) -> None:
        node = world.nodes[0]
        cid = await node.run("web", "nginx", ports=(80,))
        await world.programmed(service("web", "10.96.0.9", node.address("web")))
        assert "Welcome to nginx" in await node.sh(cid, "curl -s http://10.96.0.9/")

    on_nodes(1, story)


def test_pods_of_the_nodes_own_network_reach_pods_and_are_reached() -> None:
    async def story(world: World) -> None:
        first, here, second, _ = await pair(world)
        await second.pod("host", host=True)
        await second.run("host", "nginx", ports=(80,))
        assert "Welcome" in await first.sh(here, f"wget -q -O- http://{second.ip}/")
        await first.pod("host", host=True)
        cid = await first.run("host", "busybox", "sleep", "99999")
        await second.run("web", "nginx", ports=(80,))
        assert "Welcome" in await first.sh(cid, f"wget -q -O- http://{second.address('web')}/")
        await first.run("near", "nginx", ports=(80,))
        assert "Welcome" in await first.sh(cid, f"wget -q -O- http://{first.address('near')}/")

    on_nodes(2, story)


def test_what_is_beyond_a_cluster_without_a_way_out_is_unreachable() -> None:
    async def story(world: World) -> None:
        first, here, _, _ = await pair(world)
        unreachable = "Network is unreachable"
        assert unreachable in await first.sh(here, "nc -z 192.0.2.1 80")
        assert "ICMP" not in await first.sh(here, "ping -c 1 -W 2 192.0.2.1")

    on_nodes(2, story)


def test_a_host_port_of_a_node_leads_to_its_pod() -> None:
    async def story(world: World) -> None:
        first, here, second, _ = await pair(world)
        mapped = cri.PortMapping(protocol=cri.TCP, container_port=80, host_port=8080)
        other = cri.PortMapping(
            protocol=cri.TCP, container_port=80, host_port=8081, host_ip="127.0.0.1"
        )
        await second.pod("web", port_mappings=[mapped, other])
        await second.run("web", "traefik/whoami", ports=(80,))
        await world.programmed()
        said = await first.sh(here, f"wget -q -O- http://{second.ip}:8080/")
        assert f"RemoteAddr: {first.ip}:" in said
        assert "Connection refused" in await first.sh(here, f"nc -z {second.ip} 8081")
        assert "Connection refused" in await first.sh(here, f"nc -z {first.ip} 8080")
        await second.cri.stop_pod_sandbox(
            cri.StopPodSandboxRequest(pod_sandbox_id=second.pods["web"])
        )
        assert "Connection refused" in await first.sh(here, f"nc -z {second.ip} 8080")

    on_nodes(2, story)


def test_a_full_backlog_lets_peers_ask_again() -> None:
    async def story(world: World) -> None:
        first, _, second, _ = await pair(world)
        spaces = [node.cri.spaces.bridge.holder(node.address(name)) for node, name in
                  ((first, "here"), (second, "there"))]  # fmt: skip
        here, there = (space for space in spaces if space is not None)
        listener = there.listen(80, backlog=2)
        async with tasks.Group("clients") as group:
            for number in range(5):
                group.spawn(here.connect(second.address("there"), 80), f"client/{number}")
            await asyncio.sleep(0.5)
            assert listener.waiting == 2
            for _ in range(5):
                await listener.accept()

    on_nodes(2, story)


def test_the_tables_of_a_pod_and_of_the_node_are_shown() -> None:
    async def story(world: World) -> None:
        first, here, second, _ = await pair(world)
        where = second.address("there")
        await first.sh(here, f"ping -c 1 {where}")
        shown = await first.sh(here, "arp; ip neigh; route -n | tail -n 2; netstat -rn | tail -n 1")
        assert shown.splitlines() == [
            "? (10.244.1.1) at 0a:58:0a:f4:01:01 [ether]  on eth0",
            "10.244.1.1 dev eth0 lladdr 0a:58:0a:f4:01:01 REACHABLE",
            "0.0.0.0         10.244.1.1      0.0.0.0         UG    0      0        0 eth0",
            "10.244.1.0      0.0.0.0         255.255.255.0   U     0      0        0 eth0",
            "10.244.1.0      0.0.0.0         255.255.255.0   U         0 0          0 eth0",
        ]
        await first.pod("host", host=True)
        cid = await first.run("host", "busybox", "sleep", "99999")
        shown = await first.sh(cid, "ip route; ip -4 addr | grep global; ip route get " + where)
        assert shown.splitlines() == [
            "default dev eth0 scope link ",
            "10.244.1.0/24 dev cni0 scope link ",
            "10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink ",
            "127.1.0.3 dev eth0 scope link ",
            "    inet 127.1.0.2/16 brd 127.1.255.255 scope global eth0",
            "    inet 10.244.1.0/32 brd 10.244.1.0 scope global flannel.1",
            "    inet 10.244.1.1/24 brd 10.244.1.255 scope global cni0",
            f"{where} via 10.244.2.0 dev flannel.1 src 127.1.0.2 ",
        ]

    on_nodes(2, story)


def test_nothing_is_left_of_connections_that_were_over_long_ago() -> None:
    async def story(world: World) -> None:
        first, _, second, _ = await pair(world)
        bridges = first.cri.spaces.bridge, second.cri.spaces.bridge
        here = bridges[0].holder(first.address("here"))
        there = bridges[1].holder(second.address("there"))
        assert here is not None
        assert there is not None
        listener = there.listen(80)
        for _ in range(60):
            ours = await here.connect(second.address("there"), 80)
            theirs = await listener.accept()
            await ours.send(b"question")
            for _ in range(2):
                assert await theirs.receive() == b"question"
                await theirs.send(b"answer")
                assert await ours.receive() == b"answer"
                await ours.send(b"question")
            assert await theirs.receive() == b"question"
            theirs.close()
            assert await ours.receive() == b""
            ours.close()
        cores = [node.plant.node for node in world.nodes if node.plant.node is not None]
        assert all(core.datapath.flows > 60 for core in cores)
        await asyncio.sleep(200)
        assert [core.datapath.flows for core in cores] == [0, 0]
        assert [len(core.nat.conntrack) for core in cores] == [0, 0]

    on_nodes(2, story)
