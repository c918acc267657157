"""Exec, attach, port-forward and logs of real containers: the shim's frames as messages, both ways.

Backpressure goes all the way: no more is read from one side than the other takes.
"""

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Final

import structlog

from cluster.aio import rpc, tasks
from cluster.pb.cluster.v1 import kubelet_pb2 as pb
from cluster.runtime import logs, messages
from cluster.runtime.driver import MAX_SYNC, Ran
from cluster.runtime.oci import faults, frames, link, spec
from cluster.runtime.oci.node import Node
from cluster.runtime.records import Container, Sandbox, State

MAX_ATTACHED: Final = 16


class Streams(Node):
    """The part of the oci driver that streams."""

    async def read_log(
        self, container: Container, offset: int, limit: int, wait: float = 0.0
    ) -> logs.Part:
        """See `driver.Driver`."""
        if container.started_at and container.id not in self._forgotten:
            try:
                over = container.state is State.EXITED
                return await self._shims_log(container.id, offset, limit, wait, over=over)
            except frames.Broken as error:
                raise _went(error) from error
            except link.Refused:
                # It has it no more. One that does not answer still writes it: nobody else may.
                if self.containers.get(container.id) is container:
                    self._forgotten.add(container.id)
        over = container.state is State.EXITED
        return dataclasses.replace(logs.part(self._left_log(container), offset, limit), ended=over)

    async def read_left_log(self, container: str, offset: int, limit: int) -> logs.Part | None:
        """See `driver.Driver`."""
        if self._opened:
            with contextlib.suppress(link.Refused, rpc.Failure, frames.Broken):
                return await self._shims_log(container, offset, limit, 0.0, over=True)
        return None

    async def _shims_log(
        self, container: str, offset: int, limit: int, wait: float, *, over: bool
    ) -> logs.Part:
        """What the shim says; `over` where it is of an earlier kubemu, and does not say whether
        the container had ended. link.Refused, rpc.Failure, frames.Broken.
        """
        async with self.link.stream("log", id=container, offset=offset, limit=limit, wait=wait) as (
            told,
            reader,
            _,
        ):
            frame = await frames.read(reader)
        data = frame[1] if frame is not None else b""
        return logs.Part(data, told["offset"], told["start"], told["end"], told.get("ended", over))

    def _left_log(self, container: Container) -> logs.Kept:
        """The log that a shim left which is gone."""
        path = messages.log_path(container)
        if self._files is None or not path or not container.started_at:
            return logs.InMemory()
        found = logs.InFiles(
            Path(path), size=self._files.size, files=self._files.files, now=lambda: 0.0
        )
        found.adopt()
        return found

    async def reopen_log(self, container: Container) -> None:
        """See `driver.Driver`."""
        try:
            await self.link.ask("reopen", id=container.id)
        except link.Refused as refused:
            raise rpc.Failure("UNKNOWN", str(refused)) from refused

    async def exec_sync(self, container: Container, argv: Sequence[str], seconds: float) -> Ran:
        """See `driver.Driver`."""
        found = {frames.DATA: bytearray(), frames.ERROR: bytearray()}
        process = await self._process(container, argv, tty=False)
        try:
            async with (
                asyncio.timeout(seconds or None),
                self._executed(container, process, stdin=False) as (_, reader, _),
            ):
                while True:
                    kind, data = await _next(reader)
                    if kind == frames.JSON:
                        code = frames.loads(data)["code"]
                        return Ran(code, bytes(found[frames.DATA]), bytes(found[frames.ERROR]))
                    kept = found[kind]
                    kept += data[: MAX_SYNC - len(kept)]
        except TimeoutError:
            text = f"command {list(argv)} timed out after {seconds:g}s"
            raise rpc.Failure("DEADLINE_EXCEEDED", text) from None
        except link.Refused as refused:
            why = faults.executing(str(refused), process["args"][0])
            raise rpc.Failure("UNKNOWN", why) from refused

    async def exec(
        self, container: Container, start: pb.StreamStart, inputs: AsyncIterator[pb.StreamInput]
    ) -> AsyncIterator[pb.StreamOutput]:
        """See `driver.Driver`."""
        process = await self._process(container, start.command, tty=start.tty)
        return self._exec(container, process, start, inputs)

    async def _exec(
        self,
        container: Container,
        process: dict[str, Any],
        start: pb.StreamStart,
        inputs: AsyncIterator[pb.StreamInput],
    ) -> AsyncIterator[pb.StreamOutput]:
        try:
            async with self._executed(container, process, stdin=start.stdin) as (_, reader, writer):
                async for output in _session(reader, writer, start, inputs):
                    yield output
        except link.Refused as refused:
            why = str(refused)
            yield _ended(faults.exit_code(why), faults.executing(why, process["args"][0]))

    async def attach(
        self, container: Container, start: pb.StreamStart, inputs: AsyncIterator[pb.StreamInput]
    ) -> AsyncIterator[pb.StreamOutput]:
        """See `driver.Driver`."""
        return self._attach(container, start, inputs)

    async def _attach(
        self, container: Container, start: pb.StreamStart, inputs: AsyncIterator[pb.StreamInput]
    ) -> AsyncIterator[pb.StreamOutput]:
        once = start.stdin and container.config.stdin_once
        try:
            async with self.link.stream(
                "attach", id=container.id, once=once, most=MAX_ATTACHED
            ) as (_, reader, writer):
                async for output in _session(reader, writer, start, inputs):
                    yield output
        except link.Refused as refused:
            raise rpc.Failure("RESOURCE_EXHAUSTED", str(refused)) from refused

    async def forward(
        self, sandbox: Sandbox, port: int, inputs: AsyncIterator[pb.PortForwardInput]
    ) -> AsyncIterator[pb.PortForwardOutput]:
        """See `driver.Driver`."""
        return self._forward(sandbox, port, inputs)

    async def _forward(
        self, sandbox: Sandbox, port: int, inputs: AsyncIterator[pb.PortForwardInput]
    ) -> AsyncIterator[pb.PortForwardOutput]:
        try:
            pid = self._pids.get(sandbox.id, 0)
            async with self.link.stream("connect", pid=pid, port=port) as (_, reader, writer):
                yield pb.PortForwardOutput(connected=True)
                feeding = _beside()
                feeding.spawn(_feed_connection(inputs, writer), "input")
                try:
                    while (frame := await frames.read(reader)) is not None:
                        if frame[0] == frames.END:
                            break
                        yield pb.PortForwardOutput(data=frame[1])
                except frames.Broken:
                    pass  # the connection was reset
                finally:
                    feeding.cancel()
                yield pb.PortForwardOutput(closed=True)
        except link.Refused as refused:
            yield pb.PortForwardOutput(error=_refused(sandbox.id, port, str(refused)))

    # ------------------------------------------------------------------------------------------

    def _executed(
        self, container: Container, process: dict[str, Any], *, stdin: bool
    ) -> contextlib.AbstractAsyncContextManager[
        tuple[dict[str, Any], asyncio.StreamReader, asyncio.StreamWriter]
    ]:
        return self.link.stream(
            "exec", id=container.id, process=process, tty=process["terminal"], stdin=stdin
        )

    async def _process(
        self, container: Container, argv: Sequence[str], *, tty: bool
    ) -> dict[str, Any]:
        if not argv:
            raise rpc.Failure("INVALID_ARGUMENT", "no command specified")
        main = self._mains.get(container.id)
        if main is None:
            main = self._mains[container.id] = self._main_of(container)
        return spec.command(main, argv, tty=tty)

    def _main_of(self, container: Container) -> dict[str, Any]:
        """The first process of a container that an earlier runtime started."""
        path = self._bundle(container.id) / "config.json"
        try:
            found: dict[str, Any] = json.loads(path.read_bytes())["process"]
        except (OSError, ValueError, KeyError) as error:
            raise rpc.Failure("UNKNOWN", f"what it runs is not known any more: {error}") from error
        return found


