"""The edges of a real cluster: node ports, balancers, host ports, the API server from pods, and the
machine itself; and what is left of them when a machine dies.
"""

import contextlib
import http.server
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from realcluster import Cluster, until

pytestmark = pytest.mark.usefixtures("kubectl")

MANIFESTS = """
apiVersion: v1
kind: Pod
metadata: {name: first, labels: {app: web}}
spec:
  nodeName: node-1
  containers:
  - name: c
    image: registry.k8s.io/e2e-test-images/agnhost:2.47
    args: [netexec, --http-port=8080, --udp-port=8081]
    ports: [{containerPort: 8080, hostPort: 8088}]
---
apiVersion: v1
kind: Pod
metadata: {name: second, labels: {app: web}}
spec:
  nodeName: node-2
  containers:
  - name: c
    image: registry.k8s.io/e2e-test-images/agnhost:2.47
    args: [netexec, --http-port=8080, --udp-port=8081]
---
apiVersion: v1
kind: Pod
metadata: {name: own}
spec:
  nodeName: node-3
  hostNetwork: true
  containers:
  - name: c
    image: nginx
    ports: [{containerPort: 80}]
---
apiVersion: v1
kind: Pod
metadata: {name: client}
spec:
  nodeName: node-2
  containers: [{name: c, image: busybox, command: [sleep, "100000"]}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: LoadBalancer
  selector: {app: web}
  ports:
  - {name: http, port: 80, targetPort: 8080}
  - {name: udp, port: 81, targetPort: 8081, protocol: UDP}
---
apiVersion: v1
kind: Service
metadata: {name: near}
spec:
  type: NodePort
  externalTrafficPolicy: Local
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
"""


@pytest.fixture(scope="module")
def cluster(clusters: Callable[..., Cluster], tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    made = clusters("edges", "--nodes", "3")
    path = tmp_path_factory.mktemp("files") / "all.yaml"
    path.write_text(MANIFESTS)
    made.kubectl("apply", "-f", str(path))
    made.kubectl("wait", "--for=condition=Ready", "pod", "--all", "--timeout=30s")
    return made


def node_address(cluster: Cluster, name: str) -> str:
    status = cluster.get("node", name)["status"]
    return next(str(one["address"]) for one in status["addresses"] if one["type"] == "InternalIP")


def node_ports(cluster: Cluster, service: str) -> dict[str, int]:
    ports = cluster.get("service", service)["spec"]["ports"]
    return {port["protocol"]: port["nodePort"] for port in ports}


def got(address: str, port: int, path: str = "/hostname") -> str:
    """What a web server says; "" where it cannot be reached."""
    try:
        with urllib.request.urlopen(f"http://{address}:{port}{path}", timeout=5) as answer:
            return str(answer.read().decode())
    except (OSError, urllib.error.URLError):
        return ""


def asked(address: str, port: int) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.connect((address, port))
        client.send(b"hostname\n")
        with contextlib.suppress(OSError):
            return client.recv(100).decode()
        return ""


def all_answer(ask: Callable[[], str]) -> None:
    """Both pods answer sooner or later, and nobody else."""
    seen: set[str] = set()

    def reached() -> bool:
        seen.add(ask())
        return {"first", "second"} <= seen

    until("both pods answer", reached, 15)
    assert seen - {""} == {"first", "second"}


def test_node_ports_are_open_at_every_node_and_at_localhost(cluster: Cluster) -> None:
    ports = node_ports(cluster, "web")
    for name in ("node-1", "node-2", "node-3"):
        address = node_address(cluster, name)
        all_answer(lambda address=address: got(address, ports["TCP"]))
    all_answer(lambda: got("127.0.0.1", ports["TCP"]))
    all_answer(lambda: asked(node_address(cluster, "node-3"), ports["UDP"]))


def test_a_balancers_address_is_reached_from_the_machine(cluster: Cluster) -> None:
    def given() -> Any:
        return cluster.get("service", "web")["status"]["loadBalancer"].get("ingress")

    address = until("the service has an address", given)[0]["ip"]
    all_answer(lambda: got(address, 80))


def test_a_local_policy_keeps_the_clients_address_and_needs_a_pod_here(cluster: Cluster) -> None:
    port = node_ports(cluster, "near")["TCP"]
    first, third = (node_address(cluster, name) for name in ("node-1", "node-3"))
    seen = until("the node's own pod answers", lambda: got(first, port, "/clientip"), 15)
    gateway = first.rpartition(".")[0] + ".1"
    assert seen.partition(":")[0] == gateway
    with socket.socket() as probe:
        probe.settimeout(1)
        with contextlib.suppress(TimeoutError, ConnectionError):
            probe.connect((third, port))
            probe.send(b"GET /hostname HTTP/1.0\r\n\r\n")
            assert probe.recv(100) == b""


def test_a_host_port_is_open_at_its_node_alone(cluster: Cluster) -> None:
    first, second = (node_address(cluster, name) for name in ("node-1", "node-2"))
    assert until("the host port is open", lambda: got(first, 8088), 15) == "first"
    inside = f"wget -qO- -T 3 http://{first}:8088/hostname"
    assert cluster.kubectl("exec", "client", "--", "sh", "-c", inside) == "first"
    assert got(second, 8088) == ""


def test_a_pod_of_the_nodes_own_network_is_reached_at_the_node(cluster: Cluster) -> None:
    third = node_address(cluster, "node-3")
    assert cluster.get("pod", "own")["status"]["podIP"] == third
    page = until("the node's own pod answers", lambda: got(third, 80, "/"), 15)
    assert "Welcome to nginx" in page
    script = f"wget -qO- -T 3 http://{third}/"
    assert "Welcome" in cluster.kubectl("exec", "client", "--", "sh", "-c", script)


@contextlib.contextmanager
def serving() -> Iterator[int]:
    """A web server of the machine at 127.0.0.1."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"the machine's")

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def test_pods_reach_the_machine_and_the_api_server(cluster: Cluster) -> None:
    gateway = node_address(cluster, "node-1").rpartition(".")[0] + ".1"
    with serving() as port:
        script = f"wget -qO- -T 3 http://{gateway}:{port}/"
        assert cluster.kubectl("exec", "client", "--", "sh", "-c", script) == "the machine's"
    script = (
        "curl -s --cacert /var/run/secrets/kubernetes.io/serviceaccount/ca.crt "
        "https://$KUBERNETES_SERVICE_HOST/version"
    )
    assert '"gitVersion"' in cluster.kubectl("exec", "client", "--", "sh", "-c", script)
    refused = cluster.kubectl(
        "exec", "client", "--", "sh", "-c", f"nc -z -w 3 {gateway} 1 2>&1 || true"
    )
    assert "Connection refused" in refused


def test_a_machine_that_died_is_entered_again_when_it_is_back(cluster: Cluster) -> None:
    address, port = node_address(cluster, "node-3"), node_ports(cluster, "web")["TCP"]
    pid = cluster.process("runtime-node-3").pid
    cluster.run(["kill", "-9", str(pid)])
    until("somebody else runs it", lambda: cluster.process("runtime-node-3").pid not in (0, pid))
    all_answer(lambda: got(address, port))
