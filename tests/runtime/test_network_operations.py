"""`NetOps` of a node: captures, tables, traces, pings and bad links, over nodes in memory."""

import asyncio
from typing import Any

import pytest
from networkworld import Node, World, on_nodes
from podworld import EPOCH

from cluster.aio import clock, rpc, tasks
from cluster.network.stack.nat import verdicts
from cluster.network.wire import printing
from cluster.pb.cluster.v1 import dataplane_pb2 as services
from cluster.pb.cluster.v1 import netops_pb2 as pb
from cluster.pb.cluster.v1 import overlay_pb2 as overlay
from cluster.pb.cri.v1 import api_pb2 as cri
from cluster.runtime.figuresport import FiguresPort
from cluster.runtime.netops import NetOps
from cluster.runtime.overlay import Tables

SERVICE = "10.96.0.80"
End = pb.TraceResponse


def operations(node: Node) -> NetOps:
    return NetOps(node.plant, clock.LoopClock(asyncio.get_running_loop(), EPOCH))


async def web_and_client(world: World) -> tuple[Node, str, Node, str]:
    first, second = world.nodes[:2]
    client = await first.run("client", "busybox", "sleep", "99999")
    await second.run("web", "nginx", ports=(80,))
    return first, client, second, second.address("web")


async def captured(node: Node, count: int, **request: Any) -> list[pb.CapturedFrame]:
    """What a capture sees until it ends by itself."""
    stream = await operations(node).capture(pb.CaptureRequest(count=count, **request))
    return [frame async for batch in stream for frame in batch.frames]


async def traced(
    nodes: dict[str, Node], node: Node, source: str, destination: str, port: int = 80
) -> list[pb.TraceResponse]:
    """A packet's whole way."""
    packet = pb.TracedPacket(
        source=source, destination=destination, protocol="tcp" if port else "icmp", port=port
    )
    hops = [await operations(node).trace(pb.TraceRequest(packet=packet))]
    while hops[-1].end == End.NODE:
        last = hops[-1]
        frame = pb.ArrivingFrame(device=last.device, data=last.frame)
        hops.append(await operations(nodes[last.where]).trace(pb.TraceRequest(frame=frame)))
    return hops


def test_a_capture_shows_what_a_request_is_at_each_place() -> None:
    async def story(world: World) -> None:
        first, client, _, web = await web_and_client(world)
        asked = await operations(first).capture(pb.CaptureRequest(filter=f"host {web}", seconds=5))
        await first.sh(client, f"wget -q -O- http://{web}/")
        frames = [frame async for batch in asked for frame in batch.frames]
        assert {frame.interface for frame in frames} == {first.address("client"), "eth0"}
        printer = printing.Printer()
        texts = [printer.text(frame.data) for frame in frames]
        own = first.address("client")
        assert texts[0].startswith(f"IP {own}.")
        assert "Flags [S]" in texts[0]
        assert texts[1].startswith("IP 127.1.0.2.4789 > 127.1.0.3.4789: VXLAN, flags [I] (0x08)")
        assert any(text.endswith(": HTTP: GET / HTTP/1.1") for text in texts)
        assert any(text.endswith(": HTTP: HTTP/1.1 200 OK") for text in texts)
        assert all(EPOCH <= frame.time < EPOCH + 60 for frame in frames)
        assert not first.plant.node.watchers  # type: ignore[union-attr]

    on_nodes(2, story)


def test_a_capture_ends_after_so_many_frames_and_keeps_so_much_of_each() -> None:
    async def story(world: World) -> None:
        first, client, _, web = await web_and_client(world)
        async with tasks.Group("test") as group:
            wanted = group.spawn(
                captured(first, 3, interface="flannel.1", filter="tcp", snaplen=60), "capture"
            )
            await asyncio.sleep(0.1)
            await first.sh(client, f"wget -q -O- http://{web}/")
        frames = wanted.result()
        assert [frame.interface for frame in frames] == ["flannel.1"] * 3
        assert [len(frame.data) for frame in frames] == [60] * 3
        assert all(frame.length > 60 for frame in frames)

    on_nodes(2, story)


