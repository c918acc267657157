"""Root file systems of containers, from unpacked layers that are kept by digest.

Overlayfs lays a container's own directory upon them; where the kernel has none for us,
fuse-overlayfs does; where neither, every container has a copy.
"""

import asyncio
import contextlib
import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from cluster.runtime.oci.shim import kernel
from cluster.runtime.oci.shim.command import Commands, Failed

_UNPACK_SECONDS: Final = 600.0
_COMMAND_SECONDS: Final = 30.0
_BEFORE: Final = "before.json"
_SHORT: Final = 20
"""Hexadecimal digits of a digest that name a layer: the options of a mount have to fit a page."""


class RootFileSystems:
    """Those under `folder`. `choose` before anything else."""

    def __init__(self, folder: Path, commands: Commands, *, user_namespace: bool) -> None:
        self._folder = folder
        self._layers = folder / "layers"
        self._commands = commands
        self._user = user_namespace
        self._locks: dict[str, asyncio.Lock] = {}
        self.kind = ""
        """`overlay`, `fuse-overlayfs` or `copy`."""

    async def choose(self) -> None:
        """Find out what this machine can."""
        self._layers.mkdir(parents=True, exist_ok=True)
        trial = self._folder / "trial"
        for kind in ("overlay", "fuse-overlayfs"):
            self.kind = kind
            lower = self._layers / ".trial"
            lower.mkdir(exist_ok=True)
            try:
                await self._lay(trial, [lower.name])
                self._unmount(trial / "rootfs")
            except (OSError, Failed):
                continue
            else:
                return
            finally:
                shutil.rmtree(trial, ignore_errors=True)
        self.kind = "copy"

    async def make(self, bundle: Path, layers: Sequence[dict[str, Any]]) -> Path:
        """The root of a container, in its bundle. Failed, OSError."""
        if self.kind == "copy":
            root = bundle / "rootfs"
            root.mkdir(parents=True)
            for layer in layers:
                await self._unpack(layer["path"], root, "apply")
            return root
        names = [await self._layer(one) for one in layers]
        return await self._lay(bundle, names)

    def remove(self, bundle: Path) -> None:
        """Forget the root of a container, with its bundle."""
        self._unmount(bundle / "rootfs")
        shutil.rmtree(bundle, ignore_errors=True)

    async def remember(self, bundle: Path) -> None:
        """Have `pack` know what a root is before anything runs in it. Failed."""
        if self.kind == "copy":  # else what is laid upon the layers tells
            await self._packing("look", bundle / "rootfs", bundle / _BEFORE)

    async def pack(self, bundle: Path, path: str, without: Sequence[str], epoch: int) -> None:
        """Write what was changed in a root since it was made, as a layer. Failed."""
        source = "rootfs" if self.kind == "copy" else "upper"
        before = [str(bundle / _BEFORE)] if self.kind == "copy" else []
        await self._packing(
            "pack", bundle / source, Path(path), json.dumps(list(without)), str(epoch), *before
        )

    async def _packing(self, how: str, *told: Path | str) -> None:
        argv = [sys.executable, "-m", f"{__package__}.pack", how, *map(str, told)]
        await self._commands.run(argv, _UNPACK_SECONDS)

    def forget(self, kept: Sequence[str]) -> None:
        """Remove layers but those of these digests."""
        names = {_name(one) for one in kept}
        for path in list(self._layers.iterdir()):
            if path.name not in names and not path.name.startswith("."):
                shutil.rmtree(path, ignore_errors=True)

    async def _lay(self, bundle: Path, names: Sequence[str]) -> Path:
        root = bundle / "rootfs"
        for path in (root, bundle / "upper", bundle / "work"):
            path.mkdir(parents=True, exist_ok=True)
        (bundle / "upper").chmod(0o755)
        lower = ":".join(reversed(names))
        options = f"lowerdir={lower},upperdir={bundle / 'upper'},workdir={bundle / 'work'}"
        if self.kind == "overlay":
            before = Path.cwd()
            os.chdir(self._layers)  # the names of layers are short then
            try:
                said = f"{options},userxattr" if self._user else options
                kernel.mount("overlay", str(root), "overlay", 0, said)
            finally:
                os.chdir(before)
        else:
            argv = ["fuse-overlayfs", "-o", options, str(root)]
            await self._commands.run(argv, _COMMAND_SECONDS, cwd=str(self._layers))
        return root

    async def _layer(self, layer: dict[str, Any]) -> str:
        """The name of an unpacked layer; it is there whole or not at all."""
        name = _name(layer["digest"])
        target = self._layers / name
        lock = self._locks.setdefault(name, asyncio.Lock())
        async with lock:
            if not target.exists():
                begun = self._layers / f".{name}"
                shutil.rmtree(begun, ignore_errors=True)
                begun.mkdir()
                how = "user" if self._user else "overlay"
                await self._unpack(layer["path"], begun, how)
                begun.rename(target)
        self._locks.pop(name, None)
        return name

    async def _unpack(self, path: str, target: Path, how: str) -> None:
        argv = [sys.executable, "-m", f"{__package__}.unpack", how, str(target)]
        with open(path, "rb") as source:  # noqa: PTH123, ASYNC230
            await self._commands.run(argv, _UNPACK_SECONDS, stdin=source.fileno())

    @staticmethod
    def _unmount(root: Path) -> None:
        with contextlib.suppress(OSError):
            kernel.unmount(str(root))


def _name(digest: str) -> str:
    return digest.partition(":")[2][:_SHORT]
