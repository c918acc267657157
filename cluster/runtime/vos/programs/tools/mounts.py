"""`mount`, `df`, `mountpoint`: the container's root and what is mounted in it."""

from typing import Final

from cluster.runtime.vos import files
from cluster.runtime.vos.kernel import Call, Program
from cluster.runtime.vos.mounts import Mounted
from cluster.runtime.vos.nodes import Node
from cluster.runtime.vos.programs import options
from cluster.runtime.vos.programs.tools.figures import human

_KERNELS: Final = ("proc", "sysfs", "cgroup2")
"""Kinds without room, which `df` leaves out."""
_MAX_DEPTH: Final = 32


async def mount(call: Call) -> int:
    """`mount [-t KIND]`: what is mounted; mounting is for who is privileged."""
    try:
        found, names = options.split(call.argv, "arwvfin", "to")
    except options.Unknown as unknown:
        return await call.complain(str(unknown))
    if names:
        return await call.complain("permission denied (are you root?)")
    rows = [one for one in call.files.mounted() if found.get("t", one.kind) == one.kind]
    await call.out(
        "".join(f"{one.source} on {one.path} type {one.kind} ({one.options})\n" for one in rows)
    )
    return 0


async def umount(call: Call) -> int:
    """`umount FILE…`: is for who is privileged."""
    names = [word for word in call.argv[1:] if not word.startswith("-")]
    if not names:
        return await call.complain("missing operand")
    code = 0
    known = {one.path for one in call.files.mounted()}
    for name in names:
        why = "Operation not permitted" if call.path(name) in known else "Invalid argument"
        code = await call.complain(f"can't unmount {name}: {why}")
    return code


async def mountpoint(call: Call) -> int:
    """`mountpoint [-q] DIR`."""
    try:
        found, names = options.split(call.argv, "qdx")
    except options.Unknown as unknown:
        return await call.complain(str(unknown))
    if len(names) != 1:
        return await call.complain("usage: mountpoint [-q] DIR")
    try:
        path = call.files.true_path(call.path(names[0]))
    except OSError as error:
        return 1 if "q" in found else await call.complain(f"{names[0]}: {error.strerror}")
    there = any(one.path == path for one in call.files.mounted())
    if "q" not in found:
        await call.out(f"{names[0]} is {'' if there else 'not '}a mountpoint\n")
    return int(not there)


async def df(call: Call) -> int:
    """`df [-hkmPTa] [FILE…]`: the root, and what is mounted and has room."""
    try:
        found, names = options.split(call.argv, "hkmPTai", "t")
        rows = _chosen(call, names) if names else _all(call, found)
    except options.Unknown as unknown:
        return await call.complain(str(unknown))
    except OSError as error:
        return await call.complain(f"{error.filename}: can't find mount point")
    title = "Size" if "h" in found else "1M-blocks" if "m" in found else "1K-blocks"
    kind = f"{'Type':<11}" if "T" in found else ""
    lines = [f"{'Filesystem':<20} {kind}{title:>10} {'Used':>9} {'Available':>9} Use% Mounted on"]
    lines += [_line(call, one, found) for one in rows]
    await call.out("\n".join(lines) + "\n")
    return 0


def _all(call: Call, found: dict[str, str]) -> list[Mounted]:
    rows = [one for one in call.files.mounted() if "a" in found or one.kind not in _KERNELS]
    return [one for one in rows if found.get("t", one.kind) == one.kind]


def _chosen(call: Call, names: list[str]) -> list[Mounted]:
    """What each of these files is on."""
    rows = []
    for name in names:
        try:
            path = call.files.true_path(call.path(name))
        except OSError as error:
            raise OSError(error.errno, error.strerror, name) from None
        above = [one for one in call.files.mounted() if _holds(one.path, path)]
        rows.append(max(above, key=lambda one: len(one.path)))
    return rows


def _holds(folder: str, path: str) -> bool:
    return folder in ("/", path) or path.startswith(f"{folder}/")


def _line(call: Call, one: Mounted, found: dict[str, str]) -> str:
    facts = call.kernel.facts()
    used = 0
    if one.path == "/":
        used = call.files.used
    elif one.kind == "tmpfs":
        used = _weight(one.node)
    total = facts.disk
    if one.kind in _KERNELS:
        total = 0
    elif one.kind == "tmpfs":
        total = one.size or (facts.memory_limit or facts.memory // 2)
    amounts = [total // 1024, -(-used // 1024), max(total - used, 0) // 1024]
    scale = 1024 if "m" in found else 1
    shown = [human(size) if "h" in found else str(size // scale) for size in amounts]
    kind = f"{one.kind:<11}" if "T" in found else ""
    share = -(-used * 100 // total) if total else 0
    return (
        f"{one.source:<20} {kind}{shown[0]:>10} {shown[1]:>9} {shown[2]:>9} "
        f"{min(share, 100):>3}% {one.path}"
    )


def _weight(node: Node, depth: int = 0) -> int:
    """Bytes of all files below."""
    if isinstance(node, files.File):
        return node.size
    if not isinstance(node, files.Folder) or depth > _MAX_DEPTH:
        return 0
    return sum(_weight(node.entries[name], depth + 1) for name in sorted(node.entries))


PROGRAMS: Final[dict[str, Program]] = {
    "df": df, "mount": mount, "mountpoint": mountpoint, "umount": umount,
}  # fmt: skip
