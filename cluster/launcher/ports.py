"""Which ports of this machine are free."""

import socket
from typing import Final

from cluster.launcher import faults

_FIRST_API: Final = 6443
_TRIED: Final = 1000


class InUse(faults.Fault):
    """A port that was asked for is taken, or none is free."""


def chosen(asked: int, first: int = _FIRST_API, flag: str = "--port", taken: int = 0) -> int:
    """`asked`, or (for 0) the first free port from `first` on that is not `taken`. InUse."""
    if asked:
        if not free(asked):
            raise InUse(
                f"port {asked} is in use by another program; "
                f"choose another with {flag}, or leave it out to have a free one chosen"
            )
        return asked
    for port in range(first, min(first + _TRIED, 65536)):
        if port != taken and free(port):
            return port
    raise InUse(f"no port from {first} to {first + _TRIED} is free; name one with {flag}")


def free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on `port` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