def test_who_reads_a_capture_too_slowly_is_told_how_much_he_missed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from cluster.runtime.network import capturing

    monkeypatch.setattr(capturing, "MOST_FRAMES", 5)

    async def story(world: World) -> None:
        first, client, _, web = await web_and_client(world)
        stream = await operations(first).capture(pb.CaptureRequest(interface="cni0"))
        await first.sh(client, f"wget -q -O- http://{web}/")
        batch = await anext(stream)
        assert len(batch.frames) == 5
        assert batch.dropped > 3
        await stream.aclose()

    on_nodes(1 + 1, story)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (pb.CaptureRequest(interface="eth7"), "NOT_FOUND"),
        (pb.CaptureRequest(filter="port http or"), "INVALID_ARGUMENT"),
    ],
)
def test_what_cannot_be_captured_is_refused(request_: pb.CaptureRequest, code: str) -> None:
    async def story(world: World) -> None:
        with pytest.raises(rpc.Failure) as failed:
            await operations(world.nodes[0]).capture(request_)
        assert failed.value.code == code

    on_nodes(1, story)


def test_where_pods_are_routed_there_is_no_tunnel_to_capture_at() -> None:
    async def story(world: World) -> None:
        with pytest.raises(rpc.Failure, match=r"there is no interface 'flannel\.1' here") as failed:
            await operations(world.nodes[0]).capture(pb.CaptureRequest(interface="flannel.1"))
        assert failed.value.code == "NOT_FOUND"
        assert failed.value.message.endswith("any, cni0, eth0, host, or a pod's address")

    on_nodes(1, story, backend=overlay.ROUTED)


def test_a_capture_ends_with_the_network() -> None:
    async def story(world: World) -> None:
        node = world.nodes[0]
        stream = await operations(node).capture(pb.CaptureRequest())
        node.plant.down()
        assert [len(batch.frames) async for batch in stream] == [0]
        with pytest.raises(rpc.Failure) as failed:
            await operations(node).capture(pb.CaptureRequest())
        assert failed.value.code == "FAILED_PRECONDITION"

    on_nodes(1, story)


def test_tables_are_those_of_the_data_plane() -> None:
    async def story(world: World) -> None:
        first, client, second, web = await web_and_client(world)
        await first.sh(client, f"wget -q -O- http://{web}/")
        await asyncio.sleep(1)
        ask = operations(first)
        routes = (await ask.list_routes(pb.ListRoutesRequest())).routes
        assert [(one.destination, one.gateway, one.device, one.node) for one in routes][:3] == [
            ("default", "", "eth0", ""),
            ("10.244.1.0/24", "", "cni0", ""),
            ("10.244.2.0/24", "10.244.2.0", "flannel.1", "node-2"),
        ]
        assert [one.local for one in routes if one.destination == "10.244.1.1/32"] == [True]
        vtep = second.vtep.mac.hex(":")
        neighbours = (await ask.list_neighbours(pb.ListNeighboursRequest())).neighbours
        assert [(one.address, one.device, one.mac, one.state) for one in neighbours] == [
            (first.address("client"), "cni0", "0a:58:0a:f4:01:02", "PERMANENT"),
            ("10.244.2.0", "flannel.1", vtep, "PERMANENT"),
        ]
        fdb = (await ask.list_fdb(pb.ListFdbRequest())).entries
        assert [(one.mac, one.device, one.bridge, one.destination) for one in fdb] == [
            ("0a:58:0a:f4:01:02", first.address("client"), "cni0", ""),
            (vtep, "flannel.1", "", "127.1.0.3"),
        ]
        chunks = await ask.list_connections(pb.ListConnectionsRequest())
        (one,) = [row async for chunk in chunks for row in chunk.connections]
        assert (one.protocol, one.state, one.assured) == ("tcp", "TIME_WAIT", True)
        assert (one.original.destination, one.original.destination_port) == (web, 80)
        assert (one.reply.source, one.reply.source_port) == (web, 80)
        assert 0 < one.seconds <= 120

    on_nodes(2, story)


