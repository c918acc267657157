"""`busybox`: runs one of its applets, or tells which there are."""

from typing import Final

from cluster.runtime.vos.kernel import Call, Program

_VERSION: Final = "BusyBox v1.37.0 (emulated by kubemu) multi-call binary."
_NOT_ITS: Final = frozenset(
    ("apk", "apt", "apt-get", "bash", "busybox", "curl", "dash", "dnf", "gawk", "mawk",
     "yum")
)  # fmt: skip
"""Programs of the userland that busybox does not have."""
_WIDTH: Final = 75


def _applets(call: Call) -> list[str]:
    # Imported here: this module is one of those.
    from cluster.runtime.vos.programs import PROGRAMS

    return sorted(
        name for name in PROGRAMS if name not in _NOT_ITS and name in call.kernel.programs
    )


async def busybox(call: Call) -> int:
    """`busybox [APPLET [WORD…] | --list | --list-full]`."""
    words = list(call.argv[1:])
    if not words or words[0] == "--help":
        await call.out(_usage(_applets(call)))
        return 0
    if words[0] in ("--list", "--list-full"):
        folder = "bin/" if words[0] == "--list-full" else ""
        await call.out("".join(f"{folder}{name}\n" for name in _applets(call)))
        return 0
    if words[0] == "--install":
        return await call.complain("--install is not built: every applet is in /bin already")
    name = words[0].rpartition("/")[2]
    if name == "busybox":
        return await busybox(Call(words, call.process, call.io, call.env, call.cwd))
    if name not in _applets(call):
        await call.io.stderr.write(f"{name[:200]}: applet not found\n".encode(errors="replace"))
        return 127
    program = call.kernel.programs[name]
    return await program(Call(words, call.process, call.io, call.env, call.cwd))


def _usage(names: list[str]) -> str:
    lines = [_VERSION, "", "Usage: busybox [function [arguments]...]",
             "   or: busybox --list[-full]", "   or: function [arguments]...", "",
             "Currently defined functions:"]  # fmt: skip
    line = "\t"
    for name in names:
        if len(line) + len(name) > _WIDTH:
            lines.append(line.rstrip())
            line = "\t"
        line += f"{name}, "
    return "\n".join([*lines, line.rstrip(", ")]) + "\n"


PROGRAMS: Final[dict[str, Program]] = {"busybox": busybox}
