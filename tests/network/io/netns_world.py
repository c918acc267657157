"""Pods in network namespaces, on nodes that are processes. Needs root; says what is missing."""

import contextlib
import ctypes
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

_NODE = Path(__file__).with_name("netns_node.py")
_PID = os.getpid()
_libc = ctypes.CDLL(None, use_errno=True)


def missing() -> str:
    """Why no such world can be made here; "" where it can."""
    if sys.platform != "linux":
        return "network namespaces are Linux's"
    if os.getuid() != 0:
        return "network namespaces and devices in them take root here"
    for program in ("unshare", "ip"):
        if not shutil.which(program):
            return f"{program} is not installed"
    if subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode:
        return "this machine lets nobody make network namespaces"
    return ""


@contextlib.contextmanager
def inside(path: str) -> Iterator[None]:
    """Be in a namespace."""
    own, theirs = os.open("/proc/self/ns/net", os.O_RDONLY), os.open(path, os.O_RDONLY)
    try:
        if _libc.setns(theirs, 0):
            raise OSError(ctypes.get_errno(), "setns")
        yield
    finally:
        if _libc.setns(own, 0):
            os._exit(70)  # nothing of this process may go on in another namespace
        os.close(own)
        os.close(theirs)


class Namespace:
    """A network namespace, held by a process that sleeps."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen(["unshare", "-n", "sleep", "300"])
        self.path = f"/proc/{self._holder.pid}/ns/net"
        own, deadline = Path("/proc/self/ns/net").readlink(), time.monotonic() + 10
        while not Path(f"/proc/{self._holder.pid}/comm").read_text().startswith("sleep"):
            assert time.monotonic() < deadline
            select.select([], [], [], 0.002)
        assert Path(self.path).readlink() != own

    def socket(self, kind: int = socket.SOCK_STREAM) -> socket.socket:
        """A socket of the namespace."""
        with inside(self.path):
            made = socket.socket(socket.AF_INET, kind)
        made.settimeout(10)
        return made

    def run(self, *argv: str) -> str:
        """The output of a command in it."""
        argv = ("nsenter", f"--net={self.path}", *argv)
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, f"{argv}: {done.stdout} {done.stderr}"
        return done.stdout

    def close(self) -> None:
        self._holder.kill()
        self._holder.wait()


class Node:
    """A node in a process of its own, with one pod."""

    def __init__(self, number: int, kind: str, *, host: str = "", turbo: bool = False) -> None:
        self.pod = Namespace()
        self.address = f"10.244.{number}.2"
        self.host = host or f"127.{250 + _PID % 4}.{_PID // 4 % 250}.{number + 1}"
        self.described = {
            "name": f"node{number}", "host": self.host, "network": f"10.244.{number}.0/24",
            "turbo": turbo,
        }  # fmt: skip
        told = self.described | {"kind": kind, "pods": {self.address: self.pod.path}}
        self._process = subprocess.Popen(
            [sys.executable, str(_NODE), json.dumps(told)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.described["mac"] = self._line()

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        assert line, "the node ended"
        return line

    def begin(self, peers: Sequence[dict[str, object]]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(list(peers)) + "\n")
        self._process.stdin.flush()
        assert self._line() == "ready"

    def close(self) -> dict[str, object]:
        """End it; what it counted."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        counted = json.loads(self._line())
        self._process.wait(10)
        self.pod.close()
        return counted


@contextlib.contextmanager
def nodes(kind: str, *, turbo: bool = False) -> Iterator[tuple[Node, Node]]:
    """Two nodes that know each other."""
    with contextlib.ExitStack() as stack:
        made = []
        for number in (1, 2):
            made.append(Node(number, kind, turbo=turbo))
            stack.callback(made[-1].close)
        one, two = made
        one.begin([two.described])
        two.begin([one.described])
        yield one, two


def transfer(sender: Namespace, receiver: Namespace, address: str, data: bytes) -> bytes:
    """What arrives of some bytes that are sent by TCP, and sent back."""
    with receiver.socket() as listener, sender.socket() as connection:
        listener.bind((address, 0))
        listener.listen(1)
        connection.connect(listener.getsockname())
        accepted, _ = listener.accept()
        with accepted:
            accepted.settimeout(10)
            there = _carried(connection, accepted, data)
            back = _carried(accepted, connection, there)
    return back


def _carried(one: socket.socket, other: socket.socket, data: bytes) -> bytes:
    sending = threading.Thread(target=one.sendall, args=(data,))
    sending.start()
    got = bytearray()
    while len(got) < len(data):
        piece = other.recv(1 << 20)
        if not piece:
            break
        got += piece
    sending.join(10)
    return bytes(got)