def test_a_trace_goes_through_a_service_to_who_listens() -> None:
    async def story(world: World) -> None:
        first, _, second, web = await web_and_client(world)
        nodes = {node.name: node for node in world.nodes}
        entry = services.ServicePort(
            key="default/web:http", namespace="default", name="web", protocol=services.TCP, port=80,
            cluster_ips=[SERVICE],
            endpoints=[services.Endpoint(address=web, port=80, ready=True, serving=True,
                                         internal=True)],
        )  # fmt: skip
        await world.programmed(entry)
        source = first.address("client")
        here, there = await traced(nodes, first, source, SERVICE)
        told = [(one.table, one.verdict) for one in here.decisions]
        assert ("services", f"to {web}:80") in told
        assert (here.end, here.where, here.device) == (End.NODE, "node-2", "flannel.1")
        assert (there.end, there.where, there.port) == (End.POD, web, 80)
        assert there.socket == "asleep"
        (refused,) = await traced(nodes, first, source, SERVICE, 81)
        assert (refused.end, refused.reason) == (End.DROPPED, verdicts.NO_SUCH_PORT)
        assert refused.answer == "port unreachable"
        gone = (await traced(nodes, first, source, "10.244.2.99"))[-1]
        assert (gone.end, gone.where) == (End.UNRESOLVED, "")
        (nobody,) = await traced(nodes, first, source, "10.244.1.99")
        assert (nobody.end, nobody.reason) == (End.DROPPED, "neighbour-unreachable")
        (itself,) = await traced(nodes, first, source, source)
        assert (itself.end, itself.device, itself.socket) == (End.POD, "lo", "closed")
        node = (await traced(nodes, first, source, second.ip, 10250))[-1]
        assert (node.end, node.where, node.socket) == (End.HOST, "node-2", "closed")
        (beyond,) = await traced(nodes, first, source, "198.51.100.7")
        assert (beyond.end, beyond.device) == (End.OUTSIDE, "eth0")
        assert not len(first.plant.node.nat.conntrack)  # type: ignore[union-attr]
        with pytest.raises(rpc.Failure, match="no pod of this node"):
            await traced(nodes, second, source, web)
        packet = pb.TracedPacket(source=source, destination=web, protocol="udp")
        with pytest.raises(rpc.Failure, match="needs a port"):
            await operations(first).trace(pb.TraceRequest(packet=packet))

    on_nodes(2, story)


def test_a_trace_of_loopback_stays_in_its_pod_and_tells_who_listens_there() -> None:
    async def story(world: World) -> None:
        (node,) = world.nodes
        await node.run("client", "busybox", "sleep", "99999")
        source, nodes = node.address("client"), {node.name: node}
        holder = node.plant.node.holder(source)  # type: ignore[union-attr]
        assert holder is not None
        holder.listen(8080, "127.0.0.1")
        holder.listen(9090, source)
        for address, port, socket in (
            ("127.0.0.1", 8080, "listening"),
            ("127.0.0.1", 9090, "closed"),
            ("127.0.0.1", 0, ""),
            (source, 9090, "listening"),
            (source, 8080, "closed"),
        ):
            (told,) = await traced(nodes, node, source, address, port)
            assert (told.end, told.device, told.where) == (End.POD, "lo", source)
            assert (told.destination, told.socket) == (address, socket)
            assert not told.reason

    on_nodes(1, story)


def test_a_trace_names_the_policy_that_drops() -> None:
    async def story(world: World) -> None:
        first, _, second, web = await web_and_client(world)
        peers = {"node-1": first.peer()}
        policy = overlay.Policy(key="default/closed", addresses=[web], ingress=True)
        second.plant.program(Tables(peers, {}, {policy.key: policy}), None)
        nodes = {node.name: node for node in world.nodes}
        last = (await traced(nodes, first, first.address("client"), web))[-1]
        assert (last.end, last.reason) == (End.DROPPED, verdicts.POLICY_INGRESS)
        assert "default/closed" in last.decisions[-1].rule

    on_nodes(2, story)


