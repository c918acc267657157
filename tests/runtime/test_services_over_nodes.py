"""What kube-proxy makes of Services, tried by pods of several nodes over real frames."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from networkworld import Node, World, on_nodes

from cluster.pb.cluster.v1 import overlay_pb2 as pb
from cluster.proxy import table
from cluster.runtime.healthports import HealthPorts

VIP = "10.96.0.9"
Json = dict[str, Any]
BACKENDS = pytest.mark.parametrize("backend", [pb.VXLAN, pb.ROUTED], ids=["vxlan", "routed"])


class Cluster:
    """Three nodes: a client on the first, and servers that say who asks them on the others."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.nodes = world.nodes
        self.client = ""

    async def begin(self) -> None:
        self.client = await self.nodes[0].run("here", "busybox", "sleep", "99999")
        for node in self.nodes[1:]:
            await node.run("web", "traefik/whoami", ports=(80,))

    def endpoint(self, node: Node, **conditions: bool) -> Json:
        return {"addresses": [node.address("web")], "nodeName": node.name,
                "conditions": {"ready": True} | conditions}  # fmt: skip

    async def serve(self, endpoints: list[Json], protocol: str = "TCP", **spec: Any) -> None:
        """Have each node's kube-proxy program the Service `web`."""
        port = {"port": 80, "protocol": protocol} | spec.pop("port", {})
        meta = {"name": "web", "namespace": "default"}
        service = {"metadata": meta, "spec": {
            "type": "NodePort", "clusterIP": VIP, "clusterIPs": [VIP], "ports": [port], **spec,
        }}  # fmt: skip
        slices = {
            "metadata": meta | {"labels": {"kubernetes.io/service-name": "web"}},
            "addressType": "IPv4",
            "ports": [{"port": 80, "protocol": protocol}],
            "endpoints": endpoints,
        }
        for node in self.nodes:
            await node.programmed(*table.compute([service], [slices], node.name).values())

    async def ask(self, url: str, times: int = 1) -> list[tuple[str, str]]:
        """Which pod answers, and whom it sees, for each of some questions of the client's."""
        script = f"for i in $(seq {times}); do wget -T 3 -q -O- http://{url}/ 2>&1; done"
        said = await self.nodes[0].sh(self.client, script)
        servers = re.findall(r"^IP: (10\.\S+)", said, re.M)
        seen = re.findall(r"^RemoteAddr: (\S+):\d+", said, re.M)
        return list(zip(servers, seen, strict=True)) if seen else [(said.strip(), "")]


def on_three_nodes(
    story: Callable[[Cluster], Awaitable[None]], backend: pb.Backend = pb.VXLAN
) -> None:
    async def told(world: World) -> None:
        cluster = Cluster(world)
        await cluster.begin()
        await story(cluster)

    on_nodes(3, told, backend)


@BACKENDS
def test_each_way_to_a_service_leads_to_all_of_its_pods(backend: pb.Backend) -> None:
    async def story(cluster: Cluster) -> None:
        first, second, third = cluster.nodes
        both = [cluster.endpoint(second), cluster.endpoint(third)]
        await cluster.serve(both, port={"nodePort": 30080}, externalIPs=["198.51.100.7"])
        wanted = {second.address("web"), third.address("web")}
        pod = first.address("here")
        tunnel = f"{pod.rpartition('.')[0]}.0"
        here = {tunnel if backend == pb.VXLAN else first.ip}
        for url, seen in (
            (VIP, {pod}),
            ("198.51.100.7", here),
            (f"{first.ip}:30080", here),
        ):
            answers = await cluster.ask(url, 10)
            assert {server for server, _ in answers} == wanted, url
            assert {client for _, client in answers} == seen, url
        answers = await cluster.ask(f"{second.ip}:30080", 10)
        assert {server for server, _ in answers} == wanted

    on_three_nodes(story, backend)


@BACKENDS
def test_policy_local_keeps_the_client_and_drops_where_nothing_is(backend: pb.Backend) -> None:
    async def story(cluster: Cluster) -> None:
        first, second, third = cluster.nodes
        await cluster.serve(
            [cluster.endpoint(second)], port={"nodePort": 30080}, externalTrafficPolicy="Local"
        )
        # From another node's pod it comes from outside: with the address of that node.
        assert await cluster.ask(f"{second.ip}:30080") == [(second.address("web"), first.ip)]
        (dropped,) = await cluster.ask(f"{third.ip}:30080")
        assert "Connection timed out" in dropped[0]
        assert await cluster.ask(f"{first.ip}:30080") == [
            (second.address("web"), first.address("here"))
        ]

    on_three_nodes(story, backend)


