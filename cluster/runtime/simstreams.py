"""Exec, attach, port-forward and logs of the sim driver's containers.

Each method answers at once or with an rpc.Failure, and gives an iterator of outputs. Who leaves it
early ends what it began: a command that nobody listens to is killed.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

import structlog

from cluster.aio import rpc, tasks
from cluster.pb.cluster.v1 import kubelet_pb2 as pb
from cluster.runtime import commandline, logs, podsockets
from cluster.runtime.driver import MAX_SYNC, Ran
from cluster.runtime.following import Following
from cluster.runtime.machine import ERR, OUT, Machine, Refused
from cluster.runtime.podspaces import Spaces
from cluster.runtime.records import Container, Sandbox, State
from cluster.runtime.vos.kernel import Io
from cluster.runtime.vos.sockets import Stream
from cluster.runtime.vos.streams import NOTHING, BrokenPipe, Collected, Joint, Pipe
from cluster.runtime.vos.tty import Tty


class Streams:
    """The part of the sim driver that streams."""

    spaces: Spaces
    following: Following
    inputs: tasks.Background
    """Carries clients' input, beside the generators that carry their output. (No tasks.Group: a
    generator's steps may be taken by one task and its end by another.)"""

    def log(self, container: Container) -> logs.Log:
        """A container's log."""
        raise NotImplementedError

    def machine(self, container: Container) -> Machine:
        """What a container does beyond living."""
        raise NotImplementedError

    async def entered(self, container: Container) -> Machine:
        """The same, for who will look at its files. rpc.Failure."""
        raise NotImplementedError

    async def exec(
        self, container: Container, start: pb.StreamStart, inputs: AsyncIterator[pb.StreamInput]
    ) -> AsyncIterator[pb.StreamOutput]:
        """See `driver.Driver`."""
        return _exec(self.inputs, await self.entered(container), start, inputs)

    async def attach(
        self, container: Container, start: pb.StreamStart, inputs: AsyncIterator[pb.StreamInput]
    ) -> AsyncIterator[pb.StreamOutput]:
        """See `driver.Driver`."""
        machine = await self.entered(container)
        try:
            return _attach(self.inputs, machine, machine.attach(), start, inputs)
        except Refused as refused:
            raise rpc.Failure("RESOURCE_EXHAUSTED", str(refused)) from refused

    async def forward(
        self, sandbox: Sandbox, port: int, inputs: AsyncIterator[pb.PortForwardInput]
    ) -> AsyncIterator[pb.PortForwardOutput]:
        """See `driver.Driver`."""
        try:
            stream = await self.spaces.of(sandbox).connect("127.0.0.1", port)
        except OSError as error:
            return _refused_port(sandbox.id, port, error)
        if isinstance(stream, podsockets.Answered):
            return _forward_answered(stream, inputs)
        return _forward(self.inputs, stream, inputs)

    async def read_log(
        self, container: Container, offset: int, limit: int, wait: float = 0.0
    ) -> logs.Part:
        """See `driver.Driver`."""
        if container.script.sleeps and container.state is State.RUNNING:
            await self.entered(container)
        return await self.following.read(
            container.id, self.log(container), offset, limit, wait=wait,
            ended=lambda: container.state is State.EXITED,
        )  # fmt: skip

    async def read_left_log(self, container: str, offset: int, limit: int) -> logs.Part | None:
        """See `driver.Driver`."""
        return self.following.read_left(container, offset, limit)

    async def reopen_log(self, container: Container) -> None:
        """See `driver.Driver`."""
        kept = self.log(container).kept
        if isinstance(kept, logs.InFiles):
            kept.reopen()

    async def exec_sync(self, container: Container, argv: Sequence[str], seconds: float) -> Ran:
        """See `driver.Driver`.

        An image of which nothing is known has whatever its probes and hooks call, and all is well
        with it.
        """
        if container.believed and not commandline.understood(argv):
            return Ran(0, b"", b"")
        machine = await self.entered(container)
        out, err = Collected(MAX_SYNC, cut=True), Collected(MAX_SYNC, cut=True)
        try:
            process = machine.execute(argv, Io(NOTHING, out, err), None)
        except Refused as refused:
            raise rpc.Failure("UNKNOWN", _exec_failed(refused)) from refused
        try:
            async with asyncio.timeout(seconds or None):
                code = await process.wait()
        except TimeoutError:
            text = f"command {list(argv)} timed out after {seconds:g}s"
            raise rpc.Failure("DEADLINE_EXCEEDED", text) from None
        finally:
            process.signal(9)
        return Ran(code, bytes(out.data), bytes(err.data))


def _exec_failed(refused: Refused) -> str:
    return (
        "failed to exec in container: failed to start exec: OCI runtime exec failed: exec failed: "
        f"unable to start container process: {refused}: unknown"
    )


def _ended(code: int = 0, error: str = "") -> pb.StreamOutput:
    return pb.StreamOutput(exit=pb.Exit(code=code, error=error))


async def _exec(
    owner: tasks.Background,
    machine: Machine,
    start: pb.StreamStart,
    inputs: AsyncIterator[pb.StreamInput],
) -> AsyncIterator[pb.StreamOutput]:
    joint = Joint()
    tty = Tty(joint.writer(OUT)) if start.tty else None
    pipe = Pipe() if start.stdin and tty is None else None
    if tty is not None:
        io = Io(tty if start.stdin else NOTHING, tty, tty)
    else:
        out = joint.writer(OUT) if start.stdout else NOTHING
        err = joint.writer(ERR) if start.stderr else NOTHING
        io = Io(pipe or NOTHING, out, err)
    try:
        process = machine.execute(start.command, io, tty)
    except Refused as refused:
        there = str(refused).endswith(("permission denied", "is a directory"))
        yield _ended(126 if there else 127, _exec_failed(refused))
        return
    process.on_end(lambda _code: joint.end())
    feeding = owner.spawn(_feed(inputs, pipe, tty), f"exec/{process.pid}")
    try:
        async for output in _outputs(joint):
            yield output
        yield _ended(await process.wait())
    finally:
        feeding.cancel()
        joint.break_()
        process.signal(9)