def test_a_pod_pings_and_hops_answer() -> None:
    async def story(world: World) -> None:
        first, _, second, web = await web_and_client(world)
        ask = operations(first)
        source = first.address("client")
        request = pb.EchoRequest(source=source, destination=web, size=56)
        found = await ask.echo(request)
        assert (found.source, found.type, found.ttl, found.size) == (web, 0, 62, 64)
        hops = []
        for ttl in (1, 2):
            request.ttl = ttl
            found = await ask.echo(request)
            hops.append((found.source, found.type))
        assert hops == [("10.244.1.1", 11), ("10.244.2.0", 11)]
        with pytest.raises(rpc.Failure, match="no pod of this node"):
            await operations(second).echo(pb.EchoRequest(source=source, destination=web))

    on_nodes(2, story)


def test_a_pod_whose_stack_is_the_kernels_pings_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = "10.244.0.77"
    monkeypatch.setattr(
        "cluster.runtime.network.node.Node.is_kernels", lambda _node, address: address == theirs
    )

    async def story(world: World) -> None:
        first, _, _, web = await web_and_client(world)
        with pytest.raises(rpc.Failure, match="the kernel's: ping inside of the pod, by exec"):
            await operations(first).echo(pb.EchoRequest(source=theirs, destination=web))

    on_nodes(2, story)


async def pings(node: Node, to: str, count: int) -> str:
    """One letter a ping: answered, or lost."""
    found = ""
    for _ in range(count):
        request = pb.EchoRequest(source=node.address("client"), destination=to, timeout_seconds=0.5)
        try:
            await operations(node).echo(request)
        except rpc.Failure as failure:
            if failure.code != "DEADLINE_EXCEEDED":
                raise
            found += "."
        else:
            found += "!"
    return found


def change(link: str, *, seed: str = "1", cut: bool | None = None, **how: float) -> pb.LinkChange:
    made = pb.LinkChange(link=link, seed=seed, cut=cut)
    if how:
        made.impairment.CopyFrom(pb.LinkImpairment(**how))
    return made


def test_a_link_between_nodes_is_bad_by_its_seed_cut_and_healed() -> None:
    async def story(world: World) -> None:
        first, _, _, web = await web_and_client(world)
        ask = operations(first)

        async def bad(*changes: pb.LinkChange, heal: bool = False) -> None:
            await ask.set_links(pb.SetLinksRequest(changes=changes, heal_all=heal))

        await bad(change("node-2", loss=0.5))
        lossy = await pings(first, web, 30)
        assert 5 < lossy.count(".") < 25
        (link,) = (await ask.list_links(pb.ListLinksRequest())).links
        assert (link.link, link.impairment.loss, link.seed) == ("node-2", 0.5, "1")
        assert (link.lost, link.passed) == (lossy.count("."), lossy.count("!"))
        await bad(change("node-2", loss=0.5))
        assert await pings(first, web, 30) == lossy
        await bad(change("node-2", seed="2", loss=0.5))
        assert await pings(first, web, 30) != lossy
        await bad(change("node-2", cut=True))
        assert await pings(first, web, 3) == "..."
        (link,) = (await ask.list_links(pb.ListLinksRequest())).links
        assert link.cut
        assert link.impairment.loss == 0.5
        nodes = {node.name: node for node in world.nodes}
        here = (await traced(nodes, first, first.address("client"), web))[0]
        assert [(one.link, one.cut) for one in here.links] == [("node-2", True)]
        await bad(heal=True)
        assert await pings(first, web, 3) == "!!!"
        assert not (await ask.list_links(pb.ListLinksRequest())).links
        with pytest.raises(
            rpc.Failure, match="has no link to 'node-9': the other nodes are node-2"
        ):
            await bad(change("node-2", cut=True), change("node-9", cut=True))
        assert not (await ask.list_links(pb.ListLinksRequest())).links

    on_nodes(2, story)


