"""What a container says when it ends: a file that is mounted into it, or its last words.

Source: makeMounts and getTerminationMessage of pkg/kubelet/kuberuntime. kubemu's own runtime does
this itself. OSError where the disk fails.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cluster.kubelet.lifecycle import hints
from cluster.kubelet.serving import logtext
from cluster.pb.cri.v1 import api_pb2 as pb

_USUAL: Final = "/dev/termination-log"
_MOST: Final = 4096
"""MaxContainerTerminationMessageLength: bytes of a message."""
_MOST_LOG: Final = 2048
_MOST_LINES: Final = 80
"""MaxContainerTerminationMessageLogLength and -LogLines: of what is taken from the log."""
_NEAR_END: Final = 64 << 10
"""Bytes of the log that are looked through for so many lines."""


def mount(root: str, request: pb.CreateContainerRequest) -> None:
    """Have a file for the container's message mounted, which is made under a `--root-dir`."""
    config, pod = request.config, request.sandbox_config.metadata.uid
    path = _path(config.annotations)
    if not root or not pod or any(one.container_path == path for one in config.mounts):
        return
    name, attempt = config.metadata.name, config.metadata.attempt
    file = Path(root).absolute() / "pods" / pod / "containers" / name / f"{attempt}.message"
    file.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    file.write_bytes(b"")
    file.chmod(0o666)  # Whatever user the container runs as.
    config.mounts.add(container_path=path, host_path=str(file))


def file_of(root: str, status: pb.ContainerStatus) -> str:
    """Where a container's message is; "" where it has no such file.

    Files of a volume are none: a container could put a link there, to what is not its own.
    """
    path = _path(status.annotations)
    for one in status.mounts:
        if one.container_path == path and root:
            parts = one.host_path.removeprefix(f"{Path(root).absolute()}/pods/").split("/")
            if len(parts) == 4 and parts[1] == "containers":
                return str(one.host_path)
    return ""


def tell(root: str, status: pb.ContainerStatus) -> None:
    """Add to an ended container's status what it said."""
    if status.state != pb.CONTAINER_EXITED:
        return
    said = _tail(file_of(root, status), _MOST).decode(errors="replace")
    falls_back = status.annotations.get(hints.MESSAGE_POLICY) == "FallbackToLogsOnError"
    if not said and falls_back and status.exit_code:
        said = _last_words(status.log_path)
    if said:
        status.message = f"{status.message}: {said}" if status.message else said


def _path(annotations: Mapping[str, str]) -> str:
    return annotations.get(hints.MESSAGE_PATH) or _USUAL


def _last_words(log: str) -> str:
    shown = logtext.Reading(logtext.Wanted()).take(_tail(log, _NEAR_END))
    lines = shown.splitlines(keepends=True)[-_MOST_LINES:]
    return b"".join(lines)[-_MOST_LOG:].decode(errors="replace")


def _tail(path: str, most: int) -> bytes:
    if not path:
        return b""
    try:
        with Path(path).open("rb") as file:
            file.seek(max(file.seek(0, os.SEEK_END) - most, 0))
            return file.read(most)
    except OSError:
        return b""  # The pod's folder is gone, or it was no file.
