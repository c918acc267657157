"""A balancer asks nodes whether they have endpoints of a Service."""

import json
import random
from collections.abc import AsyncIterator

import pytest

from cluster.aio import virtual
from cluster.pb.cluster.v1 import dataplane_pb2 as pb
from cluster.runtime.dataplane import DataPlane
from cluster.runtime.healthports import HealthPorts

ASK = b"GET /healthz HTTP/1.1\r\nHost: node\r\n\r\n"


def endpoint(address: str, *, local: bool = True, ready: bool = True) -> pb.Endpoint:
    return pb.Endpoint(address=address, port=8080, local=local, ready=ready)


def entry(port: str, health: int, *endpoints: pb.Endpoint, name: str = "web") -> pb.ServicePort:
    return pb.ServicePort(
        key=f"default/{name}:{port}", namespace="default", name=name, port_name=port,
        health_check_node_port=health, endpoints=endpoints,
    )  # fmt: skip


def asked(*services: pb.ServicePort, data: bytes = ASK, port: int = 32000) -> bytes | None:
    """What is answered on a port; None: nobody is there."""

    async def main() -> bytes | None:
        plane = DataPlane(random.Random(1))
        ports = HealthPorts(plane)
        assert ports.answers(port) is None

        async def table() -> AsyncIterator[pb.ReplaceServicesRequest]:
            yield pb.ReplaceServicesRequest(services=services)

        await plane.replace_services(table())
        found = ports.answers(port)
        return None if found is None else found[1].receive(data)

    return virtual.run(main())


@pytest.mark.parametrize(
    ("endpoints", "count"),
    [
        ([endpoint("10.0.0.1"), endpoint("10.0.0.2")], 2),
        ([endpoint("10.0.0.1"), endpoint("10.0.0.2", local=False)], 1),
        ([endpoint("10.0.0.1", ready=False)], 0),
        ([], 0),
    ],
)
def test_what_counts_is_what_is_ready_here(endpoints: list[pb.Endpoint], count: int) -> None:
    other = entry("http", 32001, endpoint("10.0.0.7"), name="other")
    answer = asked(entry("http", 32000, *endpoints), entry("https", 32000, *endpoints[:1]), other)
    assert answer is not None
    head, _, body = answer.partition(b"\r\n\r\n")
    status = b"200 OK" if count else b"503 Service Unavailable"
    assert head.startswith(b"HTTP/1.1 " + status)
    assert b"content-type: application/json" in head.lower()
    assert b"x-content-type-options: nosniff" in head.lower()
    assert json.loads(body) == {
        "service": {"namespace": "default", "name": "web"},
        "localEndpoints": count,
        "serviceProxyHealthy": True,
    }


def test_other_ports_are_nobodys() -> None:
    assert asked(entry("http", 0, endpoint("10.0.0.1")), entry("x", 32001)) is None


def test_questions_one_after_the_other_and_in_pieces() -> None:
    async def main() -> None:
        plane = DataPlane(random.Random(1))

        async def table() -> AsyncIterator[pb.ReplaceServicesRequest]:
            yield pb.ReplaceServicesRequest(services=[entry("", 32000, endpoint("10.0.0.1"))])

        await plane.replace_services(table())
        found = HealthPorts(plane).answers(32000)
        assert found is not None
        connection = found[1]
        assert connection.receive(ASK[:10]) == b""
        assert connection.receive(ASK[10:] + ASK).count(b"HTTP/1.1 200 OK") == 2
        update = pb.UpdateServicesRequest(expected=plane.state, set=[entry("", 32000)])
        assert (await plane.update_services(update)).applied
        renamed = connection.receive(ASK)
        assert renamed.startswith(b"HTTP/1.1 503")
        assert not connection.closed
        last = connection.receive(ASK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert last.startswith(b"HTTP/1.1 503")
        assert connection.closed

    virtual.run(main())


def test_who_asks_without_waiting_is_answered_a_few_times() -> None:
    answer = asked(entry("", 32000, endpoint("10.0.0.1")), data=ASK * 1000)
    assert answer is not None
    assert answer.count(b"HTTP/1.1 200 OK") == 16
    assert answer.lower().count(b"connection: close") == 1


@pytest.mark.parametrize("data", [b"\x16\x03\x01\r\n\r\n", b"GET / HTTP/9\r\n\r\n", bytes(20_000)])
def test_what_is_no_question_is_refused(data: bytes) -> None:
    answer = asked(entry("", 32000, endpoint("10.0.0.1")), data=data)
    assert answer is not None
    assert answer.startswith(b"HTTP/1.1 4")
