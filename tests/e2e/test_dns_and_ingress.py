"""Names and ingress of a real cluster, with real clients: kubectl, Python's own HTTP and TLS."""

import http.client
import json
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from realcluster import Cluster, until

pytestmark = pytest.mark.usefixtures("kubectl")

MANIFESTS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: c, image: mendhak/http-https-echo, ports: [{containerPort: 8080}]}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: each}
spec: {clusterIP: None, selector: {app: web}, ports: [{name: http, port: 8080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: client}
spec:
  containers: [{name: c, image: busybox, command: [sleep, "100000"]}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web
  annotations: {nginx.ingress.kubernetes.io/rewrite-target: /new/$2}
spec:
  ingressClassName: nginx
  tls: [{hosts: [x.test], secretName: pair}]
  rules:
  - host: x.test
    http:
      paths:
      - path: /app(/|$)(.*)
        pathType: ImplementationSpecific
        backend: {service: {name: web, port: {name: http}}}
"""


@pytest.fixture(scope="module")
def cluster(clusters: Callable[..., Cluster], tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    made = clusters("names", "--nodes", "2", "--addons", "ingress")
    folder = tmp_path_factory.mktemp("files")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-subj", "/CN=x.test", "-addext", "subjectAltName=DNS:x.test", "-days", "2",
         "-keyout", str(folder / "key"), "-out", str(folder / "cert")],
        check=True, capture_output=True,
    )  # fmt: skip
    (folder / "all.yaml").write_text(MANIFESTS)
    made.kubectl("create", "secret", "tls", "pair", f"--cert={folder}/cert", f"--key={folder}/key")
    made.kubectl("apply", "-f", str(folder / "all.yaml"))
    made.kubectl("wait", "--for=condition=Ready", "pod", "--all", "--timeout=30s")
    made.certificate = folder / "cert"  # type: ignore[attr-defined]
    return made


def look_up(cluster: Cluster, name: str, *more: str) -> str:
    return cluster.kubectl("exec", "client", "--", "nslookup", *more, name)


def test_the_name_server_answers_as_soon_as_the_cluster_is_up(cluster: Cluster) -> None:
    found = cluster.get("deployment", "coredns", "-n", "kube-system")
    assert found["status"]["readyReplicas"] == 1
    address = cluster.get("service", "web")["spec"]["clusterIP"]
    assert f"Address: {address}" in look_up(cluster, "web")
    assert "Address: 10.96.0.1" in look_up(cluster, "kubernetes.default")


def test_a_headless_service_has_its_pods_addresses(cluster: Cluster) -> None:
    wanted = {pod["status"]["podIP"] for pod in cluster.pods("app=web")}

    def known() -> bool:
        return all(f"Address: {ip}" in look_up(cluster, "each") for ip in wanted)

    until("both pods have names", known)


def test_a_pod_reaches_a_service_by_its_name(cluster: Cluster) -> None:
    answer = cluster.kubectl("exec", "client", "--", "wget", "-qO-", "http://web.default.svc/x?y=1")
    assert json.loads(answer)["path"] == "/x"


def front(cluster: Cluster) -> str:
    def address() -> str:
        status = cluster.get("ingress", "web")["status"]["loadBalancer"]
        return str((status.get("ingress") or [{}])[0].get("ip") or "")

    return str(until("the Ingress has an address", address))


def test_ingress_is_reached_from_the_machine(cluster: Cluster) -> None:
    address = front(cluster)

    def redirected() -> bool:
        talk = http.client.HTTPConnection(address, 80, timeout=5)
        try:
            talk.request("GET", "/app/a?q=1", headers={"Host": "x.test"})
            answer = talk.getresponse()
        except ConnectionError:
            return False  # The Ingress has its address before its controller's pod is Ready.
        return (answer.status, answer.headers["Location"]) == (308, "https://x.test/app/a?q=1")

    until("who comes without TLS is sent to it", redirected)
    path: Path = cluster.certificate  # type: ignore[attr-defined]
    context = ssl.create_default_context(cafile=str(path))
    for _ in range(4):
        talk = http.client.HTTPConnection(address, 443, timeout=5)
        talk.connect()
        assert talk.sock is not None
        talk.sock = context.wrap_socket(talk.sock, server_hostname="x.test")
        talk.request("GET", "/app/one/two?q=1", headers={"Host": "x.test"})
        answer = talk.getresponse()
        assert answer.status == 200
        assert json.loads(answer.read())["path"] == "/new/one/two"
        talk.close()


def test_the_log_tells_of_requests(cluster: Cluster) -> None:
    def told() -> bool:
        text = cluster.kubectl(
            "logs", "-n", "ingress-nginx", "deploy/ingress-nginx-controller", "--tail=20"
        )
        return '"GET /app/one/two?q=1 HTTP/1.1" 200 ' in text and "[default-web-http]" in text

    until("the access log has the request", told)


def test_names_go_on_when_their_server_is_killed(cluster: Cluster) -> None:
    cluster.kubectl("delete", "pod", "-n", "kube-system", "-l", "k8s-app=kube-dns", "--wait=false")
    address = cluster.get("service", "web")["spec"]["clusterIP"]

    def answered() -> bool:
        said = subprocess.run(
            ["kubectl", "exec", "client", "--", "nslookup", "web"], check=False,
            capture_output=True, text=True, env=cluster.environment,
        )  # fmt: skip
        return f"Address: {address}" in said.stdout

    until("another name server answers", answered)
