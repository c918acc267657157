"""A containerd of a test's own: private folders and socket, a bridge and a range of addresses.

Of Debian's packages: containerd, runc, containernetworking-plugins, busybox-static.
"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

from realcluster import KUBEMU, until

from cluster.client import channel
from cluster.kubelet import grpc_cri
from cluster.pb.cri.v1 import api_pb2 as pb

BUSYBOX = shutil.which("busybox")
PLUGINS = Path("/usr/lib/cni")
APPLETS = (
    "sh", "sleep", "echo", "cat", "tar", "httpd", "hostname", "wc", "ls", "env", "id", "touch",
    "date", "tty", "true", "false",
)  # fmt: skip
PAUSE = "localhost/pause:1"
BRIDGE = "kubemu-test0"
ADDRESSES = "10.189.0."


def lacking() -> str:
    """Why containerd cannot be tried here; "" where it can."""
    if os.getuid() != 0:
        return "containerd is tried as root"
    missing = [name for name in ("containerd", "runc", "ctr") if shutil.which(name) is None]
    if not (PLUGINS / "bridge").exists():
        missing.append("CNI's plugins")
    if BUSYBOX is None:
        missing.append("busybox-static")
    return f"missing: {', '.join(missing)} (scripts/runtimes)" if missing else ""


def userland(folder: Path) -> Path:
    """A folder from which the image of a busybox is built."""
    (folder / "bin").mkdir(parents=True)
    shutil.copy(BUSYBOX or "", folder / "bin" / "busybox")
    for name in APPLETS:
        (folder / "bin" / name).symlink_to("busybox")
    (folder / "Dockerfile").write_text(
        'FROM scratch\nCOPY bin/ /bin/\nENV PATH=/bin WHERE=image\nCMD ["sh"]\n'
    )
    return folder


class Containerd:
    """The daemon. Containers outlive it, as they do everywhere; `end` leaves nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "c.sock"
        self.endpoint = f"unix://{self.socket}"
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "cni").mkdir(parents=True)
        ranges = [[{"subnet": f"{ADDRESSES}0/24"}]]
        ipam = {"type": "host-local", "dataDir": str(folder / "addresses"), "ranges": ranges}
        bridge = {"type": "bridge", "bridge": BRIDGE, "isGateway": True, "ipam": ipam}
        network = {"cniVersion": "0.4.0", "name": BRIDGE, "plugins": [bridge]}
        (folder / "cni" / "10-test.conflist").write_text(json.dumps(network))
        (folder / "config.toml").write_text(self._configuration())

    def _configuration(self) -> str:
        # Machines of machines lack the right to lower a score of oom: what is asked is bounded.
        cri = 'plugins."io.containerd.grpc.v1.cri"'
        return f"""version = 2
root = "{self.folder}/root"
state = "{self.folder}/state"
[grpc]
  address = "{self.socket}"
[{cri}]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = true
  [{cri}.cni]
    bin_dir = "{PLUGINS}"
    conf_dir = "{self.folder}/cni"
  [{cri}.containerd]
    snapshotter = "native"
"""

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["containerd", "--config", str(self.folder / "config.toml")],
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        until("containerd answers", self._answers)

    def stop(self) -> None:
        """Stop the daemon; its containers go on."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(30)
            self._process = None

    def ctr(self, *arguments: str) -> str:
        """Run `ctr` in the name space of CRI."""
        command = ["ctr", "--address", str(self.socket), "--namespace", "k8s.io", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def load(self, image: str, context: Path, home: Path) -> None:
        """Build an image with kubemu, and hand it over in a file."""
        archive = self.folder / "image.tar"
        environment = {**os.environ, "KUBEMU_HOME": str(home)}
        for words in (
            ("build", "-q", "-t", image, str(context)),
            ("save", "-o", str(archive), image),
        ):
            subprocess.run(
                [*KUBEMU, "image", *words], env=environment, check=True, timeout=60,
                stdout=subprocess.DEVNULL,
            )  # fmt: skip
        self.ctr("images", "import", "--snapshotter", "native", str(archive))
        archive.unlink()

    def tasks(self) -> list[str]:
        """The ids of what runs."""
        return self.ctr("tasks", "ls", "-q").split()

    def end(self) -> None:
        """Remove all pods, stop the daemon, and take its bridge away."""
        if self._process is None:
            return
        asyncio.run(self._clear())
        assert self.tasks() == []
        self.stop()
        subprocess.run(["ip", "link", "delete", BRIDGE], check=False, capture_output=True)

    async def _clear(self) -> None:
        async with channel.connect([self.endpoint]) as opened:
            cri = grpc_cri.connect(opened)
            for one in (await cri.list_pod_sandbox(pb.ListPodSandboxRequest())).items:
                await cri.stop_pod_sandbox(pb.StopPodSandboxRequest(pod_sandbox_id=one.id))
                await cri.remove_pod_sandbox(pb.RemovePodSandboxRequest(pod_sandbox_id=one.id))

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "log").read_text()[-2000:]
        command = ["ctr", "--address", str(self.socket), "version"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
