"""Files that hold secrets or state: private from the moment they exist, and never half written."""

import os
from pathlib import Path
from typing import BinaryIO

from cluster.api import faults


class Unwritable(faults.Fault):
    """A file or folder cannot be written; the message is one sentence with a way out."""


def make_private(folder: Path) -> None:
    """Make a folder that only its owner can enter (0700), and so the parents that it lacks.
    Unwritable.
    """
    try:
        lacking = [one for one in folder.parents if not one.exists()]
        for one in (*reversed(lacking), folder):
            one.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Unwritable(
            f"{folder} is not writable for you; make it so, or set KUBEMU_HOME to a folder that is"
        )


def append_private(path: Path) -> BinaryIO:
    """A file to write at the end of, of mode 0600 from the moment it exists. OSError."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")


def write_private(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 in one step: readers see the old content or the new. Unwritable."""
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.unlink(missing_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        beside.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> Unwritable:
    return Unwritable(
        f"{path} cannot be written ({error.strerror}); "
        "set KUBEMU_HOME to a folder that you may write to"
    )