def input_ended(name: str, error: BaseException) -> None:
    """A client's input has ended badly: his output tells him of it."""
    structlog.get_logger().info("a client's input ended", stream=name, error=str(error))


async def _outputs(joint: Joint) -> AsyncIterator[pb.StreamOutput]:
    while (piece := await joint.get()) is not None:
        name, data = piece
        if name == OUT:
            yield pb.StreamOutput(stdout=data)
        else:
            yield pb.StreamOutput(stderr=data)


async def _feed(inputs: AsyncIterator[pb.StreamInput], pipe: Pipe | None, tty: Tty | None) -> None:
    """Carry stdin to a process, until it ends or takes no more."""
    try:
        async for one in inputs:
            kind = one.WhichOneof("input")
            if kind == "resize" and tty is not None:
                tty.resize(one.resize.width, one.resize.height)
            elif kind == "stdin" and tty is not None:
                await tty.type(one.stdin)
            elif kind == "stdin" and pipe is not None:
                await pipe.write(one.stdin)
            elif kind == "stdin_closed":
                break
    except BrokenPipe:
        return
    if tty is not None:
        tty.hang_up()
    if pipe is not None:
        pipe.end()


async def _attach(
    owner: tasks.Background,
    machine: Machine,
    joint: Joint,
    start: pb.StreamStart,
    inputs: AsyncIterator[pb.StreamInput],
) -> AsyncIterator[pb.StreamOutput]:
    feeding = owner.spawn(_feed_main(machine, joint, start, inputs), "attach")
    try:
        async for output in _outputs(joint):
            wanted = start.stdout if output.WhichOneof("output") == "stdout" else start.stderr
            if wanted or start.tty:
                yield output
        yield _ended()
    finally:
        feeding.cancel()
        machine.detach(joint, fed=start.stdin)


async def _feed_main(
    machine: Machine,
    joint: Joint,
    start: pb.StreamStart,
    inputs: AsyncIterator[pb.StreamInput],
) -> None:
    """Carry stdin to the main process. At its end stdin is closed where it is for one client only
    (stdinOnce); else, and at a terminal, the client's session ends, as containerd has it.
    """
    async for one in inputs:
        kind = one.WhichOneof("input")
        if kind == "resize" and machine.tty is not None:
            machine.tty.resize(one.resize.width, one.resize.height)
        elif kind == "stdin" and start.stdin:
            try:
                await machine.feed(one.stdin)
            except BrokenPipe:
                return
        elif kind == "stdin_closed" and start.stdin:
            machine.end_input(joint)


async def _forward_answered(
    stream: podsockets.Answered, inputs: AsyncIterator[pb.PortForwardInput]
) -> AsyncIterator[pb.PortForwardOutput]:
    """One who answers by itself needs no task: what comes in is answered at once."""
    try:
        yield pb.PortForwardOutput(connected=True)
        async for one in inputs:
            kind = one.WhichOneof("input")
            if kind == "closed":
                break
            if kind == "data":
                answer = stream.answer(one.data)
                if answer:
                    yield pb.PortForwardOutput(data=answer)
            if stream.over:
                break
    except OSError as error:
        yield pb.PortForwardOutput(error=_cut(error))
        return
    finally:
        stream.close()
    yield pb.PortForwardOutput(closed=True)


async def _forward(
    owner: tasks.Background, stream: Stream, inputs: AsyncIterator[pb.PortForwardInput]
) -> AsyncIterator[pb.PortForwardOutput]:
    feeding = owner.spawn(_feed_stream(stream, inputs), "port-forward")
    try:
        yield pb.PortForwardOutput(connected=True)
        while data := await stream.receive():
            yield pb.PortForwardOutput(data=data)
    except BrokenPipeError:
        pass  # The client has gone.
    except OSError as error:
        yield pb.PortForwardOutput(error=_cut(error))
        return
    finally:
        feeding.cancel()
        stream.close()
    yield pb.PortForwardOutput(closed=True)


async def _feed_stream(stream: Stream, inputs: AsyncIterator[pb.PortForwardInput]) -> None:
    """Carry a client's bytes into a connection, until one of both ends."""
    try:
        async for one in inputs:
            kind = one.WhichOneof("input")
            if kind == "closed":
                break
            if kind == "data":
                await stream.send(one.data)
        stream.end()
    except OSError:
        return  # Who reads hears of it.


def _cut(error: OSError) -> str:
    return f"connection lost: {(error.strerror or str(error)).lower()}"


async def _refused_port(
    sandbox: str, port: int, error: OSError
) -> AsyncIterator[pb.PortForwardOutput]:
    space = f"/var/run/netns/cni-{sandbox[:8]}"
    why = f"connect: {(error.strerror or str(error)).lower()}"
    yield pb.PortForwardOutput(
        error=(
            f'failed to execute portforward in network namespace "{space}": failed to connect to '
            f'localhost:{port} inside namespace "{sandbox}", IPv4: dial tcp4 127.0.0.1:{port}: '
            f"{why} IPv6 dial tcp6 [::1]:{port}: {why}"
        )
    )
