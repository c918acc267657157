"""What this machine has for the oci driver, and what it lacks, each in a sentence.

`look` reads it; `Facts.problem` is pure.
"""

import os
import platform
import pwd
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cluster.runtime.oci import capabilities, pause
from cluster.runtime.oci.shim import cgroups

PROGRAMS: Final = ("crun", "runc")
_SIM: Final = "or run emulated containers with --driver sim"


@dataclass(frozen=True, slots=True)
class Facts:
    """A machine. `cgroups` is the version that can be written, 0 where none can."""

    system: str
    machine: str
    program: str
    uid: int = 0
    user_namespaces: bool = True
    cgroups: int = 0
    hybrid: bool = False
    """Whether it has both versions of cgroups mounted. crun cannot work with that: it is shown one
    of them, which takes root.
    """
    bounding: tuple[str, ...] = capabilities.ALL
    least_oom_score: int = -1000
    mapped: bool = True
    """Whether a user who is not root can have a range of users (newuidmap and /etc/subuid)."""

    @property
    def rootless(self) -> bool:
        """Whether containers are in a user namespace."""
        return self.uid != 0

    def problem(self, otherwise: str = _SIM) -> str:
        """Why nothing can be run here, and what to do, `otherwise` at last; "" where it can."""
        if self.system != "linux":
            return (
                f"The oci driver runs processes of Linux, and this is {self.system}: use a Linux "
                f"machine, {otherwise}."
            )
        if not self.program:
            return (
                "The oci driver needs crun or runc, and none is in PATH: install one (apt install "
                f"crun), {otherwise}."
            )
        if pause.program(self.machine) is None:
            return (
                f"The oci driver knows no program for sandboxes on {self.machine}: use x86_64 or "
                f"aarch64, {otherwise}."
            )
        if self.rootless and not self.user_namespaces:
            return (
                "The oci driver needs root or user namespaces, and this kernel lets users have "
                "none (user.max_user_namespaces, kernel.unprivileged_userns_clone or "
                "kernel.apparmor_restrict_unprivileged_userns): allow them, run it as root, "
                f"{otherwise}."
            )
        if self.rootless and self.hybrid and Path(self.program).name == "crun":
            return (
                "crun works for root alone where both versions of cgroups are mounted: install "
                f"runc, run it as root, {otherwise}."
            )
        return ""

    def warnings(self) -> list[str]:
        """What will be missing, though containers run."""
        found = []
        if not self.cgroups:
            found.append("cgroups cannot be written here: limits of CPU and memory are not kept")
        if self.rootless and not self.mapped:
            found.append(
                "newuidmap or a range in /etc/subuid is missing: containers have the user root "
                "alone (apt install uidmap)"
            )
        return found


def look(wanted: str = "") -> Facts:
    """This machine; `wanted` names the runtime program, where one is chosen."""
    uid = os.getuid()
    version = cgroups.version() if sys.platform == "linux" else 0
    hybrid = version == 1 and (cgroups.MOUNT / "unified").is_dir()
    return Facts(
        system=sys.platform,
        machine=platform.machine(),
        program=_program(wanted, last=hybrid and uid != 0),
        uid=uid,
        user_namespaces=_user_namespaces(),
        cgroups=version if _writable(version) else 0,
        hybrid=hybrid,
        bounding=_bounding() if uid == 0 else capabilities.ALL,
        least_oom_score=_least_oom_score(),
        mapped=uid == 0 or _mapped(),
    )


def _program(wanted: str, *, last: bool) -> str:
    """The path of the program; `last` is whether crun is to be the last choice."""
    names = (wanted,) if wanted else PROGRAMS[::-1] if last else PROGRAMS
    # What only an administrator runs may not be in a user's PATH, though he can run it.
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
    found = (shutil.which(name, path=path) for name in names)
    return next((one for one in found if one), "")


def _user_namespaces() -> bool:
    if _number("/proc/sys/user/max_user_namespaces", 1) == 0:
        return False
    if _number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 0) == 1:
        return False
    return _number("/proc/sys/kernel/unprivileged_userns_clone", 1) == 1


def _writable(version: int) -> bool:
    folder = cgroups.MOUNT if version == 2 else cgroups.MOUNT / "memory"
    return version > 0 and os.access(folder, os.W_OK)


def _bounding() -> tuple[str, ...]:
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("CapBnd:"):
                return capabilities.of_mask(int(line.split()[1], 16))
    except (OSError, ValueError):
        pass
    return capabilities.ALL


def _least_oom_score() -> int:
    """Only CAP_SYS_RESOURCE may go below what one has."""
    if os.getuid() == 0 and "CAP_SYS_RESOURCE" in _bounding():
        return -1000
    return _number("/proc/self/oom_score_adj", 0)


def _mapped() -> bool:
    if not shutil.which("newuidmap") or not shutil.which("newgidmap"):
        return False
    names = own_names()
    return all(subordinate(path, names) for path in ("/etc/subuid", "/etc/subgid"))


def own_names() -> set[str]:
    """What /etc/subuid may call the user who runs this."""
    uid = os.getuid()
    try:
        return {str(uid), pwd.getpwuid(uid).pw_name}
    except KeyError:
        return {str(uid)}


def subordinate(path: str, names: set[str]) -> tuple[int, int] | None:
    """The first range of ids that a user may map: its begin and its length."""
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        fields = line.split(":")
        if len(fields) == 3 and fields[0] in names and fields[1].isdecimal():
            return int(fields[1]), int(fields[2]) if fields[2].isdecimal() else 0
    return None


def _number(path: str, default: int) -> int:
    try:
        return int(Path(path).read_text())
    except (OSError, ValueError):
        return default
