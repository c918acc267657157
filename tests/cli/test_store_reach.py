"""What is said where the API server does not tell what is stored."""

import asyncio

import grpc
import pytest

from cluster.cli import storereach
from cluster.cli.storereach import Failed, Place
from cluster.client import channel
from cluster.pb.cluster.v1 import store_pb2 as pb


class Nowhere:
    """Where nobody listens."""

    def connected(self):
        return channel.connect(["127.0.0.1:1"])


def test_that_no_api_server_answers_is_told_with_what_to_look_at(monkeypatch):
    monkeypatch.setattr(Place, "connection", lambda _self: Nowhere())

    async def story():
        async with Place("one", None, None, None).stub() as stub:
            await stub.Past(pb.PastRequest(seconds=0.0), timeout=20.0)

    with pytest.raises(Failed, match=r"no API server answers: none runs \(kubemu ps\), or they"):
        asyncio.run(story())


@pytest.mark.parametrize(
    ("code", "details", "said"),
    [
        (grpc.StatusCode.UNAVAILABLE, "Cancelling all calls", "no API server answers: "),
        (grpc.StatusCode.UNAVAILABLE, "etcd has no quorum", "etcd has no quorum"),
        (grpc.StatusCode.UNIMPLEMENTED, "", "this API server is older than this command"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "", "the API server does not answer in time"),
    ],
)
def test_failures_are_sentences(code, details, said):
    empty = grpc.aio.Metadata()
    error = grpc.aio.AioRpcError(code, empty, empty, details)
    assert storereach._sentence(error).startswith(said)
