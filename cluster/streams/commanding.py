"""exec and attach as a client: the messages of a command, over the streams of a SPDY connection.

Source: k8s.io/client-go/tools/remotecommand (v4.go). The error stream tells the end by a Status.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Final

from cluster.aio import tasks
from cluster.pb.cluster.v1 import kubelet_pb2 as pb
from cluster.streams import dialing, remotecommand
from cluster.streams.spdy.connection import Connection, Stream

VERSIONS: Final = ("v4.channel.k8s.io",)
_AHEAD: Final = 4
_MOST_WORDS: Final = 1 << 16
_NO_CODE: Final = 1

Outputs = asyncio.Queue[pb.StreamOutput | None]


async def run(
    url: str, start: pb.StreamStart, inputs: AsyncIterator[pb.StreamInput]
) -> AsyncIterator[pb.StreamOutput]:
    """What a command says that a URL stands for, up to its exit.

    dialing.Refused, OSError, TimeoutError where it cannot be begun; ConnectionError where the
    connection is lost. Who leaves it early hangs up.
    """
    connection, pipe, _ = await dialing.dial(url, VERSIONS)
    outputs: Outputs = asyncio.Queue(_AHEAD)
    try:
        async with tasks.Group("remote command") as group:
            serving = group.spawn(dialing.served(connection), "connection")
            streams = await _opened(connection, start)
            feeding = group.spawn(_feed(streams, inputs), "input")
            reading = group.spawn(_read(streams, outputs), "output")
            while (output := await outputs.get()) is not None:
                yield output
                if output.WhichOneof("output") == "exit":
                    break
            else:
                raise ConnectionResetError("the runtime hung up before the command ended")
            for task in (serving, feeding, reading):
                task.cancel()
    finally:
        pipe.close()


async def _opened(connection: Connection, start: pb.StreamStart) -> dict[str, Stream]:
    wanted = {
        "error": True, "stdin": start.stdin, "stdout": start.stdout,
        "stderr": start.stderr and not start.tty, "resize": start.tty,
    }  # fmt: skip
    return {
        kind: await connection.open((("streamtype", kind),))
        for kind, is_wanted in wanted.items()
        if is_wanted
    }


async def _feed(streams: dict[str, Stream], inputs: AsyncIterator[pb.StreamInput]) -> None:
    with contextlib.suppress(ConnectionError):
        async for one in inputs:
            kind = one.WhichOneof("input")
            if kind == "stdin" and "stdin" in streams:
                await streams["stdin"].write(one.stdin)
            elif kind == "stdin_closed" and "stdin" in streams:
                await streams["stdin"].close()
            elif kind == "resize" and "resize" in streams:
                size = {"Width": one.resize.width, "Height": one.resize.height}
                await streams["resize"].write(json.dumps(size).encode() + b"\n")


async def _read(streams: dict[str, Stream], outputs: Outputs) -> None:
    """All that is said, and then how it ended; None where nobody said that."""
    words = b""
    async with tasks.Group("output") as group:
        for kind in ("stdout", "stderr"):
            if kind in streams:
                group.spawn(_pass_on(streams[kind], kind, outputs), kind)
        with contextlib.suppress(ConnectionError):
            while data := await streams["error"].read():
                words = (words + data)[:_MOST_WORDS]
    await outputs.put(pb.StreamOutput(exit=ended(words)) if words else None)


async def _pass_on(stream: Stream, kind: str, outputs: Outputs) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await stream.read():
            is_out = kind == "stdout"
            said = pb.StreamOutput(stdout=data) if is_out else pb.StreamOutput(stderr=data)
            await outputs.put(said)


def _why(message: str) -> str:
    """Without the words that whoever passes it on begins with, too."""
    for begin in ("Internal error occurred", remotecommand.EXECUTING, remotecommand.ATTACHING):
        message = message.removeprefix(f"{begin}: ")
    return message


def ended(words: bytes) -> pb.Exit:
    """What the error stream says of an end: a Status, or words where it is none."""
    try:
        status = json.loads(words)
        if status["status"] == "Success":
            return pb.Exit()
        if status.get("reason") == "NonZeroExitCode":
            causes = status["details"]["causes"]
            code = next(int(one["message"]) for one in causes if one["reason"] == "ExitCode")
            return pb.Exit(code=code)
        return pb.Exit(code=_NO_CODE, error=_why(str(status.get("message") or "it failed")))
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration, RecursionError):
        return pb.Exit(code=_NO_CODE, error=words.decode(errors="replace"))
