"""Real etcd, started as `kubemu up --ha` starts it: it believes API servers and nobody else."""

import http.client
import shutil
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest

from cluster.aio.clock import SystemClock
from cluster.launcher import kubeconfig, plan, preparing, state, topology

NOW = SystemClock().now()
WANTED = topology.Topology("few", nodes=topology.numbered(1), etcd_members=1)


@pytest.fixture(scope="module")
def etcd(tmp_path_factory):
    """The folder of a cluster whose member runs, and the ports of that."""
    if shutil.which("etcd") is None:
        pytest.skip("there is no etcd on the PATH: scripts/etcd brings it")
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
        ports = one.getsockname()[1], other.getsockname()[1]
    folder = state.Folder(tmp_path_factory.mktemp("few"))
    prepared = preparing.prepare(WANTED, folder, plan.Ports(1, 2, members=(ports,)), NOW)
    member = next(each for each in prepared.processes if each.component == plan.ETCD)
    log = folder.log("etcd")
    with log.open("wb") as output:
        process = subprocess.Popen(["etcd", *member.argv[1:]], stdout=output, stderr=output)
    try:
        end = time.monotonic() + 20
        client = folder.pki / "apiserver-etcd-client"
        while (found := asked(folder, ports[0], client)) != 200:
            assert time.monotonic() < end, f"{found!r}: {log.read_text()[-2000:]}"
            assert process.poll() is None, log.read_text()[-2000:]
            time.sleep(0.05)  # noqa: TID251  (a process: nothing tells us)
        yield folder, ports
    finally:
        process.kill()
        process.wait()


def asked(folder: state.Folder, port: int, client: Path | None) -> object:
    """The status of an answer to who shows this certificate (`client`.crt and .key); or the fault
    instead of one.
    """
    context = ssl.create_default_context(cafile=folder.etcd_pki / "ca.crt")
    if client is not None:
        context.load_cert_chain(client.with_suffix(".crt"), client.with_suffix(".key"))
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=context)
    try:
        connection.request("GET", "/version")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return error
    finally:
        connection.close()


@pytest.mark.parametrize("door", [0, 1], ids=["client", "peer"])
@pytest.mark.parametrize(
    "who",
    ["", "kubelet-node-1.conf", "kube-proxy.conf", "scheduler.conf", "kubeconfig", "apiserver",
     "apiserver-kubelet-client", "front-proxy-client"],
)  # fmt: skip
def test_what_the_clusters_authority_signed_is_refused(etcd, tmp_path, who, door) -> None:
    folder, ports = etcd
    client: Path | None = folder.pki / who if who else None
    if "conf" in who:
        path = folder.kubeconfig if who == "kubeconfig" else folder.conf / who
        access = kubeconfig.access(path)
        client = tmp_path / "client"
        client.with_suffix(".crt").write_bytes(access.certificate)
        client.with_suffix(".key").write_bytes(access.key)
    found = asked(folder, ports[door], client)
    assert isinstance(found, ssl.SSLError | ConnectionError), found
