"""The cluster's DNS and ingress in the lab: they start by themselves, follow the API, answer."""

from cluster.api import conditions, objects
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
    server = address(cluster, "kube-system")
    said = await cluster.exec("client", "nslookup", "web.default.svc.cluster.local", server)
    service = cluster.get("services", "web", "default")
    assert service is not None
    assert service["spec"]["clusterIP"] in said.out, said
    await cluster.client.delete("services", "web", "default")
    await cluster.sleep(1)
    said = await cluster.exec("client", "nslookup", "web.default.svc.cluster.local", server)
    assert "NXDOMAIN" in said.out + said.err
    dns = cluster.get("services", "kube-dns", "kube-system")
    assert dns is not None
    return str(dns["spec"]["clusterIP"])


def test_names_are_answered_and_follow_services() -> None:
    assert Lab(seed=1, nodes=1, addons=("dns",)).run(_dns) == "10.96.0.10"


def test_the_same_seed_gives_the_same_log() -> None:
    logs: list[str] = []
    for _ in range(2):
        lab = Lab(seed=7, nodes=1, addons=("dns",))
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
        server = address(cluster, "kube-system")
        said = await cluster.exec("client", "nslookup", "web.default.svc.cluster.local", server)
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
