"""Volumes of pods that are in memory: a tmpfs upon the volume's directory, in the shim's own mount
namespace, from the start of the pod's first container that has it to the pod's end.
"""

import contextlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, Final

from cluster.runtime.oci.shim import kernel
from cluster.runtime.oci.shim.command import Failed

_HERE: Final = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


class Memory:
    """The volumes in memory of all pods."""

    def __init__(self) -> None:
        self._of: dict[str, list[str]] = {}

    def lay(self, pod: str, volumes: Mapping[str, int]) -> None:
        """Have these directories in memory, with so many bytes each (0: half of the machine's);
        those that are already stay as they are. OSError.
        """
        known = self._of.setdefault(pod, [])
        for path, size in volumes.items():
            if path in known:
                continue
            about = os.stat(path)  # noqa: PTH116
            options = f"mode={stat.S_IMODE(about.st_mode):o},uid={about.st_uid},gid={about.st_gid}"
            options += f",size={size}" if size else ""
            kernel.mount("tmpfs", path, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, options)
            known.append(path)

    @contextlib.contextmanager
    def parts(
        self, pod: str, mounts: Sequence[dict[str, Any]], folder: Path
    ) -> Iterator[list[dict[str, Any]]]:
        """The mounts of a container, of which some are of parts of volumes in memory: those are
        made where nothing is, and no link of a container leads out of its volume. They are mounted
        in `folder` while the block lasts, which starts the container. Failed, OSError.
        """
        with contextlib.ExitStack() as stack:
            yield [
                stack.enter_context(self._part(pod, mount, folder / f"part-{number}"))
                for number, mount in enumerate(mounts)
            ]

    @contextlib.contextmanager
    def _part(self, pod: str, mount: dict[str, Any], place: Path) -> Iterator[dict[str, Any]]:
        source = PurePath(mount["source"])
        within = [one for one in self._of.get(pod, ()) if PurePath(one) in source.parents]
        if not within or mount["type"] != "bind":
            yield mount
            return
        descriptor = _opened(within[0], source)
        try:
            # A path could lead elsewhere by the time that it is mounted.
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                place.mkdir()
            else:
                place.touch()
            kernel.mount(f"/proc/self/fd/{descriptor}", str(place), "", kernel.MS_BIND)
        finally:
            os.close(descriptor)
        try:
            yield {**mount, "source": str(place)}
        finally:
            kernel.unmount(str(place))

    def clear(self, pod: str) -> None:
        """Let those of a pod go."""
        for path in self._of.pop(pod, ()):
            with contextlib.suppress(OSError):
                kernel.unmount(path)


@contextlib.contextmanager
def _no_umask() -> Iterator[None]:
    before = os.umask(0)
    try:
        yield
    finally:
        os.umask(before)


def _opened(volume: str, path: PurePath) -> int:
    """Part of a volume, step by step. Failed, OSError."""
    here = os.open(volume, _HERE)
    try:
        mode = stat.S_IMODE(os.fstat(here).st_mode)
        for name in path.relative_to(volume).parts:
            with contextlib.suppress(FileExistsError), _no_umask():
                os.mkdir(name, mode, dir_fd=here)
            inner = os.open(name, _HERE, dir_fd=here)
            os.close(here)
            here = inner
            if stat.S_ISLNK(os.fstat(here).st_mode):
                raise Failed(f"failed to prepare subPath {path}: {name} is a symbolic link")
    except BaseException:
        os.close(here)
        raise
    return here
