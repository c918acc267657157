"""How containers end: what they leave as a message, when their memory runs out, how they are asked.

A kubelet says by annotations of CRI's ContainerConfig where a container writes its termination
message (the names are Kubernetes' own), and which signal it wants to be stopped with.
"""

import math
import signal
from collections.abc import Mapping
from typing import Final

from cluster.api.curves import Curve
from cluster.pb.cri.v1 import api_pb2 as pb

MESSAGE_PATH: Final = "io.kubernetes.container.terminationMessagePath"
MESSAGE_POLICY: Final = "io.kubernetes.container.terminationMessagePolicy"
STOP_SIGNAL: Final = "kubemu.dev/stop-signal"
DEFAULT_PATH: Final = "/dev/termination-log"
OOM_KILLED: Final = "OOMKilled"
START_ERROR: Final = "StartError"
START_ERROR_CODE: Final = 128
_LONGEST: Final = 4096
_LOG_BYTES: Final = 2048
_LOG_LINES: Final = 80
"""MaxContainerTerminationMessageLength and its kin in pkg/kubelet/container."""
TAIL: Final = 8 * _LOG_BYTES
"""How much of a log has to be looked at for its last lines."""


def message(annotations: Mapping[str, str], written: bytes, log: bytes, code: int) -> str:
    """What a container that ended with `code` says of it: what it has `written`, or, where it
    wants that and failed, the end of its `log` (in CRI's format).
    """
    if written:
        return written[:_LONGEST].decode(errors="replace")
    if annotations.get(MESSAGE_POLICY) != "FallbackToLogsOnError" or code == 0:
        return ""
    lines = [_text(line) for line in log.split(b"\n") if line]
    return b"".join(lines[-_LOG_LINES:])[-_LOG_BYTES:].decode(errors="replace")


def _text(line: bytes) -> bytes:
    """A line of a CRI log without its time, stream and tag; a part has no end of line."""
    parts = line.split(b" ", 3)
    if len(parts) < 4:
        return b""
    return parts[3] if parts[2] == b"P" else parts[3] + b"\n"


def out_of_memory(
    memory: Curve | None, resources: pb.LinuxContainerResources, age: float = 0.0
) -> float:
    """In how many seconds a container of this age uses more memory than its limit; inf: never."""
    limit = resources.memory_limit_in_bytes
    if memory is None or limit <= 0:
        return math.inf
    if memory.at(age) > limit:
        return 0.0
    left = memory.exceeds(limit) - age
    return left if left >= 0 else math.inf


def stop_signal(annotations: Mapping[str, str], image: str = "") -> int:
    """The signal that a container is asked to end with: what the pod says, what its image says, or
    SIGTERM.
    """
    for name in (annotations.get(STOP_SIGNAL, ""), image):
        found = signal.Signals.__members__.get(name)
        if found is not None:
            return int(found)
    return int(signal.SIGTERM)
