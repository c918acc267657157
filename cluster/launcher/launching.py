"""Starting the daemon, from the command line's side: see `daemon` for what is said."""

import contextlib
import os
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from cluster.api import faults
from cluster.launcher import daemon, files, state


class NotStarted(faults.Fault):
    """The supervisor did not come up; the message says why."""


class Launch:
    """A daemon on its way. Use it in `with`: leaving it before `go` sends the daemon away.

    `command` starts the program that calls `daemon.main`; the folder's path and the descriptor of
    its end of the socket pair follow as arguments. It holds the descriptors `kept` for as long as
    it lives.
    """

    def __init__(
        self, folder: state.Folder, command: Sequence[str], kept: Sequence[int] = ()
    ) -> None:
        self._folder = folder
        self._ours, theirs = socket.socketpair()
        files.make_private(folder.logs)
        with theirs, files.append_private(folder.log("supervisor")) as log:
            arguments = [*command, str(folder.path), str(theirs.fileno())]
            self._child = subprocess.Popen(
                arguments, pass_fds=[theirs.fileno(), *kept], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True, env=_environment(),
            )  # fmt: skip

    def go(self) -> None:
        """The plan is written: carry it out."""
        with contextlib.suppress(OSError):
            self._ours.sendall(daemon.GO)

    def wait_up(self, timeout: float) -> None:
        """Wait, blocking, until the control service listens. NotStarted."""
        self._ours.settimeout(timeout)
        try:
            answer = self._ours.recv(4096)
        except TimeoutError as error:
            raise NotStarted(
                f"the supervisor is not up after {timeout:g} s; its log is "
                f"{self._folder.log('supervisor')}"
            ) from error
        except OSError:
            answer = b""
        if answer == daemon.UP:
            # It is nobody's child any more: it outlives us.
            self._child.returncode = 0
            return
        if answer.startswith(daemon.ERROR):
            raise NotStarted(answer.removeprefix(daemon.ERROR).decode().strip())
        log = self._folder.log("supervisor")
        raise NotStarted(f"the supervisor ended at once; its log, {log}, ends with: {_last(log)}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._ours.close()


def _environment() -> dict[str, str]:
    """Ours, without what sets flags of components: the plan alone says how they run."""
    return {key: value for key, value in os.environ.items() if not key.startswith("KUBEMU_")}


def _last(log: Path) -> str:
    """The last line of a log."""
    with contextlib.suppress(OSError, IndexError):
        return log.read_text(errors="replace").strip().splitlines()[-1]
    return "nothing"
