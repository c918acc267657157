"""Real etcd for tests: Debian's 3.4, and 3.5 where scripts/etcd brought it."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from cluster.storage.etcd.settings import Settings
from cluster.storage.etcd.store import EtcdStorage

NEWER = Path(__file__).parents[2] / ".clients" / "etcd" / "etcd"
MISSING = "etcd is not installed: scripts/etcd brings it"


def programs() -> dict[str, str]:
    """The etcd servers that are here, by name."""
    found = {"etcd-3.4": shutil.which("etcd") or shutil.which("etcd", path="/usr/bin")}
    found["etcd-3.5"] = str(NEWER) if os.access(NEWER, os.X_OK) else None
    return {name: path for name, path in found.items() if path}


def program() -> str:
    """One of them; without any, the test is skipped."""
    here = programs()
    if not here:
        pytest.skip(MISSING)
    return here.get("etcd-3.4") or here["etcd-3.5"]


class Etcd:
    """One member, or one of several, as a process of its own."""

    def __init__(self, path: str, folder: Path, *, name: str = "m1", flags: tuple[str, ...] = ()):
        self.client, self.peer = _port(), _port()
        self.name = name
        self.url = f"http://127.0.0.1:{self.client}"
        self.peer_url = f"http://127.0.0.1:{self.peer}"
        self._path = path
        self._folder = folder
        self.flags = flags
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, peers: str = "") -> None:
        """Start it, or start it again on the same data."""
        command = [
            self._path, "--name", self.name, "--data-dir", str(self._folder / self.name),
            "--listen-client-urls", self.url, "--advertise-client-urls", self.url,
            "--listen-peer-urls", self.peer_url, "--initial-advertise-peer-urls", self.peer_url,
            "--initial-cluster", peers or f"{self.name}={self.peer_url}",
            "--heartbeat-interval", "50", "--election-timeout", "500",
            *self.flags,
        ]  # fmt: skip
        log = (self._folder / f"{self.name}.log").open("ab")
        self._process = subprocess.Popen(command, stdout=log, stderr=log)
        log.close()

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """Send it a signal; wait for its end where that ends it."""
        if self._process is None:
            return
        self._process.send_signal(how)
        if how in {signal.SIGKILL, signal.SIGTERM}:
            self._process.wait(10)
            self._process = None


@contextmanager
def running(
    folder: Path, *, size: int = 1, path: str = "", flags: tuple[str, ...] = ()
) -> Iterator[list[Etcd]]:
    """A cluster of so many members."""
    path = path or program()
    members = [Etcd(path, folder, name=f"m{number}", flags=flags) for number in range(1, size + 1)]
    peers = ",".join(f"{member.name}={member.peer_url}" for member in members)
    try:
        for member in members:
            member.start(peers)
        yield members
    finally:
        for member in members:
            member.kill()


def store(members: list[Etcd], prefix: str = "/registry", **settings: object) -> EtcdStorage:
    """A store on these members."""
    servers = tuple(member.url for member in members)
    made = Settings(servers, prefix=prefix, **settings)  # type: ignore[arg-type]
    return EtcdStorage(made, random=Random(7))


def _port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
