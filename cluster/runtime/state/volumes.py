"""What is left in pods' volumes on a machine that comes back: memory forgets, and a new machine has
nothing in any emptyDir. The kubelet need not know: the directories themselves stay.
"""

import contextlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime import memoryvolumes
from cluster.runtime.state.recovery import Known


def clear(known: Known, *, memory: bool = False) -> None:
    """Empty the emptyDirs of the pods that ran; with `memory` only those of that medium."""
    for path in sorted(_found(known, memory=memory)):
        folder = Path(path)
        if folder.is_symlink() or not folder.is_dir():
            continue
        for entry in folder.iterdir():
            with contextlib.suppress(OSError):
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()


def _found(known: Known, *, memory: bool) -> set[str]:
    return {
        found
        for made, _ in known.containers.values()
        for found in _of(
            pb.PodSandboxConfig.FromString(known.sandboxes[made.sandbox].config).metadata.uid,
            pb.ContainerConfig.FromString(made.config),
            memory=memory,
        )
    }


def _of(uid: str, config: pb.ContainerConfig, *, memory: bool) -> Iterator[str]:
    """The directories of a container's emptyDirs. Those of its own pod alone: a mount may be of any
    path of the node.
    """
    mine = re.compile(rf"/.*/pods/{re.escape(uid)}/volumes/kubernetes\.io~empty-dir/[^/]+(?=/|$)")
    inside = memoryvolumes.of(config)
    for mount in config.mounts:
        found = mine.match(mount.host_path)
        if uid and found is not None and (not memory or found[0] in inside):
            yield found[0]
