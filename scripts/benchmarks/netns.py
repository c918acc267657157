"""Programs in network namespaces over our data plane, beside the same over a kernel's VXLAN.

Both in the same minute, for what they share is the machine: a node is a process with a TAP device
here, a namespace with bridge, routes and a VXLAN device there. Needs root.
"""

import contextlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.figures import Figure, Outcome, Skipped

sys.path.append(str(Path(__file__).parents[2] / "tests" / "network" / "io"))

_SECONDS: Final = 2.0
_ROUNDS: Final = 3
_NAME: Final = "netns pods"
_SINK: Final = """
import socket, sys
listener = socket.create_server((sys.argv[1], 5201))
print("ready", flush=True)
taken, _ = listener.accept()
buffer, total = bytearray(1 << 20), 0
while size := taken.recv_into(buffer):
    total += size
print(total)
"""
_SOURCE: Final = """
import socket, sys, time
connection = socket.create_connection((sys.argv[1], 5201))
data, began, end = bytes(1 << 20), time.monotonic(), float(sys.argv[2])
while time.monotonic() - began < end:
    connection.sendall(data)
connection.close()
print(time.monotonic() - began)
"""


def measure() -> Iterator[Outcome]:
    """Throughput of one TCP stream by standard wire and turbo, and a ping's time."""
    import netns_world

    from cluster.network.io import plugging

    why = netns_world.missing() or plugging.why_no_tap()
    if why:
        yield Skipped(_NAME, why)
        return
    best = dict.fromkeys(("kernel", "standard", "turbo"), 0.0)
    ping = float("inf")
    for _ in range(_ROUNDS):
        with _kernel() as (one, two, address):
            best["kernel"] = max(best["kernel"], _throughput(one, two, address))
        for way in ("standard", "turbo"):
            with netns_world.nodes("tap", turbo=way == "turbo") as (here, there):
                speed = _throughput(here.pod, there.pod, there.address)
                best[way] = max(best[way], speed)
                if way == "standard" and shutil.which("ping"):
                    ping = min(ping, _ping(here.pod, there.address))
    kernel = best["kernel"]
    yield Figure("kernel VXLAN between namespaces", kernel, "Gbit/s")
    note = f"{best['standard']:.2f} Gbit/s"
    yield Figure(
        f"{_NAME}, standard wire, to kernel's", best["standard"] / kernel, "", 0.12, note=note
    )
    note = f"{best['turbo']:.2f} Gbit/s"
    yield Figure(f"{_NAME}, turbo, to kernel's", best["turbo"] / kernel, "", 0.35, note=note)
    if ping == float("inf"):
        yield Skipped(f"{_NAME}, ping", "ping is not installed")
    else:
        yield Figure(f"{_NAME}, ping", ping, "ms", 0.35, lower=True)


def _throughput(source, sink, address: str) -> float:
    """Gbit/s of one TCP stream."""
    inside = ["nsenter", f"--net={sink.path}", sys.executable, "-c", _SINK, address]
    receiver = subprocess.Popen(inside, stdout=subprocess.PIPE, text=True)
    assert receiver.stdout is not None
    receiver.stdout.readline()
    took = float(source.run(sys.executable, "-c", _SOURCE, address, str(_SECONDS)))
    total, _ = receiver.communicate(timeout=20)
    return int(total) * 8 / took / 1e9


def _ping(source, address: str) -> float:
    """Milliseconds there and back, one ping after another."""
    said = source.run("ping", "-A", "-q", "-c", "1000", address)
    found = re.search(r"= [\d.]+/([\d.]+)/", said)
    assert found is not None, said
    return float(found[1])


@contextlib.contextmanager
def _kernel():
    """Two pods behind bridges, routes and VXLAN devices of the kernel."""
    import netns_world

    with contextlib.ExitStack() as stack:
        made = [netns_world.Namespace() for _ in range(4)]
        for one in made:
            stack.callback(one.close)
        machines, pods = made[:2], made[2:]
        machines[0].run(
            "ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns",
            machines[1].path.split("/")[2],
        )  # fmt: skip
        for number, (machine, pod) in enumerate(zip(machines, pods, strict=True), 1):
            other = 3 - number
            for line in (
                f"ip addr add 198.18.98.{number}/24 dev eth0",
                "ip link set eth0 up",
                f"ip link add flannel.1 type vxlan id 1 dstport 4789 local 198.18.98.{number} "
                "nolearning",
                f"ip link set flannel.1 address 02:00:00:00:00:0{number} mtu 1450 up",
                f"ip addr add 10.244.{number}.0/32 dev flannel.1",
                "ip link add cni0 type bridge",
                f"ip addr add 10.244.{number}.1/24 dev cni0",
                "ip link set cni0 mtu 1450 up",
                f"ip link add up0 type veth peer name eth0 netns {pod.path.split('/')[2]}",
                "ip link set up0 master cni0 mtu 1450 up",
                f"ip neigh add 10.244.{other}.0 lladdr 02:00:00:00:00:0{other} dev flannel.1",
                f"bridge fdb add 02:00:00:00:00:0{other} dev flannel.1 dst 198.18.98.{other}",
                f"ip route add 10.244.{other}.0/24 via 10.244.{other}.0 dev flannel.1 onlink",
            ):
                machine.run(*line.split())
            with netns_world.inside(machine.path):
                Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
            for line in (
                f"ip addr add 10.244.{number}.2/24 dev eth0",
                "ip link set eth0 mtu 1450 up",
                f"ip route add default via 10.244.{number}.1",
            ):
                pod.run(*line.split())
        yield pods[0], pods[1], "10.244.2.2"
