"""The shim's process: `python -m cluster.runtime.oci.shim SETTINGS`, the settings as JSON.

It writes what happens at its start to file descriptor `ready`: `map` where it wants to be mapped in
its user namespace (and waits for a line on standard input), `ready`, or why it cannot serve.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cluster.aio import clock, tasks
from cluster.runtime.oci import pause
from cluster.runtime.oci.shim import cgroups, kernel
from cluster.runtime.oci.shim.command import Commands
from cluster.runtime.oci.shim.containers import Containers
from cluster.runtime.oci.shim.program import Program
from cluster.runtime.oci.shim.reaper import Reaper
from cluster.runtime.oci.shim.rootfs import RootFileSystems
from cluster.runtime.oci.shim.serving import Serving

SOCKET: Final = "shim.sock"
LOCK: Final = "shim.lock"


@dataclass(frozen=True, slots=True)
class Settings:
    """What a shim is told. `folder` holds all that it has; `program` is crun's or runc's path."""

    folder: str
    program: str
    ready: int
    cgroup: str = ""
    """The cgroup that its containers' are in; "" where there are none."""
    rootless: bool = False
    hide_unified: bool = False
    """Whether its containers see cgroups of version 1 alone, where the machine has both."""
    orphan_seconds: float = 0.0
    """How long it waits for a runtime when there is none; 0: for ever."""


def main(settings: Settings) -> None:
    """Serve until told to end."""
    folder = Path(settings.folder)
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        _say(settings, f"another shim has {folder}")
        return
    try:
        _enter(settings)
    except OSError as error:
        _say(settings, f"namespaces cannot be made: {error}")
        return
    # Directories that crun or runc make for mounts are looked into by a container's users. What is
    # the shim's own is in a folder that is its user's alone.
    os.umask(0o022)
    asyncio.run(_serve(settings, folder))


def _enter(settings: Settings) -> None:
    """Have mounts of our own, and where we are not root, a user namespace where we are."""
    if settings.rootless:
        kernel.unshare(kernel.NEWUSER)
        _say(settings, "map")
        sys.stdin.readline()
        os.setgid(0)
        os.setuid(0)
    kernel.unshare(kernel.NEWNS)
    kernel.mount("none", "/", "", kernel.MS_REC | kernel.MS_SLAVE)
    if settings.hide_unified:
        kernel.unmount(str(cgroups.MOUNT / "unified"))
    kernel.become_subreaper()


async def _serve(settings: Settings, folder: Path) -> None:
    reaper = Reaper()
    reaper.start()
    commands = Commands(reaper)
    program = Program(
        settings.program, folder / "state", commands, reaper, cgroups=bool(settings.cgroup)
    )
    roots = RootFileSystems(folder, commands, user_namespace=settings.rootless)
    await roots.choose()
    _write_pause(folder / "pause")
    async with tasks.Group("shim") as group:
        now = clock.SystemClock().now
        containers = Containers(
            folder / "containers", program, reaper, roots, group=group, now=now,
            listener=lambda event: serving.tell(event),  # noqa: PLW0108  (it is not there yet)
        )  # fmt: skip
        about = {"roots": roots.kind, "shim": os.getpid()}
        serving = Serving(containers, program, reaper, roots, about)
        await containers.clear()  # what an earlier shim left
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, serving.leave.set)
        path = folder / SOCKET
        path.unlink(missing_ok=True)
        here = os.open(folder, os.O_PATH)  # the address of a socket has 107 bytes at most
        async with await asyncio.start_unix_server(
            serving.connected, f"/proc/self/fd/{here}/{SOCKET}"
        ):
            group.spawn(_orphaned(serving, settings.orphan_seconds), "orphaned")
            _say(settings, "ready")
            await serving.leave.wait()
            path.unlink(missing_ok=True)
            await containers.clear()
        group.cancel()
    if settings.cgroup:
        cgroups.remove(settings.cgroup)


async def _orphaned(serving: Serving, seconds: float) -> None:
    """Leave where no runtime is there for so long."""
    while seconds > 0:
        try:
            async with asyncio.timeout(seconds):
                await serving.watched.wait()
        except TimeoutError:
            serving.leave.set()
            return
        await serving.unwatched.wait()


def _write_pause(folder: Path) -> None:
    """The root of sandboxes: one program."""
    content = pause.program(os.uname().machine)
    if content is None:
        raise SystemExit(f"no program for sandboxes is known for {os.uname().machine}")
    for name in ("proc", "dev", "sys"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        (folder / "pause").unlink()
    (folder / "pause").write_bytes(content)
    (folder / "pause").chmod(0o755)


def _say(settings: Settings, text: str) -> None:
    with contextlib.suppress(OSError):
        os.write(settings.ready, f"{text}\n".encode())


if __name__ == "__main__":
    main(Settings(**json.loads(sys.argv[1])))
