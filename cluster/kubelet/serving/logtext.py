"""CRI log lines to what a client asked for. Pure.

Source: pkg/kubelet/kuberuntime/logs of kubernetes. A line is `TIME STREAM TAG TEXT`; the tag P says
that the next line goes on with it.
"""

from dataclasses import dataclass
from typing import Final

_STREAMS: Final = {"": b"", "All": b"", "Stdout": b"stdout", "Stderr": b"stderr"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """`since`: the least time, as a CRI log has it, b"" for all; `stream`: b"" for both."""

    since: bytes = b""
    timestamps: bool = False
    stream: bytes = b""


def stream(text: str) -> bytes:
    """The stream of a request: `All`, `Stdout`, `Stderr`. KeyError for another."""
    return _STREAMS[text]


class Reading:
    """Takes a log piece by piece, and gives what is to be shown."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._rest = b""
        self._within = False

    def take(self, data: bytes) -> bytes:
        """Take more of the log. A line that is no log line is left out."""
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        return b"".join([self._shown(line) for line in lines])

    def _shown(self, line: bytes) -> bytes:
        parts = line.split(b" ", 3)
        if len(parts) < 3:
            return b""
        wanted = self._wanted
        text = parts[3] if len(parts) > 3 else b""
        if (wanted.stream and parts[1] != wanted.stream) or parts[0] < wanted.since:
            return b""
        begins = not self._within
        self._within = parts[2].split(b":")[0] == b"P"
        prefix = parts[0] + b" " if wanted.timestamps and begins else b""
        return prefix + text + (b"" if self._within else b"\n")
