"""What a machine has and uses: du, free, top, nproc, vmstat."""

import asyncio
import re
from typing import Final

from cluster.runtime.vos import files
from cluster.runtime.vos.kernel import Call, Program
from cluster.runtime.vos.programs import options


def human(kib: int) -> str:
    """KiB as `-h` shows them."""
    size = float(kib * 1024)
    for unit in ("", "K", "M", "G"):
        if size < 1024:
            return f"{size:.1f}{unit}" if unit and size < 10 else f"{round(size)}{unit}"
        size /= 1024
    return f"{size:.1f}T"


def _memory(call: Call) -> tuple[int, int]:
    """KiB of the machine, and how many of them are used."""
    facts = call.kernel.facts()
    return facts.memory // 1024, facts.used // 1024


async def nproc(call: Call) -> int:
    """`nproc`."""
    await call.out(f"{call.kernel.facts().cores}\n")
    return 0


async def arch(call: Call) -> int:
    """`arch`."""
    await call.out("x86_64\n")
    return 0


async def free(call: Call) -> int:
    """`free [-bkmgh]`."""
    flags = "".join(word[1:] for word in call.argv[1:])
    divide = 1024 if "m" in flags else 1 << 20 if "g" in flags else 1
    titles = ("total", "used", "free", "shared", "buff/cache", "available")
    head = " " * 14 + "".join(f"{one:>12}" for one in titles) + "\n"
    total, used = _memory(call)
    amounts = (total, used, total - 2 * used, 0, used, total - used)
    if "h" in flags:
        shown = [human(one) for one in amounts]
    else:
        shown = [str(one * 1024 if "b" in flags else one // divide) for one in amounts]
    await call.out(head + "Mem:" + f"{'':10}" + "".join(f"{one:>12}" for one in shown) + "\n")
    await call.out("Swap:" + f"{'':9}" + "".join(f"{'0':>12}" for _ in range(3)) + "\n")
    return 0


async def du(call: Call) -> int:
    """`du [-shamk] [FILE…]`."""
    try:
        found, names = options.split(call.argv, "shamkc", "d")
    except options.Unknown as unknown:
        return await call.complain(str(unknown))
    code = total = 0
    for name in names or ["."]:
        try:
            total += await _weigh(call, name, found, 0)
        except OSError as error:
            code = await call.complain(f"{name}: {error.strerror}")
    if "c" in found:
        await call.out(f"{_shown(total, found)}\ttotal\n")
    return code


def _shown(kib: int, found: dict[str, str]) -> str:
    if "h" in found:
        return human(kib)
    return str(-(-kib // 1024) if "m" in found else kib)


async def _weigh(call: Call, name: str, found: dict[str, str], depth: int) -> int:
    await call.kernel.step()
    path = call.path(name)
    node = call.files.find(path, follow=False)
    size = -(-node.size // 4096) * 4 if isinstance(node, files.File) else 4
    folder = isinstance(node, files.Folder)
    if folder and depth < 64:
        for one in call.files.names(path):
            try:
                size += await _weigh(call, f"{name.rstrip('/')}/{one}", found, depth + 1)
            except OSError:
                continue
    most = 0 if "s" in found else int(found["d"]) if found.get("d", "x").isdigit() else 1 << 30
    if not depth or (depth <= most and (folder or "a" in found)):
        await call.out(f"{_shown(size, found)}\t{name}\n")
    return size


async def top(call: Call) -> int:
    """`top [-b] [-n ROUNDS] [-d SECONDS]`."""
    words = " ".join(call.argv[1:])
    found = re.search(r"n\s*(\d{1,6})", words)
    pause = re.search(r"d\s*(\d{1,5})", words)
    rounds = int(found[1]) if found else 1 << 30
    tty = call.process.tty is not None and "b" not in words
    while rounds:
        rounds -= 1
        await call.out(("\x1b[H\x1b[J" if tty else "") + _picture(call))
        if rounds:
            await asyncio.sleep(float(pause[1]) if pause else 5.0)
    return 0


def _picture(call: Call) -> str:
    kernel = call.kernel
    total, used = _memory(call)
    rows = {row.pid: row.argv for row in kernel.pids.rows()}
    lines = [
        f"Mem: {used}K used, {total - used}K free, 0K shrd, 0K buff, {used}K cached",
        "CPU:   0% usr   0% sys   0% nic 100% idle   0% io   0% irq   0% sirq",
        f"Load average: 0.00 0.00 0.00 1/{len(rows)} {max(rows, default=1)}",
        "  PID  PPID USER     STAT   VSZ %VSZ CPU %CPU COMMAND",
    ]
    for pid, argv in sorted(rows.items()):
        state = "R" if pid == call.process.pid else "S"
        lines.append(
            f"{pid:5d} {0 if pid == 1 else 1:5d} root     {state}     1600   0%   0   0% "
            f"{' '.join(argv)[:120]}"
        )
    return "\n".join(lines) + "\n"


async def vmstat(call: Call) -> int:
    """`vmstat`."""
    total, used = _memory(call)
    await call.out(
        "procs -----------memory---------- ---swap-- -----io---- -system-- ----cpu----\n"
        " r  b   swpd   free   buff  cache   si   so    bi    bo   in   cs us sy id wa\n"
        f" 0  0      0 {total - 2 * used}      0 {used}    0    0     0     0    0    0"
        "  0  0 100  0\n"
    )
    return 0


PROGRAMS: Final[dict[str, Program]] = {
    "du": du, "free": free, "top": top, "nproc": nproc, "arch": arch, "vmstat": vmstat,
}  # fmt: skip
