"""A program whose processes are tiny: what the daemon's tests run instead of a cluster.

`tinyprogram.py supervise FOLDER FD` is the daemon, `tinyprogram.py zygote FD` a zygote, and
`tinyprogram.py WORD…` one of the processes below.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

GROUPS = {"": ("json",), "grpc": ("cluster.aio.grpcserver", "cluster.client.channel")}


def say(text: str) -> None:
    message = f"{text}\nKUBEMU_PROCESS={os.environ['KUBEMU_PROCESS']}\nMAINPID={os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
        notices.sendto(message.encode(), os.environ["NOTIFY_SOCKET"])


def wait() -> None:
    say("READY=1\nSTATUS=waiting")
    while True:
        signal.pause()


def stubborn() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    wait()


def fail() -> None:
    say("STATUS=port 6443 is taken")
    sys.exit(3)


def crash() -> None:
    raise RuntimeError("a fault of the process")


async def _converse(path: str) -> None:
    """Serve gRPC and call it: the health service of an own server, by an own channel."""
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    from cluster.aio import grpcserver
    from cluster.client import channel

    server = grpcserver.GrpcServer()
    server.listen(f"unix:{path}")
    async with server, channel.connect([f"unix:{path}"]) as connection:
        await server.set_serving(True)
        stub = health_pb2_grpc.HealthStub(connection)
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=5)
        say(f"STATUS=health {answer.status}\nREADY=1")
        await asyncio.get_running_loop().create_future()


def converse(path: str) -> None:
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_converse(path))


def entry(argv: Sequence[str]) -> None:
    words = {
        "wait": wait, "stubborn": stubborn, "fail": fail, "crash": crash, "converse": converse,
    }  # fmt: skip
    words[argv[0]](*argv[1:])


def main() -> None:
    from cluster.launcher import daemon, state, zygote

    if os.environ.get("TINY_WITHOUT_FORK"):
        zygote.possible = lambda: False
    me = (sys.executable, str(Path(__file__).resolve()))
    match sys.argv[1:]:
        case ["supervise", folder, descriptor]:
            daemon.main(
                state.Folder(Path(folder)), socket.socket(fileno=int(descriptor)), groups=GROUPS,
                entry=entry, commands=daemon.Commands(me, (*me, "zygote")),
                configure=lambda: None,
            )  # fmt: skip
        case ["zygote", descriptor]:
            daemon.serve_zygote(int(descriptor), GROUPS, entry)
        case argv:
            entry(argv)


if __name__ == "__main__":
    main()
