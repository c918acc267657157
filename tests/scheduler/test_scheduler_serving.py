"""The scheduler tells over gRPC what it thought of a pod, to those who may get the pod."""

import asyncio
import datetime
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from cluster.aio import tasks
from cluster.aio.grpcserver import ServerTls
from cluster.client import channel
from cluster.client.channel import ChannelTls
from cluster.launcher import pki
from cluster.pb.cluster.v1 import scheduling_pb2 as pb
from cluster.pb.cluster.v1 import scheduling_pb2_grpc
from cluster.scheduler import serving
from cluster.scheduler.explain import Explanation, NodeVerdict
from cluster.scheduler.framework.status import Code, Status

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC).timestamp()


class Scheduler:
    """As much of one as is asked."""

    leads = True

    def explain(self, key: str) -> Explanation | None:
        if key != "default/p":
            return None
        nodes = [
            NodeVerdict("a", None, {"NodeResourcesFit": 90}, 180, {"NodeResourcesFit": 45}),
            NodeVerdict("b", Status(Code.UNRESOLVABLE, ("no",), "NodeName"), {}, None),
        ]
        return Explanation(key, "uid", 5.0, "a", "", nodes, {"NodeResourcesFit": 2})

    def waits(self, key: str) -> tuple[str, str]:
        return ("gated", "SchedulingGates: x") if key == "default/gated" else ("", "")


class Api:
    """Lets alice get pods."""

    asked: list[Any]

    def __init__(self) -> None:
        self.asked = []

    async def create(self, resource: str, obj: Any) -> Any:
        assert resource == "subjectaccessreviews.authorization.k8s.io"
        self.asked.append(obj["spec"])
        return {"status": {"allowed": obj["spec"]["user"] == "alice"}}


@asynccontextmanager
async def served(listen: str, tls: ServerTls | None = None) -> AsyncIterator[Any]:
    scheduler, api = Scheduler(), Api()
    server = serving.Server(scheduler, api, listen, tls)  # type: ignore[arg-type]
    async with tasks.Group("test") as group:
        running = group.spawn(server.run(), "server")
        async with asyncio.timeout(10):
            await server.ready.wait()
        yield server, scheduler, api
        running.cancel()


async def explain(address: str, name: str, tls: ChannelTls | None = None) -> Any:
    async with channel.connect([address], tls) as connected:
        stub = scheduling_pb2_grpc.SchedulingStub(connected)
        return await stub.Explain(pb.ExplainRequest(namespace="default", name=name), timeout=10)


async def refusal(address: str, name: str, tls: ChannelTls | None = None) -> grpc.StatusCode:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await explain(address, name, tls)
    code: grpc.StatusCode = caught.value.code()
    return code


def test_an_attempt_is_told_node_by_node(tmp_path: Path):
    async def main() -> None:
        address = f"unix:{tmp_path}/s"
        async with served(address) as (_, scheduler, api):
            answer = await explain(address, "p")
            assert (answer.attempt.node, answer.attempt.uid) == ("a", "uid")
            good, bad = answer.attempt.nodes
            (score,) = good.scores
            assert (score.plugin, score.raw, score.normalized) == ("NodeResourcesFit", 45, 90)
            assert (good.total, answer.attempt.weights["NodeResourcesFit"]) == (180, 2)
            assert (bad.refused_by, list(bad.reasons)) == ("NodeName", ["no"])
            gated = await explain(address, "gated")
            assert (gated.queue, gated.gate) == ("gated", "SchedulingGates: x")
            assert not gated.HasField("attempt")
            assert await refusal(address, "other") is grpc.StatusCode.NOT_FOUND
            scheduler.leads = False
            assert await refusal(address, "p") is grpc.StatusCode.UNAVAILABLE
            assert api.asked == []

    asyncio.run(main())


def test_on_a_port_only_those_are_told_who_may_get_the_pod(tmp_path: Path):
    authority = pki.ensure_authority(tmp_path, NOW)
    pki.ensure_serving(tmp_path, "server", ("127.0.0.1",), authority, NOW)
    tls = ServerTls(
        (tmp_path / "server.crt").read_bytes(), (tmp_path / "server.key").read_bytes(),
        authority.pem,
    )  # fmt: skip

    def known(user: str) -> ChannelTls:
        pair = authority.client(pki.Subject(user, ("devs",)), NOW)
        return ChannelTls(authority.pem, pair.certificate, pair.key)

    async def main() -> None:
        async with served("127.0.0.1:0", tls) as (server, _, api):
            address = f"127.0.0.1:{server.port}"
            answer = await explain(address, "p", known("alice"))
            assert answer.attempt.node == "a"
            assert api.asked[0]["groups"] == ["devs", "system:authenticated"]
            assert api.asked[0]["resourceAttributes"] == {
                "verb": "get", "resource": "pods", "namespace": "default", "name": "p",
            }  # fmt: skip
            assert await refusal(address, "p", known("bob")) is grpc.StatusCode.PERMISSION_DENIED
            nobody = ChannelTls(authority.pem, b"", b"")
            assert await refusal(address, "p", nobody) is grpc.StatusCode.UNAVAILABLE

    asyncio.run(main())