def test_a_pods_link_is_bad_both_ways_and_no_other_pods() -> None:
    async def story(world: World) -> None:
        first, client, second, web = await web_and_client(world)
        await second.run("other", "busybox", "sleep", "99999")
        link = f"pod:{web}"
        ask = operations(second)
        await ask.set_links(pb.SetLinksRequest(changes=[change(link, delay=0.1)]))
        loop = asyncio.get_running_loop()
        assert await pings(first, web, 1) == "!"  # With ARP, twice as late.
        begun = loop.time()
        assert await pings(first, web, 1) == "!"
        assert 0.2 < loop.time() - begun < 0.25
        begun = loop.time()
        assert await pings(first, second.address("other"), 1) == "!"
        assert loop.time() - begun < 0.01
        assert "Welcome" in await first.sh(client, f"wget -q -O- http://{web}/")
        nodes = {node.name: node for node in world.nodes}
        there = (await traced(nodes, first, first.address("client"), web))[-1]
        assert [one.link for one in there.links] == [link]
        gone = cri.RemovePodSandboxRequest(pod_sandbox_id=second.pods["web"])
        await second.cri.remove_pod_sandbox(gone)
        assert not (await ask.list_links(pb.ListLinksRequest())).links
        with pytest.raises(rpc.Failure, match="no pod of this node"):
            await ask.set_links(pb.SetLinksRequest(changes=[change("pod:10.244.2.99", cut=True)]))

    on_nodes(2, story)


def test_bad_links_outlive_a_network_that_is_made_anew() -> None:
    async def story(world: World) -> None:
        first, second = world.nodes
        await operations(first).set_links(pb.SetLinksRequest(changes=[change("node-2", cut=True)]))
        await first.up(overlay.ROUTED)
        first.plant.program(Tables({"node-2": second.peer()}), None)
        (link,) = (await operations(first).list_links(pb.ListLinksRequest())).links
        assert link.cut

    on_nodes(2, story)


@pytest.mark.parametrize("how", [{"loss": 1.5}, {"delay": -1.0}, {"delay": 1e9}, {"rate": -2.0}])
def test_what_no_link_can_do_is_refused(how: dict[str, float]) -> None:
    async def story(world: World) -> None:
        request = pb.SetLinksRequest(changes=[change("node-2", **how)])
        with pytest.raises(rpc.Failure) as failed:
            await operations(world.nodes[0]).set_links(request)
        assert failed.value.code == "INVALID_ARGUMENT"

    on_nodes(2, story)


def test_a_node_tells_figures_of_its_data_plane_at_a_port() -> None:
    async def story(world: World) -> None:
        first, client, second, web = await web_and_client(world)
        second.cri.spaces.answer_by(FiguresPort(second.plant, 9100).answers)
        await second.programmed(
            services.ServicePort(key="default/none", protocol=services.TCP, port=80,
                                 cluster_ips=[SERVICE])
        )  # fmt: skip
        other = await second.run("other", "busybox", "sleep", "99999")
        assert "refused" in await second.sh(other, f"wget -qO- http://{SERVICE}/")
        await operations(second).set_links(
            pb.SetLinksRequest(changes=[change("node-1", delay=0.1)])
        )
        page = await first.sh(client, f"wget -qO- http://{second.ip}:9100/metrics")
        rows = dict(line.rsplit(" ", 1) for line in page.splitlines() if line[:1] != "#")
        assert rows['kubemu_network_drops_total{reason="service-no-endpoints"}'] == "1"
        assert rows['kubemu_network_drops_total{reason="policy-ingress"}'] == "0"
        assert rows['kubemu_network_socket_drops_total{socket="vxlan"}'] == "0"
        assert rows["kubemu_network_peers"] == "1"
        assert rows["kubemu_network_services"] == "1"
        assert int(rows["node_nf_conntrack_entries"]) >= 1
        assert rows["node_nf_conntrack_entries_limit"] == "131072"
        address = second.address("other")
        assert int(rows[f'kubemu_network_port_receive_frames_total{{port="{address}"}}']) > 0
        assert int(rows['kubemu_network_link_packets_total{link="node-1",result="passed"}']) > 0
        for name in rows:
            assert f"# TYPE {name.partition('{')[0]} " in page
        assert "404" in await first.sh(client, f"wget -qO- http://{second.ip}:9100/")
        assert "refused" in await first.sh(client, f"wget -qO- http://{second.ip}:9101/metrics")
        assert web

    on_nodes(2, story)


def test_a_machine_without_an_overlay_says_so() -> None:
    async def story(_world: World) -> None:
        ask = NetOps(None, clock.LoopClock(asyncio.get_running_loop(), EPOCH))
        with pytest.raises(rpc.Failure) as failed:
            await ask.list_routes(pb.ListRoutesRequest())
        assert failed.value.code == "UNIMPLEMENTED"

    on_nodes(1, story)
