"""Where a cluster keeps what it has: one folder a cluster, private, under KUBEMU_HOME.

    HOME/NAME/pki/          certificates            HOME/NAME/data/   the API server's store
    HOME/NAME/conf/         kubeconfigs             HOME/NAME/logs/   one file a process
    HOME/NAME/plan.json     what runs               HOME/NAME/processes.json   its processes now
    HOME/NAME/nodes/NODE/   container logs of a node, and the images that it pulled
    HOME/NAME/registry/     the images of the cluster's registry
    HOME/NAME/addresses.json   the addresses of its nodes
    HOME/NAME/lock          held by the supervisor  HOME/NAME/run/    unix sockets

A process is known by its number and the time it started, since numbers are used again.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cluster.launcher import files

# sun_path holds 104 bytes on macOS and 108 on Linux, the final zero included.
_SOCKET_PATH_LENGTH: Final = 103
_START_TOLERANCE: Final = 0.5

SUPERVISOR: Final = "supervisor"
ZYGOTE: Final = "zygote"
"""Under these names the processes that run the others are recorded."""


class Locked(Exception):
    """Another supervisor holds the cluster."""


@dataclass(frozen=True, slots=True)
class Running:
    """A process as recorded: its number, and when it started (seconds since the epoch)."""

    pid: int
    started: float


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder of one cluster."""

    path: Path

    @property
    def name(self) -> str:
        """The cluster's name."""
        return self.path.name

    @property
    def pki(self) -> Path:
        """Certificates."""
        return self.path / "pki"

    @property
    def etcd_pki(self) -> Path:
        """Certificates of etcd's own authority, laid out as kubeadm does."""
        return self.pki / "etcd"

    @property
    def conf(self) -> Path:
        """The kubeconfigs of the components."""
        return self.path / "conf"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.path / "kubeconfig"

    @property
    def data(self) -> Path:
        """What the API server stores."""
        return self.path / "data"

    def member(self, name: str) -> Path:
        """What a member of etcd stores."""
        return self.data / name

    def member_ports(self) -> list[tuple[int, int]]:
        """The ports of etcd's members that have data, for clients and for each other."""
        try:
            return [(int(one), int(other)) for one, other in json.loads(self._members.read_bytes())]
        except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
            return []

    def keep_member_ports(self, ports: Sequence[tuple[int, int]]) -> None:
        """Write them down: members know each other by them. files.Unwritable."""
        files.write_private(self._members, json.dumps(ports).encode())

    @property
    def _members(self) -> Path:
        return self.data / "members.json"

    @property
    def logs(self) -> Path:
        """One file a process."""
        return self.path / "logs"

    def node_logs(self, node: str) -> Path:
        """The container logs of a node."""
        return self.path / "nodes" / node / "pods"

    def node_root(self, node: str) -> Path:
        """The root directory of a node's kubelet: the volumes of its pods, and the node's files."""
        return (self.path / "nodes" / node / "kubelet").absolute()

    def node_state(self, node: str) -> Path:
        """What a node's runtime keeps, so that it is known after a restart."""
        return self.path / "nodes" / node / "state"

    def node_oci(self, node: str) -> Path:
        """What a node's real containers are made of, where it runs any."""
        return (self.path / "nodes" / node / "oci").absolute()

    def node_images(self, node: str) -> Path:
        """The images that a node pulled from registries."""
        return self.path / "nodes" / node / "images"

    @property
    def registry(self) -> Path:
        """What was pushed to the cluster's registry."""
        return self.path / "registry"

    @property
    def plan(self) -> Path:
        """The plan that the supervisor carries out."""
        return self.path / "plan.json"

    @property
    def addresses(self) -> Path:
        """Which addresses the nodes have (`addressing`)."""
        return self.path / "addresses.json"

    @property
    def processes(self) -> Path:
        """The processes that run now."""
        return self.path / "processes.json"

    @property
    def lock(self) -> Path:
        """Held by the supervisor as long as it lives."""
        return self.path / "lock"

    @property
    def run(self) -> Path:
        """Unix sockets: beside the rest, or in a short place where the path grew too long."""
        usual = self.path / "run"
        if len(os.fsencode(usual)) + 33 <= _SOCKET_PATH_LENGTH:
            return usual
        digest = hashlib.sha256(os.fsencode(self.path.absolute())).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"kubemu-{os.getuid()}-{digest}"

    def socket(self, name: str) -> Path:
        """The path of a unix socket, short enough for the kernel."""
        path = self.run / f"{name}.sock"
        if len(os.fsencode(path)) <= _SOCKET_PATH_LENGTH:
            return path
        return self.run / f"{hashlib.sha256(name.encode()).hexdigest()[:24]}.sock"

    def log(self, process: str) -> Path:
        """The log file of a process."""
        return self.logs / f"{process}.log"

    def prepare(self) -> None:
        """Make the folders. files.Unwritable."""
        for folder in (self.path, self.pki, self.conf, self.data, self.logs, self.run):
            files.make_private(folder)

    def exists(self) -> bool:
        """Whether there is such a cluster, running or not, or what was restored to be one."""
        store = self.data / "store.db"
        return any(path.exists() for path in (self.plan, self.processes, store))

    def used(self) -> bool:
        """Whether there is, or was, a cluster here: something may be left of it."""
        return self.exists() or self.lock.exists()

    def remove(self, *, keep_data: bool = False) -> None:
        """Forget the cluster; with `keep_data` only what a next start makes anew.

        What is not of a cluster stays, and the folder with it.
        """
        shutil.rmtree(self.run, ignore_errors=True)
        self.processes.unlink(missing_ok=True)
        if keep_data:
            return
        inner = (self.data, self.registry, self.path / "nodes")
        for folder in (self.pki, self.conf, self.logs, *inner):
            shutil.rmtree(folder, ignore_errors=True)
        for file in (
            self.kubeconfig,
            self.plan,
            self.addresses,
            self.lock,
            *self.path.glob(".*.new"),
        ):
            file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.path.rmdir()


