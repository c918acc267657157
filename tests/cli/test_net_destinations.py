"""What the destination of `kubemu net trace` may be called."""

import asyncio
from typing import Any, cast

import pytest

from cluster.api import errors
from cluster.cli.commands.net import common, destinations
from cluster.cli.commands.net.destinations import Destination


def service(address: str = "", **spec: Any) -> dict[str, Any]:
    ports = [
        {"port": 53, "protocol": "UDP"},
        {"port": 80, "protocol": "TCP", "name": "http"},
        {"port": 8080, "protocol": "TCP", "name": "alt"},
    ]
    return {"spec": {"clusterIP": address or "None", "ports": ports} | spec}


def alias(name: str) -> dict[str, Any]:
    return {"spec": {"type": "ExternalName", "externalName": name}}


PODS = {
    "default/client": "10.244.0.5",
    "default/db-0": "10.244.0.6",
    "prod/both": "10.244.0.7",
}  # fmt: skip
SERVICES = {
    "default/web": service("10.96.0.7"),
    "kube-system/dns": service("10.96.0.10"),
    "prod/both": service("10.96.0.11"),
    "default/ext": alias("web.default.svc.cluster.local"),
    "default/twice": alias("ext.default.svc.cluster.local."),
    "default/loop": alias("loop.default.svc.cluster.local"),
}
SLICE = {"endpoints": [{"addresses": ["10.244.0.6"], "hostname": "db-0"}]}


class Client:
    async def get(self, kind: str, name: str, namespace: str = "") -> dict[str, Any]:
        found = SERVICES.get(f"{namespace}/{name}") if kind == "services" else None
        if kind == "pods" and f"{namespace}/{name}" in PODS:
            ports = [{"containerPort": 1}, {"containerPort": 5432, "name": "sql"}]
            found = {"spec": {"containers": [{"ports": ports}] if name == "db-0" else []}}
        if found is None:
            raise errors.NotFound(f'{kind} "{name}" not found')
        return found

    async def list(self, _kind: str, namespace: str, labels: str) -> Any:
        class Listed:
            items = [SLICE] if (namespace, labels.partition("=")[2]) == ("default", "db") else []

        return Listed


class Net:
    client = Client()

    async def find_pod(self, text: str, namespace: str) -> common.Pod | None:
        space, _, name = text.rpartition("/")
        address = PODS.get(f"{space or namespace}/{name}")
        if not address:
            return None
        return common.Pod(space or namespace, name, "node-1", address, False)

    pod = find_pod


def find(text: str) -> Destination:
    return asyncio.run(destinations.find(cast(common.Net, Net()), text, "default"))


@pytest.mark.parametrize(
    ("text", "address", "protocol", "port"),
    [
        ("web", "10.96.0.7", "udp", 53),
        ("web:80", "10.96.0.7", "tcp", 80),
        ("kube-system/dns:53", "10.96.0.10", "udp", 53),
        ("dns.kube-system", "10.96.0.10", "udp", 53),
        ("prod/both", "10.244.0.7", "", 0),
        ("svc/prod/both:80", "10.96.0.11", "tcp", 80),
        ("ext:80", "10.96.0.7", "tcp", 80),
        ("twice:80", "10.96.0.7", "tcp", 80),
        ("svc/web:alt", "10.96.0.7", "tcp", 8080),
        ("ext:http", "10.96.0.7", "tcp", 80),
        ("db-0:sql", "10.244.0.6", "tcp", 5432),
        ("pod/db-0:99", "10.244.0.6", "tcp", 99),
        ("127.0.0.1:80", "127.0.0.1", "", 80),
        ("localhost:80", "127.0.0.1", "", 80),
        ("localhost", "127.0.0.1", "", 0),
        ("db-0.db.default.svc.cluster.local:80", "10.244.0.6", "", 80),
    ],
)
def test_a_destination_may_be_called(text: str, address: str, protocol: str, port: int) -> None:
    found = find(text)
    assert (found.address, found.protocol, found.port) == (address, protocol, port)


def test_an_alias_shows_where_it_leads() -> None:
    assert find("ext").shown == "service default/ext (web.default.svc.cluster.local)"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prod/nobody:80", '"nobody" is neither a pod nor a service in namespace prod'),
        ("loop", "service default/loop leads to loop.default.svc.cluster.local, and that on"),
        (
            "db-9.db.default.svc.cluster.local",
            "no endpoint of service default/db has that hostname",
        ),
        ("web:x", "service default/web has no port with the name 'x'"),
        ("localhost:http", "localhost has no port with the name 'http'"),
        ("web:", "'' in 'web:' is no port"),
        ("web:65536", "'65536' in 'web:65536' is no port"),
        ("web:-1", "'-1' in 'web:-1' is no port"),
        ("::1", "::1 is IPv6, and the network of pods carries IPv4 only"),
        ("[fd00::1]:80", "[fd00::1]:80 is IPv6, and the network of pods carries IPv4 only"),
    ],
)
def test_what_is_no_destination_says_why(text: str, said: str) -> None:
    with pytest.raises(common.Failed) as failed:
        find(text)
    assert said in str(failed.value)
