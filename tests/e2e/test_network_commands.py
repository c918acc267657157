"""`kubemu net` on a real cluster: what it shows is what happens, and Wireshark reads it."""

import json
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from realcluster import KUBEMU, Cluster, until

from cluster.api import faults
from cluster.cli import app

pytestmark = pytest.mark.usefixtures("kubectl")

MANIFESTS = """
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  nodeName: node-2
  containers: [{name: c, image: nginx, ports: [{name: http, containerPort: 80}]}]
---
apiVersion: v1
kind: Pod
metadata: {name: client}
spec:
  nodeName: node-1
  containers: [{name: c, image: busybox, command: [sleep, "100000"]}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: NodePort
  selector: {app: web}
  ports: [{port: 8080, targetPort: http, nodePort: 30080}]
"""

POLICY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed}
spec: {podSelector: {matchLabels: {app: web}}}
"""


@pytest.fixture(scope="module")
def cluster(clusters: Callable[..., Cluster], tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    made = clusters("net", "--nodes", "2")
    apply(made, MANIFESTS, tmp_path_factory.mktemp("files"))
    made.kubectl("wait", "--for=condition=Ready", "pod/web", "pod/client", "--timeout=30s")
    until("the service is programmed", lambda: "30080" in net(made, "services", "node-1"))
    return made


def apply(cluster: Cluster, text: str, folder: Path) -> None:
    path = folder / "manifests.yaml"
    path.write_text(text)
    cluster.kubectl("apply", "-f", str(path))


def net(cluster: Cluster, command: str, *arguments: str, code: int = 0) -> str:
    """What a command prints; where it fails by a fault, what that says."""
    done = CliRunner().invoke(
        app.kubemu, ["net", command, "--name", cluster.name, *arguments], env=cluster.environment
    )
    if isinstance(done.exception, faults.Fault):
        assert code == 1, done.exception
        return str(done.exception)
    assert done.exit_code == code, done.output
    return done.stdout


def documents(cluster: Cluster, command: str, *arguments: str) -> Any:
    return json.loads(net(cluster, command, *arguments, "-o", "json"))


def address(cluster: Cluster, pod: str) -> str:
    return str(cluster.get("pod", pod)["status"]["podIP"])


def node_address(cluster: Cluster, node: str) -> str:
    found = cluster.get("node", node)["status"]["addresses"]
    return str(next(one["address"] for one in found if one["type"] == "InternalIP"))


@contextmanager
def capturing(cluster: Cluster, out: Path, until_there: bytes, *arguments: str) -> Iterator[None]:
    """A capture meanwhile, into a file; it ends when something is there twice at least."""
    command = [*KUBEMU, "net", "capture", "--name", cluster.name, *arguments]
    with (
        out.open("wb") as file,
        subprocess.Popen(
            command, env=cluster.environment, stdout=file, stderr=subprocess.PIPE, text=True
        ) as process,
    ):
        assert process.stderr is not None
        assert process.stderr.readline().startswith("capturing on ")
        yield
        until("it is captured", lambda: out.read_bytes().count(until_there) >= 2)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
        assert process.returncode == 0, said
        assert "\n0 packets dropped" in said


def ask(cluster: Cluster) -> None:
    url = f"http://{node_address(cluster, 'node-1')}:30080/"
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert b"Welcome to nginx" in answer.read()


def test_a_capture_of_a_node_port_shows_client_nodes_and_pod(
    cluster: Cluster, tmp_path: Path
) -> None:
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("there is no tshark on the PATH")
    path, text = tmp_path / "eth0.pcap", tmp_path / "web.txt"
    with (
        capturing(cluster, text, b": HTTP: ", "web", "tcp port 80"),
        capturing(cluster, path, b"200 OK", "node-1", "-i", "eth0", "-w", "-", "tcp"),
    ):
        ask(cluster)
    seen = text.read_text().splitlines()
    web, gateway = address(cluster, "web"), node_address(cluster, "node-1")
    assert any("Flags [S]" in line and f" > {web}.80: " in line for line in seen)
    assert any(line.endswith("HTTP: GET / HTTP/1.1") for line in seen)
    checks = [f"{kind}.check_checksum:TRUE" for kind in ("ip", "tcp", "udp")]
    command = [tshark, "-r", str(path), *(word for check in checks for word in ("-o", check))]

    def rows(*arguments: str) -> list[str]:
        return cluster.run([*command, *arguments]).splitlines()

    bad = " or ".join(f"{kind}.checksum.status == 0" for kind in ("ip", "tcp", "udp"))
    assert rows("-Y", f"_ws.malformed or {bad}") == []
    fields = ("-T", "fields", "-e", "ip.src", "-e", "ip.dst", "-e", "vxlan.vni")
    requests = [row.split("\t") for row in rows("-Y", "http.request", *fields)]
    answers = [row.split("\t") for row in rows("-Y", "http.response.code == 200", *fields)]
    assert [row[1].split(",")[-1] for row in requests] == [gateway, web]
    assert requests[1][2] == "1"
    assert requests[1][0].split(",")[0] == gateway
    assert [row[0].split(",")[-1] for row in answers] == [web, gateway]


def test_tables_of_a_node_are_shown_as_tools_of_linux_show_them(cluster: Cluster) -> None:
    client, other = address(cluster, "client"), node_address(cluster, "node-2")
    routes = net(cluster, "routes", "node-1").splitlines()
    assert routes[0] == "default dev eth0 scope link"
    assert any("dev flannel.1 onlink # node-2" in line for line in routes)
    neighbours = net(cluster, "neigh", "node-1")
    assert f"{client} dev cni0 lladdr 0a:58:" in neighbours
    assert "PERMANENT # default/client" in neighbours
    assert f"dev flannel.1 dst {other} self permanent # node-2" in net(cluster, "fdb", "node-1")
    (web,) = [one for one in documents(cluster, "services", "node-1") if one["name"] == "web"]
    assert web["nodePort"] == 30080
    assert [one["address"] for one in web["endpoints"]] == [address(cluster, "web")]
    ask(cluster)
    lines = net(cluster, "conntrack", "node-1").splitlines()
    assert any("dport=30080" in line and line.startswith("tcp      6 ") for line in lines)
    assert "hollow" not in net(cluster, "links")
    assert 'nodes "node-9" not found' in net(cluster, "routes", "node-9", code=1)


def test_a_trace_tells_each_hop_and_the_policy_that_drops(cluster: Cluster, tmp_path: Path) -> None:
    found = documents(cluster, "trace", "client", "svc/web")
    assert found["delivered"]
    assert [hop["node"] for hop in found["hops"]] == ["node-1", "node-2"]
    assert (found["hops"][-1]["name"], found["hops"][-1]["port"]) == ("default/web", 80)
    text = net(cluster, "trace", "client", "web.default.svc.cluster.local")
    assert "-> in VXLAN, by flannel.1 to node-2" in text
    nobody = net(cluster, "trace", "client", "svc/web:81", code=1)
    assert "(service-no-such-port)" in nobody
    assert "port unreachable" in nobody
    assert 'pods "none" not found' in net(cluster, "trace", "none", "web", code=1)
    apply(cluster, POLICY, tmp_path)
    until("the policy holds", lambda: "default/closed" in net(cluster, "policies", "node-2"))
    last = net(cluster, "trace", "client", "web:80", code=1).splitlines()[-1]
    assert last.startswith("Dropped at node-2 (policy-ingress): default/closed")
    cluster.kubectl("delete", "networkpolicy", "closed")
    until("it is gone", lambda: "default/closed" not in net(cluster, "policies", "node-2"))


def test_pings_and_hops_are_real(cluster: Cluster) -> None:
    pinged = net(cluster, "ping", "client", "web", "-c", "2", "--interval", "10ms")
    assert "2 packets transmitted, 2 received, 0% packet loss" in pinged
    assert "ttl=62" in pinged
    hops = net(cluster, "traceroute", "client", "web", "-q", "1").splitlines()[1:]
    assert [line.partition("(")[2].partition(")")[0] for line in hops] == [
        "node-1 cni0", "node-2 flannel.1", "default/web",
    ]  # fmt: skip


def test_links_are_made_bad_cut_and_healed(cluster: Cluster) -> None:
    said = net(cluster, "impair", "node-1:node-2", "--delay", "50ms", "--rate", "10mbit")
    assert said.startswith("node-1:node-2: delay 50ms rate 10mbit (seed ")
    pinged = net(cluster, "ping", "client", "web", "-c", "1")
    assert float(pinged.partition("time=")[2].split()[0]) >= 100
    rows = documents(cluster, "links")
    assert [(one["node"], one["link"], one["delay"]) for one in rows] == [
        ("node-1", "node-2", 0.05), ("node-2", "node-1", 0.05),
    ]  # fmt: skip
    net(cluster, "heal", "node-1")
    net(cluster, "impair", "pod:default/web", "--loss", "100%", "--seed", "7")
    lost = net(cluster, "ping", "client", "web", "-c", "1", "--timeout", "300ms", code=1)
    assert "100% packet loss" in lost
    (row,) = documents(cluster, "links")
    assert (row["node"], row["link"], row["seed"]) == ("node-2", "pod:default/web", "7")
    net(cluster, "heal", "pod:default/web")
    assert net(cluster, "partition", "node-1", "node-2") == "node-1 | node-2: 1 link cut\n"
    lost = net(cluster, "ping", "client", "web", "-c", "1", "--timeout", "300ms", code=1)
    assert "100% packet loss" in lost
    last = net(cluster, "trace", "client", "web", code=1).splitlines()[-1]
    assert last.startswith("Dropped at node-1 (link-cut): the link from")
    net(cluster, "heal")
    assert "1 received" in net(cluster, "ping", "client", "web", "-c", "1")
    assert "no link" in net(cluster, "impair", "node-1:node-1", "--delay", "1ms", code=1)


def test_a_node_tells_figures_of_its_data_plane(cluster: Cluster) -> None:
    url = f"http://{node_address(cluster, 'node-2')}:9100/metrics"
    with urllib.request.urlopen(url, timeout=10) as answer:
        page = answer.read().decode()
    assert 'kubemu_network_drops_total{reason="policy-ingress"} ' in page
    assert "kubemu_network_peers 1\n" in page


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("node-1", "-i", "eth9"), "there is no interface 'eth9' here"),
        (("node-1", "foo", "bar"), "'foo' is neither"),
    ],
)
def test_a_capture_that_cannot_be_says_so_and_no_more(
    cluster: Cluster, words: tuple[str, ...], said: str
) -> None:
    done = CliRunner().invoke(
        app.kubemu, ["net", "capture", "--name", cluster.name, *words], env=cluster.environment
    )
    assert said in str(done.exception)
    assert done.output == ""
