"""What a client of WebSocket channels is told, and when."""

import asyncio

import pytest

from cluster.aio import virtual
from cluster.pb.cluster.v1 import kubelet_pb2 as pb
from cluster.streams import channels, commandclients, remotecommand
from cluster.streams.options import Command


class _Socket:
    """Writes down what it is sent, and when."""

    def __init__(self):
        self.sent = []

    async def send_bytes(self, message):
        self.sent.append((round(asyncio.get_running_loop().time(), 3), message))

    async def receive(self):
        await asyncio.sleep(1e6)

    async def close(self):
        self.sent.append((round(asyncio.get_running_loop().time(), 3), "closed"))


def _said(protocol, *outputs):
    """What a command that says all at once comes to."""

    async def call(_inputs):
        for output in outputs:
            yield output

    async def main():
        socket = _Socket()
        wanted = Command("", stdin=False, stdout=True, stderr=True, tty=False)
        client = commandclients.ChannelClient(socket, protocol, wanted)
        job = remotecommand.Job(call, pb.StreamStart(), remotecommand.EXECUTING, lambda: None)
        await client.served(job)
        return socket.sent

    return virtual.run(main())


@pytest.mark.parametrize(
    ("protocol", "when"), [(channels.V5, commandclients.GRACE_SECONDS), (channels.V4, 0.0)]
)
def test_the_greeting_comes_first_and_v5_has_time_to_make_its_streams(protocol, when):
    # "Unknown stream id 3, discarding message", and "closed all streams" instead of the exit.
    sent = _said(protocol, pb.StreamOutput(stdout=b"hello"), pb.StreamOutput(exit=pb.Exit()))
    assert [message for _, message in sent] == [
        b"\x01", b"\x01hello", b'\x03{"metadata":{},"status":"Success"}', "closed",
    ]  # fmt: skip
    assert {time for time, _ in sent} == {when}
