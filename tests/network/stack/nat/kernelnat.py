"""A Linux kernel's netfilter as a node: rules as kube-proxy and flannel write them, in a network
namespace of its own, asked frame by frame.

Run as `unshare --net python kernelnat.py`; without arguments it serves: a line of JSON, a side and
a frame in hexadecimal digits, is answered by a line with all that came out. `Kernel` starts it.
"""

import json
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

NODE: Final = "172.18.0.2"
SIDES: Final = {"pods": "10.244.1.1/24", "nodes": "10.244.1.0/32", "out": f"{NODE}/32"}
ROUTES: Final = {"10.244.2.0/24": "nodes", "192.0.2.0/24": "out", "10.96.0.0/12": "out"}
NEIGHBOURS: Final = {
    "pods": ("10.244.1.5", "10.244.1.6"),
    "nodes": ("10.244.2.9", "10.244.2.200"),
    "out": ("192.0.2.50",),
}
_RULES: Final = """
table ip node {
  map backends { type ipv4_addr . inet_proto . inet_service : verdict; elements = {
    10.96.0.10 . tcp . 80 : goto cluster, 10.96.0.12 . tcp . 80 : goto cluster,
    10.96.0.11 . udp . 53 : goto names, 10.96.0.13 . tcp . 80 : goto own } }
  set services { type ipv4_addr; elements = {
    10.96.0.10, 10.96.0.11, 10.96.0.12, 10.96.0.13, 10.96.0.14 } }
  chain marked { meta mark set meta mark or 0x4000; }
  chain cluster { ip saddr != 10.244.0.0/16 jump marked; goto web; }
  chain names { ip saddr != 10.244.0.0/16 jump marked; meta l4proto udp dnat to 10.244.2.9:5353; }
  chain outer { jump marked; goto web; }
  chain web { meta l4proto tcp dnat to 10.244.2.9:8080; }
  chain own { ip saddr 10.244.1.5 jump marked; meta l4proto tcp dnat to 10.244.1.5:8080; }
  chain prerouting { type nat hook prerouting priority dstnat;
    ip daddr . meta l4proto . th dport vmap @backends;
    ip daddr 172.18.0.2 tcp dport 30080 goto outer; }
  chain forward { type filter hook forward priority filter;
    ct state invalid drop;
    ct state new ip daddr @services reject;
    ct state new ip daddr 10.96.0.0/12 drop; }
  chain postrouting { type nat hook postrouting priority srcnat;
    meta mark & 0x4000 != 0 masquerade fully-random;
    ip saddr 10.244.0.0/16 ip daddr != 10.244.0.0/16 masquerade fully-random; }
}
"""
_MARKER: Final = b"that is all"


def _run(*command: str, text: str = "") -> None:
    subprocess.run(command, input=text, text=True, check=True, capture_output=True)


def _build() -> dict[str, socket.socket]:
    """The namespace's devices and rules; a socket at the far end of each."""
    found: dict[str, socket.socket] = {}
    _set("all/disable_ipv6", "1", family="ipv6")
    for side, address in SIDES.items():
        _run(
            "ip",
            "link",
            "add",
            side,
            "address",
            _mac(side),
            "type",
            "veth",
            "peer",
            "name",
            f"{side}-far",
        )
        for name in (side, f"{side}-far"):
            _run("ip", "link", "set", name, "up")
        _run("ip", "addr", "add", address, "dev", side)
        for one in ("rp_filter", "send_redirects"):
            _set(f"{side}/{one}", "0")
        far = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
        far.bind((f"{side}-far", 0x0800))
        far.settimeout(5)
        found[side] = far
    for name in ("all/rp_filter", "all/send_redirects"):
        _set(name, "0")
    _set("all/forwarding", "1")
    Path("/proc/sys/net/ipv4/icmp_ratelimit").write_text("0")
    liberal = Path("/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal")
    for prefix, side in ROUTES.items():
        _run("ip", "route", "add", prefix, "dev", side)
    for side, there in NEIGHBOURS.items():
        for number, one in enumerate(there):
            _run("ip", "neigh", "add", one, "lladdr", f"02:00:00:00:00:0{number + 1}",
                 "dev", side, "nud", "permanent")  # fmt: skip
    _run("nft", "-f", "-", text=_RULES)
    liberal.write_text("1")  # the test's sequence numbers stand still
    return found


def _set(name: str, value: str, family: str = "ipv4") -> None:
    Path(f"/proc/sys/net/{family}/conf/{name}").write_text(value)


def _marker() -> bytes:
    """A packet that passes unchanged, after all that came before it."""
    header = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 28 + len(_MARKER), 0, 0, 64, 17, 0,
        socket.inet_aton("10.244.1.6"), socket.inet_aton("10.244.2.200"),
    )  # fmt: skip
    total = sum(struct.unpack("!10H", header))
    total = (total & 0xFFFF) + (total >> 16)
    header = header[:10] + struct.pack("!H", total ^ 0xFFFF) + header[12:]
    return header + struct.pack("!HHHH", 9, 9, 8 + len(_MARKER), 0) + _MARKER


def serve() -> None:
    """Answer until the input ends."""
    far = _build()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        side, digits = json.loads(line)
        if side == "states":
            sys.stdout.write(json.dumps(_states(int(digits))) + "\n")
            sys.stdout.flush()
            continue
        _send(far, side, bytes.fromhex(digits)[14:])
        _send(far, "pods", _marker())
        sys.stdout.write(json.dumps(_came(far)) + "\n")
        sys.stdout.flush()


def _states(port: int) -> list[str]:
    """States of the connections of TCP that began at a port."""
    lines = Path("/proc/net/nf_conntrack").read_text().splitlines()
    rows = [line.split() for line in lines]
    return [row[5] for row in rows if row[2] == "tcp" and row[8] == f"sport={port}"]


def _send(far: dict[str, socket.socket], side: str, packet: bytes) -> None:
    link = bytes.fromhex(_mac(side).replace(":", "")) + b"\x02\0\0\0\0\x01" + b"\x08\0"
    far[side].send(link + packet)


def _mac(side: str) -> str:
    """Of the kernel's end of a side."""
    return f"02:00:00:00:01:0{list(SIDES).index(side)}"


def _came(far: dict[str, socket.socket]) -> list[tuple[str, str]]:
    """All that came out before the marker."""
    found: list[tuple[str, str]] = []
    for side in ("nodes", "pods", "out"):
        far[side].setblocking(side == "nodes")
        if side == "nodes":
            far[side].settimeout(5)
        while True:
            try:
                data, where = far[side].recvfrom(65535)
            except BlockingIOError:
                break
            if where[2] == socket.PACKET_OUTGOING:
                continue
            if data.endswith(_MARKER):
                break
            found.append((side, data.hex()))
    return found


class Kernel:
    """One such namespace. OSError with a word where this machine has none."""

    def __init__(self) -> None:
        command = ["unshare", "--net", sys.executable, __file__]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            told = self.close().strip().splitlines()
            raise OSError(told[-1] if told else "it ended without a word")

    def states(self, port: int) -> list[str]:
        """As it says of its connections of TCP from this port."""
        found: list[str] = self._ask("states", str(port))
        return found

    def send(self, side: str, data: bytes) -> list[tuple[str, bytes]]:
        """Send a frame in at a side; what came out, and where."""
        came = self._ask(side, data.hex())
        return [(one, bytes.fromhex(found)) for one, found in came]

    def _ask(self, *question: str) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> str:
        """End it; what it said of faults."""
        return self._process.communicate(timeout=30)[1]


if __name__ == "__main__":
    serve()
