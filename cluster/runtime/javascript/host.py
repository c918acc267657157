"""The process that scripts run in, apart from the runtime: one may crash its engine, or compute
where the engine does not look at the clock (a regular expression).

`python -m cluster.runtime.javascript.host`, with a Unix socket as standard input: each descriptor
that comes there is a new script's socket, for which this process forks one that serves it. A frame
is four bytes of length and as many bytes: what the script is given, then its events; each is
answered by one of the `Answer`s and what belongs to it. It ends when the socket does.
"""

import contextlib
import json
import os
import resource
import signal
import socket
from collections.abc import Callable
from typing import Final

from cluster.runtime.javascript import engine
from cluster.runtime.javascript.engine import Engine, Missing, Overrun

DONE: Final = b"="
"""The answer of an event, with the commands as JSON; of a beginning, with nothing."""
OVERRUN: Final = b"!"
"""With the reason."""
MISSING: Final = b"?"
CPU_SECONDS: Final = 2.0
"""After which the kernel ends a process where the engine did not."""
ROOM: Final = 384 << 20
"""Bytes that a script's process may have beyond those that it begins with: the engine has limits of
its own below it.
"""


def main() -> None:
    """Fork a process for each script."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the runtime's
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(Missing):  # each script finds out for itself
        engine.prepare()
    control = socket.socket(fileno=0)
    while True:
        said, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not said:
            return
        for descriptor in descriptors:
            _fork(control, descriptor)


def _fork(control: socket.socket, descriptor: int) -> None:
    try:
        child = os.fork()
    except OSError:
        child = -1  # its socket ends: the runtime says so
    if child:
        os.close(descriptor)
        return
    try:
        control.close()
        peak = _limit()
        with socket.socket(fileno=descriptor) as link:
            _serve(link, peak)
    finally:
        os._exit(0)


def _limit() -> Callable[[], int]:
    """Limit the process' memory; what tells how many bytes it has had at most since then."""
    began = _status("VmSize:")
    resource.setrlimit(resource.RLIMIT_AS, (began + ROOM, began + ROOM))
    return lambda: _status("VmPeak:") - began


def _status(name: str) -> int:
    with open("/proc/self/status", encoding="utf-8") as file:  # noqa: PTH123  (light)
        return next(int(line.split()[1]) << 10 for line in file if line.startswith(name))


def _serve(link: socket.socket, peak: Callable[[], int]) -> None:
    script: Engine | None = None
    while (frame := _receive(link)) is not None:
        # Its signal ends the process, whatever it is at.
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        try:
            told = json.loads(frame)
            if script is None:
                script = Engine(told, peak)
                answer = DONE
            else:
                answer = DONE + script.ask(*told).encode("utf-8", "replace")
        except Overrun as overrun:
            answer = OVERRUN + str(overrun).encode("utf-8", "replace")
        except Missing:
            answer = MISSING
        signal.setitimer(signal.ITIMER_PROF, 0)
        link.sendall(len(answer).to_bytes(4, "big") + answer)


def _receive(link: socket.socket) -> bytes | None:
    """A frame; None at the end."""
    head = _exactly(link, 4)
    return _exactly(link, int.from_bytes(head, "big")) if head else None


def _exactly(link: socket.socket, size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        piece = link.recv(min(size - len(data), 1 << 20))
        if not piece:
            return None
        data += piece
    return bytes(data)


if __name__ == "__main__":
    main()
