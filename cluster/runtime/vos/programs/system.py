"""Programs about the machine and its processes: sleep, env, date, ps, kill, uname and so on."""

import asyncio
import datetime
import math
import signal as signals
from collections.abc import Sequence
from typing import Final

from cluster.runtime.vos import accounts
from cluster.runtime.vos.kernel import Call, Program, decoded
from cluster.runtime.vos.programs import options, times
from cluster.runtime.vos.shell.builtins import signal_number

_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_RELEASE: Final = "6.1.0-kubemu"
_LONGEST: Final = 1e9


def seconds(text: str) -> float | None:
    """How long `sleep TEXT` lasts; None for what is no time."""
    if text in ("infinity", "inf"):
        return math.inf
    unit = 1.0
    if text and text[-1] in _UNITS:
        unit, text = _UNITS[text[-1]], text[:-1]
    try:
        found = float(text) * unit
    except ValueError:
        return None
    return found if found >= 0 else None


async def sleep(call: Call) -> int:
    """`sleep TIME…`."""
    total = 0.0
    for text in call.argv[1:]:
        found = seconds(text)
        if found is None:
            return await call.complain(f"invalid number '{text[:40]}'")
        total += found
    if len(call.argv) == 1:
        return await call.complain("missing operand")
    if math.isinf(total):
        await asyncio.get_running_loop().create_future()
    await asyncio.sleep(min(total, _LONGEST))
    return 0


async def env(call: Call) -> int:
    """`env [NAME=VALUE…] [PROGRAM…]`, `printenv [NAME…]`."""
    words = list(call.argv[1:])
    if call.argv[0].endswith("printenv") and words:
        found = [call.env.get(word) for word in words]
        await call.out("".join(f"{value}\n" for value in found if value is not None))
        return int(None in found)
    values = dict(call.env)
    while words and (words[0] in ("-i", "-", "-u") or "=" in words[0]):
        word = words.pop(0)
        if word in ("-i", "-"):
            values = {}
        elif word == "-u":
            values.pop(words.pop(0) if words else "", None)
        else:
            name, _, value = word.partition("=")
            values[name] = value
    if words:
        return await _run(call, words, values)
    await call.out("".join(f"{name}={value}\n" for name, value in values.items()))
    return 0


async def _run(call: Call, words: Sequence[str], values: dict[str, str]) -> int:
    program = call.kernel.find(words[0])
    if program is None:
        return await call.complain(f"can't execute '{words[0]}': No such file or directory", 127)
    return await program(Call(words, call.process, call.io, values, call.cwd))


async def timeout(call: Call) -> int:
    """`timeout SECONDS PROGRAM…`: 143 where it took longer, as busybox has it."""
    limit = seconds(call.argv[1]) if len(call.argv) > 2 else None
    if limit is None:
        return await call.complain("usage: timeout SECONDS PROGRAM...")
    try:
        async with asyncio.timeout(limit):
            return await _run(call, call.argv[2:], dict(call.env))
    except TimeoutError:
        return 143


async def nohup(call: Call) -> int:
    """`nohup PROGRAM…`."""
    return await _run(call, call.argv[1:], dict(call.env)) if len(call.argv) > 1 else 125


async def hostname(call: Call) -> int:
    """`hostname [-fsdi]`: the long name is that of /etc/hosts, as resolvers find it."""
    try:
        found, names = options.split(call.argv, "fsdiAI")
    except options.Unknown as unknown:
        return await call.complain(str(unknown))
    name = call.kernel.hostname
    if names:
        return await call.complain("sethostname: Operation not permitted")
    if "i" in found or "I" in found:
        name = " ".join(call.kernel.addresses)
    elif "f" in found or "A" in found:
        name = _canonical(call)
    elif "d" in found:
        name = _canonical(call).partition(".")[2]
    elif "s" in found:
        name = name.partition(".")[0]
    await call.out(name + "\n")
    return 0


def _canonical(call: Call) -> str:
    """The first name of the first line of /etc/hosts that has the host's name."""
    name = call.kernel.hostname
    try:
        lines = decoded(call.files.read("/etc/hosts")).splitlines()
    except OSError:
        return name
    rows = (line.partition("#")[0].split()[1:] for line in lines)
    return next((row[0] for row in rows if name in row), name)


async def date(call: Call) -> int:
    """`date [-u] [-d TIME] [-I[seconds]] [-R] [+FORMAT]`."""
    at = call.kernel.clock.now()
    form = "%a %b %e %H:%M:%S UTC %Y"
    words = list(call.argv[1:])
    while words:
        word = words.pop(0)
        if word.startswith("+"):
            form = word[1:1000]
        elif word in _FORMS:
            form = _FORMS[word]
        elif word.startswith("--date=") or (word in ("-d", "--date", "-r") and words):
            text = word.partition("=")[2] if "=" in word else words.pop(0)
            found = _mtime(call, text) if word == "-r" else times.parse(text, at)
            if found is None:
                return await call.complain(f"invalid date '{text[:40]}'")
            at = found
        elif word not in ("-u", "--utc"):
            return await call.complain(f"invalid date '{word[:40]}'")
    moment = datetime.datetime.fromtimestamp(at, datetime.UTC)
    whole, nanos = f"{at:.9f}".split(".")
    form = form.replace("%s", whole).replace("%N", nanos).replace("%3N", nanos[:3])
    await call.out(moment.strftime(form) + "\n")
    return 0


