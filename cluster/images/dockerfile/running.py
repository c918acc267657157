"""RUN: which command it is, and what it leaves.

The builder runs nothing by itself: `Run` is given to it by who can (the oci driver's processes).
"""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.images import faults, rootfs
from cluster.images.descriptors import Descriptor
from cluster.images.dockerfile import words
from cluster.images.dockerfile.stage import EMULATED, PATH, Stage
from cluster.images.dockerfile.syntax import Instruction
from cluster.images.store.layout import Store


@dataclass(frozen=True, slots=True)
class Command:
    """What is to be run, in an image of these layers."""

    layers: Sequence[Descriptor]
    argv: Sequence[str]
    environment: Mapping[str, str]
    directory: str
    user: str


Run = Callable[[Command, Path], Awaitable[int]]
"""Runs a command and writes a tar of all it changed to the path; its exit code. faults.Fault."""


def command(stage: Stage, one: Instruction) -> Command:
    """The command of a RUN. ValueError, faults.Fault."""
    for flag, _ in one.flags:
        raise faults.Fault(f"--{flag} of RUN is not built")
    base = (stage.inner.get("Labels") or {}).get(EMULATED)
    if base:
        raise faults.Fault(
            f"RUN is not built upon an emulated image: {base} has no files that a process could "
            "run. Begin with FROM scratch, or with an image of a registry (--pull)"
        )
    exact = words.array(one.rest)
    argv = exact or [*stage.shell, _script(one)]
    if not stage.layers:
        raise faults.Fault(f'exec: "{argv[0]}": the image has no files yet')
    # What ENV says wins over ARG.
    environment = {"PATH": PATH} | stage.arguments | stage.environment
    user = stage.inner.get("User") or ""
    return Command(list(stage.layers), argv, environment, stage.directory, user)


def _script(one: Instruction) -> str:
    """What the shell is given: the line, or a here-document that stands alone."""
    if not one.heredocs:
        return one.rest
    first = one.heredocs[0]
    alone = one.rest.startswith("<<") and len(one.rest.split()) == 1
    if alone and first.text.startswith("#!"):
        raise faults.Fault("a here-document of RUN that names its interpreter is not built")
    if alone:
        return first.text
    return "\n".join([one.rest, *(f"{each.text}{each.name}" for each in one.heredocs)])


def key(stage: Stage, found: Command, epoch: int) -> str:
    """What the layer of a command is known by: the image below and the command."""
    parts = (
        "run 1", epoch, stage.diff_ids, list(found.argv), dict(found.environment),
        found.directory, found.user,
    )  # fmt: skip
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def failure(found: Command, code: int) -> faults.Fault:
    """What is said of a command that failed, in docker's words."""
    return faults.Fault(f"The command '{' '.join(found.argv)}' returned a non-zero code: {code}")


def lay(stage: Stage, store: Store) -> None:
    """Let a stage know what is where after its last layer."""
    known = {path: (kind, 0) for path, kind in stage.kinds.items()}
    last = stage.layers[-1]
    with store.blobs.open(last.digest) as file, rootfs.tar(file, last.media_type) as archive:
        rootfs.lay(known, archive, 0)
    stage.kinds = {path: kind for path, (kind, _) in known.items()}
