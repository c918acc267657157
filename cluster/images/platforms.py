"""Platforms: `os/architecture[/variant]`, as Go and `docker build --platform` name them."""

import platform as machine
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cluster.images.descriptors import Descriptor

_ARCHITECTURES: Final = {
    "x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64", "i686": "386",
    "i386": "386", "armv7l": "arm", "ppc64le": "ppc64le", "s390x": "s390x", "riscv64": "riscv64",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Platform:
    """What an image runs on."""

    os: str = "linux"
    architecture: str = "amd64"
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(filter(None, (self.os, self.architecture, self.variant)))

    def takes(self, found: Mapping[str, Any]) -> bool:
        """Whether what is for `found` runs here. arm64 and arm64/v8 are one."""
        if (found.get("os"), found.get("architecture")) != (self.os, self.architecture):
            return False
        theirs = found.get("variant") or ""
        return not self.variant or theirs in ("", self.variant)


def parse(text: str) -> Platform:
    """Read `linux/arm64`. ValueError."""
    parts = text.split("/")
    if not 2 <= len(parts) <= 3 or not all(parts):
        raise ValueError(f"{text!r} is no platform: it is written like linux/arm64")
    return Platform(parts[0], _ARCHITECTURES.get(parts[1], parts[1]), *parts[2:])


def here() -> Platform:
    """That of this machine; always Linux, which is what containers are."""
    return Platform("linux", _ARCHITECTURES.get(machine.machine().lower(), "amd64"))


def choose(manifests: Iterable[Descriptor], wanted: Platform) -> Descriptor | None:
    """The first manifest that is for the platform; one that names none, for want of better."""
    all_of_them = list(manifests)
    for one in all_of_them:
        if one.platform and wanted.takes(one.platform):
            return one
    return next((one for one in all_of_them if not one.platform), None)