def test_policy_local_inside_is_for_pods_of_the_node() -> None:
    async def story(cluster: Cluster) -> None:
        _, second, _ = cluster.nodes
        await cluster.serve([cluster.endpoint(second)], internalTrafficPolicy="Local")
        (dropped,) = await cluster.ask(VIP)
        assert "Connection timed out" in dropped[0]
        near = await second.run("near", "busybox", "sleep", "99999")
        said = await second.sh(near, f"wget -q -O- http://{VIP}/")
        assert f"RemoteAddr: {second.address('near')}:" in said

    on_three_nodes(story)


def test_a_client_sticks_to_a_pod() -> None:
    async def story(cluster: Cluster) -> None:
        both = [cluster.endpoint(node) for node in cluster.nodes[1:]]
        await cluster.serve(both, sessionAffinity="ClientIP")
        assert len({server for server, _ in await cluster.ask(VIP, 12)}) == 1

    on_three_nodes(story)


def test_pods_that_end_serve_where_nobody_else_does() -> None:
    async def story(cluster: Cluster) -> None:
        _, second, third = cluster.nodes
        leaving = cluster.endpoint(second, ready=False, serving=True, terminating=True)
        await cluster.serve([leaving, cluster.endpoint(third)])
        assert {server for server, _ in await cluster.ask(VIP, 8)} == {third.address("web")}
        await cluster.serve([leaving])
        assert {server for server, _ in await cluster.ask(VIP, 4)} == {second.address("web")}
        await cluster.serve([cluster.endpoint(second, ready=False, serving=False)])
        (refused,) = await cluster.ask(VIP)
        assert "Connection refused" in refused[0]

    on_three_nodes(story)


@BACKENDS
def test_the_node_itself_reaches_services(backend: pb.Backend) -> None:
    async def story(cluster: Cluster) -> None:
        first, second, third = cluster.nodes
        await first.pod("host", host=True)
        host = await first.run("host", "busybox", "sleep", "99999")
        await cluster.serve(
            [cluster.endpoint(third)], port={"nodePort": 30080}, externalTrafficPolicy="Local"
        )
        tunnel = (
            first.ip if backend == pb.ROUTED else first.address("here").rpartition(".")[0] + ".0"
        )
        for url in (VIP, f"{first.ip}:30080", f"{third.ip}:30080"):
            said = await first.sh(host, f"wget -T 3 -q -O- http://{url}/")
            assert f"IP: {third.address('web')}\n" in said, url
            seen = first.ip if third.ip in url else tunnel
            assert f"RemoteAddr: {seen}:" in said, url
        said = await first.sh(host, f"wget -T 3 -q -O- http://{second.ip}:30080/ 2>&1")
        assert "Connection timed out" in said, "none of its endpoints is there"
        await cluster.serve([], port={"nodePort": 30080})
        for url in (VIP, f"{first.ip}:30080", f"{second.ip}:30080"):
            said = await first.sh(host, f"wget -T 3 -q -O- http://{url}/ 2>&1")
            assert "Connection refused" in said, url

    on_three_nodes(story, backend)


def test_ports_that_a_service_does_not_have_are_refused() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.serve([cluster.endpoint(cluster.nodes[1])])
        (refused,) = await cluster.ask(f"{VIP}:81")
        assert "Connection refused" in refused[0]

    on_three_nodes(story)


def test_datagrams_reach_a_service_and_its_answers_come_back() -> None:
    async def story(cluster: Cluster) -> None:
        first, second = cluster.nodes[:2]
        netexec = ("netexec", "--http-port=8080", "--udp-port=80")
        await second.run("names", "registry.k8s.io/e2e-test-images/agnhost:2.53", args=netexec)
        endpoint = cluster.endpoint(second) | {"addresses": [second.address("names")]}
        await cluster.serve([endpoint], "UDP")
        for _ in range(2):
            said = await first.sh(cluster.client, f"echo hostname | nc -u -w 2 {VIP} 80")
            assert said.strip() == "names"

    on_three_nodes(story)


def test_a_balancer_learns_which_nodes_have_endpoints() -> None:
    async def story(cluster: Cluster) -> None:
        _, second, third = cluster.nodes
        for node in cluster.nodes:
            node.cri.spaces.answer_by(HealthPorts(node.plane).answers)
        await cluster.serve(
            [cluster.endpoint(second)], type="LoadBalancer", externalTrafficPolicy="Local",
            healthCheckNodePort=32000, port={"nodePort": 30080},
        )  # fmt: skip
        first, client = cluster.nodes[0], cluster.client
        said = await first.sh(client, f"curl -s -i http://{second.ip}:32000/")
        assert said.startswith("HTTP/1.1 200 OK")
        assert '"localEndpoints": 1' in said
        said = await first.sh(client, f"curl -s -i http://{third.ip}:32000/")
        assert said.startswith("HTTP/1.1 503 Service Unavailable")
        refused = await first.sh(client, f"nc -z {third.ip} 32001")
        assert "Connection refused" in refused

    on_three_nodes(story)
