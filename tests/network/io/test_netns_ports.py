"""Programs in network namespaces reach each other over our data plane, and a kernel's VXLAN."""

import contextlib
import os
import random
import socket
import subprocess
from pathlib import Path

import netns_world
import pytest

from cluster.network.io import plugging

pytestmark = pytest.mark.skipif(bool(netns_world.missing()), reason=netns_world.missing() or "-")

DATA = random.Random(1).randbytes(3_000_000)


def _need_tap(kind: str) -> None:
    if kind == "tap" and plugging.why_no_tap():
        pytest.skip(plugging.why_no_tap())


@pytest.mark.parametrize(
    ("kind", "turbo"),
    [
        ("tap", False),
        ("veth", True),
        pytest.param("tap", True, marks=pytest.mark.slow),
        pytest.param("veth", False, marks=pytest.mark.slow),
    ],
)
def test_pods_in_namespaces_reach_each_other(kind, turbo):
    _need_tap(kind)
    with netns_world.nodes(kind, turbo=turbo) as (one, two):
        assert netns_world.transfer(one.pod, two.pod, two.address, DATA) == DATA
        with two.pod.socket(socket.SOCK_DGRAM) as there, one.pod.socket(socket.SOCK_DGRAM) as here:
            there.bind((two.address, 0))
            for size in (1, 1400, 1423, 4000):  # from 1423 on in fragments
                here.sendto(DATA[:size], there.getsockname())
                data, sender = there.recvfrom(65536)
                assert (data, sender[0]) == (DATA[:size], one.address)
            segmented = (socket.IPPROTO_UDP, 103, (1000).to_bytes(2, "little"))  # UDP_SEGMENT
            here.sendmsg([DATA[:2500]], [segmented], 0, there.getsockname())
            assert [there.recv(65536) for _ in range(3)] == [
                DATA[:1000], DATA[1000:2000], DATA[2000:2500],
            ]  # fmt: skip
        with one.pod.socket() as refused:
            refused.settimeout(5)
            with pytest.raises(ConnectionRefusedError):
                refused.connect((two.address, 9))


def test_a_pod_has_one_interface_and_the_addresses_of_nodes_are_not_its_own():
    _need_tap("tap")
    with netns_world.nodes("tap") as (one, _):
        assert "mtu 1450" in one.pod.run("ip", "-o", "link", "show", "eth0")
        assert "10.244.1.2/24 brd 10.244.1.255" in one.pod.run("ip", "-o", "addr", "show", "eth0")
        assert "via 10.244.1.1 dev eth0" in one.pod.run("ip", "route", "get", "127.77.0.2")
        assert "local 127.0.5.1 dev lo" in one.pod.run("ip", "route", "get", "127.0.5.1")


def test_who_carries_frames_may_go_and_another_take_over():
    """The TAP device stays with the pod."""
    _need_tap("tap")
    pod = netns_world.Namespace()
    wanted = plugging.Interface(
        "eth0", b"\x0a\x58\x0a\xf4\x01\x02", 0x0AF40102, 24, 0x0AF40101, 1450
    )
    try:
        for _ in range(2):
            with netns_world.inside(pod.path):
                os.close(plugging.tap(wanted))
            assert "10.244.1.2/24" in pod.run("ip", "-o", "addr", "show", "eth0")
    finally:
        pod.close()


def _ip(*argv: str) -> None:
    subprocess.run(["ip", *argv], check=True, capture_output=True, timeout=20)


@contextlib.contextmanager
def _kernel_node(ours: netns_world.Node, number: int):
    """A node all of whose network is the kernel's: a pod, cni0, flannel.1, a cable to us."""
    node, pod = netns_world.Namespace(), netns_world.Namespace()
    mac, cable = f"02:00:00:00:00:{number:02x}", f"kw{number}"
    here, there = ours.host, ours.host.rsplit(".", 1)[0] + ".2"
    other = ours.described["network"].split("/")[0]
    try:
        _ip("link", "set", cable, "netns", node.path.split("/")[2], "name", "eth0")
        for line in (
            f"addr add {there}/24 dev eth0",
            "link set eth0 up",
            f"link add flannel.1 type vxlan id 1 dstport 4789 local {there} nolearning",
            f"link set flannel.1 address {mac} mtu 1450 up",
            f"addr add 10.244.{number}.0/32 dev flannel.1",
            "link add cni0 type bridge",
            f"addr add 10.244.{number}.1/24 dev cni0",
            "link set cni0 mtu 1450 up",
            f"link add up0 type veth peer name eth0 netns {pod.path.split('/')[2]}",
            "link set up0 master cni0 mtu 1450 up",
            f"neigh add {other} lladdr {ours.described['mac']} dev flannel.1",
            f"route add {other}/24 via {other} dev flannel.1 onlink",
        ):
            node.run("ip", *line.split())
        node.run(
            "bridge", "fdb", "add", str(ours.described["mac"]), "dev", "flannel.1", "dst", here
        )
        with netns_world.inside(node.path):
            Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        for line in (
            f"addr add 10.244.{number}.2/24 dev eth0",
            "link set eth0 mtu 1450 up",
            f"route add default via 10.244.{number}.1",
        ):
            pod.run("ip", *line.split())
        yield pod, {
            "name": f"kernel{number}", "host": there, "network": f"10.244.{number}.0/24",
            "mac": mac,
        }  # fmt: skip
    finally:
        node.close()
        pod.close()


def test_a_kernel_s_vxlan_device_is_a_node_like_any_other():
    _need_tap("tap")
    with contextlib.ExitStack() as stack:
        _ip("link", "add", "kwours", "type", "veth", "peer", "name", "kw9")
        stack.callback(
            subprocess.run, ["ip", "link", "del", "kwours"], capture_output=True, check=False
        )
        _ip("addr", "add", "198.18.99.1/24", "dev", "kwours")
        _ip("link", "set", "kwours", "up")
        ours = netns_world.Node(1, "tap", host="198.18.99.1")
        stack.callback(ours.close)
        pod, described = stack.enter_context(_kernel_node(ours, 9))
        ours.begin([described])
        address = "10.244.9.2"
        assert netns_world.transfer(pod, ours.pod, ours.address, DATA) == DATA
        assert netns_world.transfer(ours.pod, pod, address, DATA) == DATA
        with ours.pod.socket(socket.SOCK_DGRAM) as here, pod.socket(socket.SOCK_DGRAM) as there:
            here.bind((ours.address, 0))
            there.sendto(DATA[:4000], here.getsockname())
            assert here.recv(65536) == DATA[:4000]


@pytest.mark.parametrize(
    ("make", "said"),
    [(lambda path: None, "is missing"), (lambda path: path.mkdir(), "cannot be opened")],
)
def test_a_machine_says_what_it_lacks_for_tap_devices(tmp_path, monkeypatch, make, said):
    tun = tmp_path / "tun"
    make(tun)
    monkeypatch.setattr(plugging, "TUN", tun)
    assert str(tun) in plugging.why_no_tap()
    assert said in plugging.why_no_tap()
