"""Which ports of this machine are free, and what other clusters have."""

import fcntl
import os
import socket
import tempfile
from pathlib import Path
from typing import Final, Self

from cluster.api import faults

_FIRST_API: Final = 6443
_TRIED: Final = 1000


class InUse(faults.Fault):
    """A port that was asked for is taken, or none is free."""


class Claims:
    """Chooses ports, and keeps other clusters that start at the same time from choosing them too.

    Use it inside `with`, until the ports are listened on. A claim is a lock on a file in `folder`:
    it ends with the last process that has its descriptor, however that ends. A supervisor that
    inherits `descriptors` keeps the ports for its cluster while the API server is down.
    """

    def __init__(self, folder: Path | None = None) -> None:
        shared = Path(tempfile.gettempdir()) / f"kubemu-ports-{os.getuid()}"
        self._folder = folder or shared
        self._held: list[int] = []

    def __enter__(self) -> Self:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        while self._held:
            os.close(self._held.pop())

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The open files that hold the claims."""
        return tuple(self._held)

    def choose(self, asked: int, first: int = _FIRST_API, flag: str = "--port") -> int:
        """`asked`, or (for 0) the first port from `first` on that nobody has. InUse."""
        if asked:
            if not (free(asked) and self.claim(str(asked))):
                raise InUse(
                    f"port {asked} is in use by another program; "
                    f"choose another with {flag}, or leave it out to have a free one chosen"
                )
            return asked
        for port in range(first, min(first + _TRIED, 65536)):
            # What is claimed may be listened on by now: look at it last.
            if self.claim(str(port)) and free(port):
                return port
        raise InUse(f"no port from {first} to {first + _TRIED} is free; name one with {flag}")

    def claim(self, name: str) -> bool:
        """Have something of this name (a port is one), if no other cluster of this user has it."""
        claim = os.open(self._folder / name, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(claim)
            return False
        self._held.append(claim)
        return True


def free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on `port` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
