"""The supervisor as a daemon: what `kubemu up` starts and leaves behind.

The command line opens a socket pair, starts the daemon with one end, prepares certificates and
plan while the daemon and its zygote import, and then says `go`. The daemon answers `up` once its
control service listens, or one line `error: …`. If the command line goes away before it said `go`,
so does the daemon.
"""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from cluster.launcher import forking, state, zygote

GO: Final = b"go\n"
UP: Final = b"up\n"
ERROR: Final = b"error: "


@dataclass(frozen=True, slots=True)
class Commands:
    """How to start again what this program consists of, as argument vectors."""

    program: Sequence[str]
    """The `kubemu` command."""
    zygote: Sequence[str]
    """`serve_zygote`; the descriptor follows."""


def main(
    folder: state.Folder,
    handshake: socket.socket,
    *,
    groups: zygote.Groups,
    entry: zygote.Entry,
    commands: Commands,
    configure: Callable[[], None],
) -> NoReturn:
    """Be the supervisor of the cluster in `folder`, to its end.

    Call it in a fresh process that has one thread and has made nothing of gRPC's, though it may
    have imported that: it forks the zygote first, and then calls `configure`, which sets up
    logging.
    """
    os.umask(0o077)
    gc.freeze()
    link, pid = _fork_zygote(handshake, groups, entry)
    gc.enable()
    configure()
    from cluster.launcher import running  # gRPC comes with it

    forking.release_files()
    spawner = running.spawner(link, pid, commands)
    try:
        asyncio.run(running.serve(folder, handshake, spawner))
    except running.CannotStart as error:
        # The command line may have gone away meanwhile.
        with contextlib.suppress(OSError):
            handshake.sendall(ERROR + f"{error}\n".encode())
        _exit(1)
    _exit(0)


def _exit(code: int) -> NoReturn:
    """End at once: gRPC's threads would hold up an interpreter that tidies up, for a second."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def serve_zygote(descriptor: int, groups: zygote.Groups, entry: zygote.Entry) -> NoReturn:
    """Be a zygote that replaces one that died; `descriptor` is its end of a socket pair."""
    os.umask(0o077)
    link = socket.socket(fileno=descriptor)
    zygote.Zygote(link, groups, entry).run()


def _fork_zygote(
    handshake: socket.socket, groups: zygote.Groups, entry: zygote.Entry
) -> tuple[socket.socket | None, int]:
    """The supervisor's end of the link to a new zygote, and its pid; None, 0 where none forks."""
    if not zygote.possible():
        return None, 0
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        ours.close()
        handshake.close()
        os.setsid()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        zygote.Zygote(theirs, groups, entry).run()
    theirs.close()
    return ours, pid
