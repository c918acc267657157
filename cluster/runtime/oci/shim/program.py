"""crun or runc, by its command line."""

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from cluster.runtime.oci.shim.command import Commands, Failed
from cluster.runtime.oci.shim.reaper import Reaper

START_SECONDS: Final = 60.0
_OTHER_SECONDS: Final = 30.0
Stdio = tuple[int, int, int]


class Program:
    """Starts containers, and commands in them. `state` is where it keeps what it knows."""

    def __init__(
        self, path: str, state: Path, commands: Commands, reaper: Reaper, *, cgroups: bool
    ) -> None:
        self._commands = commands
        self._reaper = reaper
        self._state = state
        self._base = [path, "--root", str(state)]
        if not cgroups and Path(path).name == "crun":
            self._base.append("--cgroup-manager=disabled")

    async def run(self, id: str, bundle: Path, stdio: Stdio, console: str = "") -> int:
        """Make and start a container; the pid of its first process. Failed."""
        said = ["--bundle", str(bundle)]
        return await self._started("run", id, said, folder=bundle, stdio=stdio, console=console)

    async def exec(
        self, id: str, process: Mapping[str, Any], folder: Path, stdio: Stdio, console: str = ""
    ) -> int:
        """Start a process in a running container; its pid. `folder` is for its files. Failed."""
        description = folder / "process.json"
        description.write_text(json.dumps(process))
        said = ["--process", str(description)]
        return await self._started("exec", id, said, folder=folder, stdio=stdio, console=console)

    async def delete(self, id: str) -> None:
        """Forget a container; whatever of it still runs is killed. Failed."""
        if (self._state / id).exists():
            await self._commands.run([*self._base, "delete", "--force", id], _OTHER_SECONDS)

    async def update(self, id: str, resources: Mapping[str, Any], folder: Path) -> None:
        """Change what a container may use. Failed."""
        description = folder / "resources.json"
        description.write_text(json.dumps(resources))
        argv = [*self._base, "update", "--resources", str(description), id]
        await self._commands.run(argv, _OTHER_SECONDS)

    async def _started(
        self, verb: str, id: str, more: Sequence[str], *, folder: Path, stdio: Stdio, console: str
    ) -> int:
        log, pid_file = folder / "runtime.log", folder / "pid"
        for path in (log, pid_file):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
        argv = [
            *self._base, "--log", str(log), "--log-format", "json", verb, "--detach",
            "--pid-file", str(pid_file), *more,
            *(["--console-socket", console] if console else []), id,
        ]  # fmt: skip
        try:
            pid = self._reaper.spawn(
                argv, stdin=stdio[0], stdout=stdio[1], stderr=stdio[2], cwd="/",
                start_new_session=True, env={"PATH": os.environ.get("PATH", os.defpath)},
            )  # fmt: skip
        except OSError as error:
            raise Failed(f"{argv[0]}: {error.strerror}") from error
        if await self._commands.finish(pid, argv[0], START_SECONDS):
            raise Failed(_complaint(log) or f"{argv[0]} {verb} failed and did not say why")
        return int(pid_file.read_text())


def _complaint(log: Path) -> str:
    """The error that was logged last."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    for line in reversed(lines):
        with contextlib.suppress(ValueError):
            entry = json.loads(line)
            if isinstance(entry, dict) and entry.get("level", "error") in ("error", "fatal"):
                return str(entry.get("msg") or "")
    return lines[-1] if lines else ""
