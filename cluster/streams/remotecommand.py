"""exec and attach: a client's streams joined to a command in a container.

Source: k8s.io/kubelet/pkg/cri/streaming/remotecommand. The end is a Status on the error stream.
"""

import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, Protocol

from cluster.aio import rpc, tasks
from cluster.api import errors
from cluster.pb.cluster.v1 import kubelet_pb2 as pb
from cluster.streams import channels
from cluster.streams.inputs import PIECE, Inputs

Put = Callable[[pb.StreamInput], Coroutine[Any, Any, None]]
Call = Callable[[AsyncIterator[pb.StreamInput]], AsyncIterator[pb.StreamOutput]]
Touch = Callable[[], None]

SUCCESS: Final[dict[str, Any]] = {"metadata": {}, "status": "Success"}
EXECUTING: Final = "error executing command in container"
REFUSED: Final = "unable to upgrade connection"
"""What a kubelet that answers something else than streams comes to, for who translates them."""
ATTACHING: Final = "error attaching to container"


class Client(Protocol):
    """The client's end: channels of a WebSocket, or streams of SPDY."""

    async def pump(self, put: Put) -> None:
        """Pass on what the client sends, until it is gone."""

    async def send(self, channel: int, data: bytes) -> None:
        """Send bytes on channels.STDOUT or STDERR. ConnectionError."""

    async def finish(self, status: dict[str, Any]) -> None:
        """Tell the end, and hang up in good order. ConnectionError."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be run. `doing` (EXECUTING, ATTACHING) begins the words of a failure; `touch` is
    told of each sign of life.
    """

    call: Call
    start: pb.StreamStart
    doing: str
    touch: Touch


async def run(client: Client, job: Job) -> None:
    """Run a command to its end, and tell the client. ConnectionError where the client goes."""
    inputs = Inputs(pb.StreamInput(start=job.start))

    async def put(item: pb.StreamInput) -> None:
        job.touch()
        await inputs.put(item)

    async def pump() -> None:
        await client.pump(put)
        raise ConnectionResetError("the client is gone")

    async with tasks.Group("remote command") as group:
        incoming = group.spawn(pump(), "input")
        status = await _ended(client, job.call(inputs), job)
        incoming.cancel()
        await client.finish(status)


def exited(exit: pb.Exit, doing: str) -> dict[str, Any]:
    """The Status of a command's end. That of an attached container is not the attaching's."""
    if exit.error:
        return failed(doing, exit.error)
    if exit.code == 0 or doing == ATTACHING:
        return SUCCESS
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {exit.code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(exit.code)}]},
    }


def failed(doing: str, why: str) -> dict[str, Any]:
    """The Status of a command that could not be run: NewInternalError of what went wrong."""
    text = f"{doing}: {why}"
    details = {"causes": [{"message": text}]}
    return errors.InternalError(f"Internal error occurred: {text}", details=details).status()


def pieces(data: bytes) -> list[pb.StreamInput]:
    """stdin, in messages of a moderate size."""
    return [
        pb.StreamInput(stdin=data[start : start + PIECE]) for start in range(0, len(data), PIECE)
    ]


async def _ended(
    client: Client, outputs: AsyncIterator[pb.StreamOutput], job: Job
) -> dict[str, Any]:
    """Pass on what the command says; the Status of its end."""
    doing = job.doing
    try:
        async with contextlib.aclosing(outputs) as stream:  # type: ignore[type-var]
            async for output in stream:
                job.touch()
                kind = output.WhichOneof("output")
                if kind == "stdout":
                    await client.send(channels.STDOUT, output.stdout)
                elif kind == "stderr":
                    await client.send(channels.STDERR, output.stderr)
                elif kind == "exit":
                    return exited(output.exit, doing)
    except errors.StatusError as error:
        return failed(REFUSED, error.message)
    except rpc.Failure as failure:
        return failed(doing, failure.text)
    return failed(doing, "the kubelet ended the stream before the command ended")
