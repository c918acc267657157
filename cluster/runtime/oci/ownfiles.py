"""The files that a pod's containers find beside image and volumes: the pod's name, its resolvers,
and a file for each container's last words.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime import endings, mounting
from cluster.runtime.records import Container, Sandbox


class OwnFiles:
    """Those of a node's sandboxes and containers, under `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, sandbox: Sandbox) -> None:
        """Write a sandbox's. OSError."""
        files = self._folder / sandbox.id
        files.mkdir(parents=True, exist_ok=True)
        resolver = mounting.resolv_conf(sandbox.config.dns_config)
        if resolver:
            _write(files / "resolv.conf", resolver)
        hostname = sandbox.config.hostname
        if hostname:
            _write(files / "hostname", f"{hostname}\n".encode())

    def mounted(self, container: Container) -> Iterator[tuple[str, str]]:
        """What is mounted into a container: path inside, path of the machine. OSError."""
        own = self._folder / container.sandbox.id
        for name in ("hostname", "resolv.conf"):
            if (own / name).exists():
                yield f"/etc/{name}", str(own / name)
        words = self._words(container)
        words.parent.mkdir(parents=True, exist_ok=True)
        _write(words, b"", 0o666)
        annotations = container.config.annotations
        yield annotations.get(endings.MESSAGE_PATH) or endings.DEFAULT_PATH, str(words)

    def last_words(self, container: Container) -> bytes:
        """What a container left as its message; b"" where it left none."""
        try:
            return self._words(container).read_bytes()
        except OSError:
            return b""

    def clear(self, id: str) -> None:
        """Remove those of a sandbox or container."""
        folder = self._folder / id
        for name in ("hostname", "resolv.conf", "termination-log"):
            (folder / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            folder.rmdir()

    def _words(self, container: Container) -> Path:
        return self._folder / container.id / "termination-log"


def _write(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Any user of a container may read it, whatever this process's umask is."""
    path.write_bytes(content)
    path.chmod(mode)


def shared_memory(container: Container, bundle: Path) -> tuple[str, str]:
    """The pod's /dev/shm, or the machine's, as `OwnFiles.mounted`."""
    options = container.sandbox.config.linux.security_context.namespace_options
    return "/dev/shm", "/dev/shm" if options.ipc == pb.NODE else str(bundle / "shm")