_FORMS: Final = {
    "-Iseconds": "%Y-%m-%dT%H:%M:%S+00:00", "-Is": "%Y-%m-%dT%H:%M:%S+00:00", "-I": "%Y-%m-%d",
    "-R": "%a, %d %b %Y %H:%M:%S +0000", "--iso-8601=seconds": "%Y-%m-%dT%H:%M:%S+00:00",
    "--iso-8601": "%Y-%m-%d", "--rfc-3339=seconds": "%Y-%m-%d %H:%M:%S+00:00",
}  # fmt: skip


def _mtime(call: Call, name: str) -> float | None:
    try:
        return call.files.find(call.path(name)).mtime
    except OSError:
        return None


async def uname(call: Call) -> int:
    """`uname [-asnrm]`."""
    release = _release(call)
    parts = {"s": "Linux", "n": call.kernel.hostname, "r": release, "v": "#1 SMP", "m": "x86_64"}
    flags = "".join(word[1:] for word in call.argv[1:] if word.startswith("-")) or "s"
    chosen = parts if "a" in flags else {key: parts[key] for key in parts if key in flags}
    await call.out(" ".join(chosen.values()) + (" GNU/Linux\n" if "a" in flags else "\n"))
    return 0


def _release(call: Call) -> str:
    """The kernel's, which depends on the machine that the container is on."""
    try:
        return call.kernel.files.read("/proc/sys/kernel/osrelease").decode().strip()
    except (OSError, ValueError):
        return _RELEASE


async def ps(call: Call) -> int:
    """`ps`: every process of the container."""
    names = accounts.Accounts(call.files)
    await call.out("PID   USER     TIME  COMMAND\n")
    for row in call.kernel.pids.rows():
        pid = row.pid
        shown = call.argv if pid == call.process.pid and pid != 1 else row.argv
        user = (names.user_name(row.uid) or str(row.uid))[:8]
        await call.out(f"{pid:5d} {user:<8}  0:00 {' '.join(shown)[:200]}\n")
    return 0


async def kill(call: Call) -> int:
    """`kill [-SIGNAL] PID…`."""
    words = list(call.argv[1:])
    number: int | None = int(signals.SIGTERM)
    if words and words[0].startswith("-"):
        number = signal_number(words.pop(0)[1:])
    if number is None or not words:
        return await call.complain("you need to specify whom to kill")
    code = 0
    for word in words:
        if not word.isdigit() or len(word) > 9 or not call.kernel.signal(int(word), number):
            code = await call.complain(f"can't kill pid {word[:40]}: No such process")
    return code


async def which(call: Call) -> int:
    """`which PROGRAM…`."""
    code = 0
    for name in call.argv[1:]:
        if call.kernel.find(name) is None:
            code = 1
        else:
            await call.out((name if "/" in name else f"/bin/{name}") + "\n")
    return code


async def pwd(call: Call) -> int:
    """`pwd [-L | -P]`: the directory's true path, or with `-L` the way that was gone."""
    place = call.cwd
    if call.argv[1:2] != ["-L"] and call.files.exists(place):
        place = call.files.true_path(place)
    await call.out(place + "\n")
    return 0


async def stty(call: Call) -> int:
    """`stty size`."""
    tty = call.process.tty
    if tty is None:
        return await call.complain("standard input: Not a tty")
    if list(call.argv[1:]) == ["size"]:
        await call.out(f"{tty.height} {tty.width}\n")
        return 0
    return await call.complain("only stty size is built")


async def tty(call: Call) -> int:
    """`tty`."""
    if call.process.tty is None:
        await call.out("not a tty\n")
        return 1
    await call.out("/dev/pts/0\n")
    return 0


async def clear(call: Call) -> int:
    """`clear`."""
    await call.out("\x1b[H\x1b[J")
    return 0


async def uptime(call: Call) -> int:
    """`uptime [-s]`: the time of day, how long the machine has run, its load."""
    # Imported here: little else asks for the machine.
    from cluster.runtime.vos.proc import system

    now, up = call.kernel.clock.now(), int(system.seconds_up(call.kernel))
    if "-s" in call.argv[1:]:
        since = datetime.datetime.fromtimestamp(now - up, datetime.UTC)
        await call.out(f"{since:%Y-%m-%d %H:%M:%S}\n")
        return 0
    days, hours, minutes = up // 86_400, up // 3600 % 24, up // 60 % 60
    told = f"{days} day{'' if days == 1 else 's'}, " if days else ""
    told += f"{hours:2d}:{minutes:02d}" if hours else f"{minutes} min"
    moment = datetime.datetime.fromtimestamp(now, datetime.UTC)
    await call.out(f" {moment:%H:%M:%S} up {told},  0 users,  load average: 0.00, 0.00, 0.00\n")
    return 0


PROGRAMS: Final[dict[str, Program]] = {
    "clear": clear, "date": date, "env": env, "hostname": hostname, "kill": kill,
    "nohup": nohup, "printenv": env, "ps": ps, "pwd": pwd, "sleep": sleep, "stty": stty,
    "timeout": timeout, "tty": tty, "uname": uname, "uptime": uptime, "which": which,
}  # fmt: skip