def _beside() -> tasks.Background:
    """Owns the task that carries a client's input, beside the generator that carries the output.

    No tasks.Group: a generator's steps may be taken by one task and its end by another.
    """
    return tasks.Background("oci", _noted)


def _noted(name: str, error: BaseException) -> None:
    """Who reads the output hears of a broken stream, too; anything else is a fault of ours."""
    if not isinstance(error, rpc.Failure | OSError):
        structlog.get_logger().error("a task of a stream failed", task=name, exc_info=error)


async def _next(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    try:
        found = await frames.read(reader)
    except frames.Broken as error:
        raise _went(error) from error
    if found is None:
        raise rpc.Failure("UNAVAILABLE", "the shim of the oci driver went")
    return found


def _went(error: Exception) -> rpc.Failure:
    return rpc.Failure("UNAVAILABLE", f"the shim of the oci driver went: {error}")


async def _session(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    start: pb.StreamStart,
    inputs: AsyncIterator[pb.StreamInput],
) -> AsyncIterator[pb.StreamOutput]:
    """The outputs of a process, to its end."""
    feeding = _beside()
    feeding.spawn(_feed(inputs, writer, start), "input")
    try:
        while (frame := await frames.read(reader)) is not None:
            kind, data = frame
            if kind == frames.JSON:
                yield _ended(frames.loads(data)["code"])
                return
            if kind == frames.ERROR and (start.stderr or start.tty):
                yield pb.StreamOutput(stderr=data)
            elif kind == frames.DATA and (start.stdout or start.tty):
                yield pb.StreamOutput(stdout=data)
        yield _ended()
    except frames.Broken as error:
        raise _went(error) from error
    finally:
        feeding.cancel()


async def _feed(
    inputs: AsyncIterator[pb.StreamInput], writer: asyncio.StreamWriter, start: pb.StreamStart
) -> None:
    with contextlib.suppress(OSError):
        async for one in inputs:
            kind = one.WhichOneof("input")
            if kind == "resize":
                size = frames.SIZE.pack(one.resize.width & 0xFFFF, one.resize.height & 0xFFFF)
                writer.write(frames.pack(frames.RESIZE, size))
            elif kind == "stdin" and start.stdin:
                writer.write(frames.pack(frames.DATA, one.stdin))
            elif kind == "stdin_closed":
                break
            await writer.drain()
        if start.stdin:
            writer.write(frames.pack(frames.END))
            await writer.drain()


async def _feed_connection(
    inputs: AsyncIterator[pb.PortForwardInput], writer: asyncio.StreamWriter
) -> None:
    with contextlib.suppress(OSError):
        async for one in inputs:
            if one.WhichOneof("input") == "data":
                writer.write(frames.pack(frames.DATA, one.data))
                await writer.drain()
            else:
                break
        writer.write(frames.pack(frames.END))
        await writer.drain()


def _ended(code: int = 0, error: str = "") -> pb.StreamOutput:
    return pb.StreamOutput(exit=pb.Exit(code=code, error=error))


def _refused(sandbox: str, port: int, why: str) -> str:
    four, _, six = why.partition("|")
    text = (
        f'failed to execute portforward in network namespace "/var/run/netns/cni-{sandbox[:8]}": '
        f'failed to connect to localhost:{port} inside namespace "{sandbox}", IPv4: dial tcp4 '
        f"127.0.0.1:{port}: {four}"
    )
    return f"{text} IPv6 dial tcp6 [::1]:{port}: {six}" if six else text