def home(environment: Mapping[str, str]) -> Path:
    """The folder of all clusters: KUBEMU_HOME, or ~/.kubemu."""
    named = environment.get("KUBEMU_HOME")
    return Path(named).expanduser().absolute() if named else Path.home() / ".kubemu"


def names(root: Path) -> list[str]:
    """The clusters that have a folder, in order."""
    if not root.is_dir():
        return []
    return sorted(path.name for path in root.iterdir() if Folder(path).exists())


def acquire(folder: Folder) -> int:
    """Take the cluster's lock; returns its descriptor, which holds it until closed. Locked."""
    descriptor = os.open(folder.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise Locked(f"cluster {folder.name} is running already") from error
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor


def holder(folder: Folder) -> int | None:
    """The number of the process that holds the lock; None where nobody does."""
    try:
        descriptor = os.open(folder.lock, os.O_RDWR | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return int(os.read(descriptor, 32).decode().strip() or 0)
    finally:
        os.close(descriptor)
    return None


def record(folder: Folder, running: Mapping[str, Running]) -> None:
    """Write down which processes run, so that they can be found whatever happens."""
    content = {name: [process.pid, process.started] for name, process in running.items()}
    files.write_private(folder.processes, json.dumps(content).encode())


def recorded(folder: Folder) -> dict[str, Running]:
    """The processes last written down, whether they still run or not."""
    try:
        content = json.loads(folder.processes.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    return {name: Running(int(pid), float(started)) for name, (pid, started) in content.items()}


def started(pid: int) -> float | None:
    """When process `pid` started, in seconds since the epoch; None where it does not run."""
    import psutil

    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE:
            return float(process.create_time())
    return None


def alive(process: Running) -> bool:
    """Whether the process still runs, and is not another one of the same number."""
    start = started(process.pid)
    return start is not None and abs(start - process.started) <= _START_TOLERANCE


def leftovers(folder: Folder) -> dict[str, Running]:
    """Recorded processes that still run although no supervisor holds the cluster."""
    if holder(folder) is not None:
        return {}
    return {name: process for name, process in recorded(folder).items() if alive(process)}
