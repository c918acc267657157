"""The cluster's DNS and ingress in the lab: they start by themselves, follow the API, answer."""

from cluster.api import conditions, objects
from cluster.api.operations import STRATEGIC_PATCH
from cluster.lab.lab import Lab
from cluster.lab.world import Cluster

CLIENT = {
    "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "client"},
    "spec": {"containers": [{"name": "c", "image": "busybox", "command": ["sleep", "9999"]}]},
}  # fmt: skip
WEB = [
    {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "labels": {"app": "web"}},
     "spec": {"containers": [{"name": "c", "image": "nginx", "ports": [{"containerPort": 80}]}]}},
    {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
     "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}},
]  # fmt: skip


def available(cluster: Cluster, name: str, namespace: str) -> bool:
    found = cluster.get("deployments.apps", name, namespace)
    return found is not None and conditions.is_true(found, "Available")


def address(cluster: Cluster, namespace: str) -> str:
    (pod,) = [one for one in cluster.list("pods") if objects.namespace(one) == namespace]
    return str(pod["status"]["podIP"])


def ready(cluster: Cluster, name: str) -> bool:
    found = cluster.get("pods", name, "default")
    return found is not None and conditions.is_true(found, "Ready")


async def _dns(cluster: Cluster) -> str:
    await cluster.until(lambda: available(cluster, "coredns", "kube-system"), within=30)
    await cluster.apply([CLIENT, *WEB])
    await cluster.until(lambda: ready(cluster, "client"), within=30)
    await cluster.until(lambda: ready(cluster, "web"), within=30)
    await cluster.sleep(1)
    said = await cluster.exec("client", "nslookup", "web")
    service = cluster.get("services", "web", "default")
    assert service is not None
    assert service["spec"]["clusterIP"] in said.out, said
    said = await cluster.exec("client", "wget", "-q", "-O", "-", "http://web")
    assert "Welcome to nginx" in said.out, said
    await cluster.client.delete("services", "web", "default")
    await cluster.sleep(1)
    said = await cluster.exec("client", "nslookup", "web.default.svc.cluster.local.")
    assert "NXDOMAIN" in said.out + said.err
    dns = cluster.get("services", "kube-dns", "kube-system")
    assert dns is not None
    return str(dns["spec"]["clusterIP"])


def test_names_are_answered_and_follow_services() -> None:
    assert Lab(seed=1, nodes=2, addons=("dns",)).run(_dns) == "10.96.0.10"


def test_the_same_seed_gives_the_same_log() -> None:
    logs: list[str] = []
    for _ in range(2):
        lab = Lab(seed=7, nodes=2, addons=("dns",))
        lab.run(_dns)
        assert lab.log is not None
        logs.append(lab.log.text)
    assert logs[0] == logs[1]


def test_dns_goes_on_when_the_api_server_was_away_and_its_tokens_are_renewed() -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.until(lambda: available(cluster, "coredns", "kube-system"), within=30)
        await cluster.apply([CLIENT])
        await cluster.sleep(4000)
        await cluster.stop("apiserver")
        await cluster.sleep(20)
        await cluster.start("apiserver")
        await cluster.apply(WEB)
        await cluster.sleep(20)
        said = await cluster.exec("client", "nslookup", "web")
        assert said.code == 0, said

    Lab(seed=2, nodes=1, addons=("dns",)).run(scenario)


def test_ingresses_are_served_and_told_of() -> None:
    rule = {"path": "/", "pathType": "Prefix",
            "backend": {"service": {"name": "web", "port": {"number": 80}}}}  # fmt: skip
    ingress = {
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "web"},
        "spec": {"ingressClassName": "nginx",
                 "rules": [{"host": "x.test", "http": {"paths": [rule]}}]},
    }  # fmt: skip

    async def scenario(cluster: Cluster) -> None:
        deployment = "ingress-nginx-controller"
        await cluster.until(lambda: available(cluster, deployment, "ingress-nginx"), within=60)
        await cluster.apply([CLIENT, *WEB, ingress])
        await cluster.until(lambda: ready(cluster, "client"), within=30)
        await cluster.until(lambda: ready(cluster, "web"), within=30)
        await cluster.sleep(2)
        front = address(cluster, "ingress-nginx")
        said = await cluster.exec(
            "client", "wget", "-q", "-O", "-", "--header", "Host: x.test", f"http://{front}/"
        )
        assert "Welcome to nginx" in said.out, said
        leases = [objects.name(one) for one in cluster.list("leases.coordination.k8s.io")]
        assert "ingress-nginx-leader" in leases

    Lab(seed=3, nodes=1, addons=("ingress",)).run(scenario)


ROLLING = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: c
        image: nginx:1.25
        ports: [{containerPort: 80}]
        readinessProbe: {httpGet: {path: /, port: 80}, periodSeconds: 1}
        lifecycle: {preStop: {exec: {command: [sleep, "3"]}}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  ingressClassName: nginx
  rules:
  - host: x.test
    http:
      paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]
"""


def test_a_rolling_update_behind_an_ingress_fails_no_request() -> None:
    def rolled_out(cluster: Cluster) -> bool:
        status = (cluster.get("deployments.apps", "web", "default") or {}).get("status") or {}
        return status.get("updatedReplicas") == status.get("readyReplicas") == 3 == status.get(
            "replicas"
        ) and status.get("observedGeneration") == (
            cluster.get("deployments.apps", "web", "default") or {}
        )["metadata"]["generation"]  # fmt: skip

    async def scenario(cluster: Cluster) -> None:
        name = "ingress-nginx-controller"
        await cluster.until(lambda: available(cluster, name, "ingress-nginx"), within=60)
        await cluster.apply(ROLLING)
        await cluster.apply([CLIENT])
        await cluster.until(lambda: rolled_out(cluster), within=60)
        await cluster.until(lambda: ready(cluster, "client"), within=30)
        await cluster.sleep(1)
        front = address(cluster, "ingress-nginx")
        script = (
            "good=0; bad=0; while [ ! -e /tmp/stop ]; do "
            f"if wget -q -O /dev/null --header 'Host: x.test' http://{front}/; "
            "then good=$((good+1)); else bad=$((bad+1)); fi; sleep 0.05; done; echo $good $bad"
        )
        await cluster.exec("client", "sh", "-c", f"( {script} ) >/tmp/told 2>/dev/null &")
        change = {"spec": {"template": {"spec": {"containers": [
            {"name": "c", "image": "nginx:1.27"}]}}}}  # fmt: skip
        await cluster.client.patch(
            "deployments.apps", "web", change, "default", patch_type=STRATEGIC_PATCH
        )
        await cluster.until(lambda: rolled_out(cluster), within=120)
        await cluster.sleep(5)
        await cluster.exec("client", "touch", "/tmp/stop")
        await cluster.sleep(2)
        said = await cluster.exec("client", "cat", "/tmp/told")
        good, bad = map(int, said.out.split())
        assert good > 50
        assert bad == 0

    Lab(seed=4, nodes=2, addons=("ingress",)).run(scenario)
