"""Programs that run or end others: watch, nice, setsid, pgrep, pkill, time, su."""

import asyncio
import dataclasses
import datetime
import signal as signals
from typing import Final

from cluster.runtime.vos.accounts import Accounts
from cluster.runtime.vos.credentials import Credentials
from cluster.runtime.vos.kernel import Call, Program
from cluster.runtime.vos.programs import options
from cluster.runtime.vos.programs.tools import finding, identity
from cluster.runtime.vos.shell.builtins import signal_number


def _seconds(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return max(found, 0.1) if found < 1e9 else None


async def watch(call: Call) -> int:
    """`watch [-n SECONDS] [-t] PROGRAM…`: for ever, or until it fails with -e."""
    words = list(call.argv[1:])
    pause, titled, ends = 2.0, True, False
    while words and words[0].startswith("-"):
        word = words.pop(0)
        if word.startswith("-n"):
            found = _seconds(word[2:] or (words.pop(0) if words else ""))
            if found is None:
                return await call.complain("invalid number")
            pause = found
        titled = titled and "t" not in word
        ends = ends or word == "-e"
    if not words:
        return await call.complain("usage: watch [-n SEC] [-t] PROG ARGS")
    while True:
        if titled:
            now = datetime.datetime.fromtimestamp(call.kernel.clock.now(), datetime.UTC)
            await call.out(f"\x1b[H\x1b[JEvery {pause:.1f}s: {' '.join(words)}  {now:%F %T}\n\n")
        code = await finding.run(call, ["sh", "-c", " ".join(words)])
        if ends and code:
            return code
        await asyncio.sleep(pause)


async def nice(call: Call) -> int:
    """`nice [-n N] PROGRAM…`, `setsid`, `time`: the program is run."""
    words = list(call.argv[1:])
    name = call.argv[0].rpartition("/")[2]
    while words and words[0].startswith("-"):
        word = words.pop(0)
        if word == "-n" and words:
            words.pop(0)
    if not words:
        await call.out("0\n" if name == "nice" else "")
        return 0
    began = call.kernel.clock.now()
    code = await finding.run(call, words)
    if name == "time":
        took = call.kernel.clock.now() - began
        shown = f"real\t{int(took // 60)}m {took % 60:.2f}s\nuser\t0m 0.00s\nsys\t0m 0.00s\n"
        await call.io.stderr.write(shown.encode())
    return code


async def renice(_call: Call) -> int:
    """`renice`: nothing is nicer here."""
    return 0


async def usleep(call: Call) -> int:
    """`usleep MICROSECONDS`."""
    text = call.argv[1] if len(call.argv) > 1 else ""
    if not text.isdigit() or len(text) > 15:
        return await call.complain(f"invalid number '{text[:40]}'")
    await asyncio.sleep(int(text) / 1e6)
    return 0


def _found(call: Call, name: str, *, whole: bool, line: bool) -> list[int]:
    made: list[int] = []
    for pid, argv, *_ in call.kernel.pids.rows():
        base = argv[0].partition(": ")[0].rpartition("/")[2]
        text = " ".join(argv) if line else base
        if pid != call.process.pid and (base == name if whole else name in text):
            made.append(pid)
    return made


async def pgrep(call: Call) -> int:
    """`pgrep [-f] [-x] [-l] NAME`, `pidof NAME`."""
    words = [word for word in call.argv[1:] if not word.startswith("-")]
    flags = "".join(word[1:] for word in call.argv[1:] if word.startswith("-"))
    of = call.argv[0].endswith("pidof")
    if not words:
        return await call.complain("no name given", 2)
    pids = _found(call, words[0], whole=of or "x" in flags, line="f" in flags)
    if pids:
        await call.out((" " if of else "\n").join(map(str, reversed(pids) if of else pids)) + "\n")
    return int(not pids)


async def pkill(call: Call) -> int:
    """`pkill [-SIGNAL] [-f] NAME`, `killall [-SIGNAL] NAME`."""
    number: int | None = int(signals.SIGTERM)
    name, line = "", False
    for word in call.argv[1:]:
        if word == "-f":
            line = True
        elif word in ("-x", "-q"):
            continue
        elif word.startswith("-"):
            number = signal_number(word[1:])
        else:
            name = word
    if number is None or not name:
        return await call.complain("no process name specified", 2)
    exact = call.argv[0].endswith("killall")
    pids = _found(call, name, whole=exact, line=line)
    for pid in pids:
        call.kernel.signal(pid, number)
    if not pids and exact:
        return await call.complain(f"{name}: no process killed")
    return int(not pids)


async def su(call: Call) -> int:
    """`su [-lm] [-s SHELL] [-c COMMAND] [USER [WORD…]]`: for root, who is asked no password."""
    try:
        found, names = options.split(call.argv, "lmp", "sc")
    except options.Unknown as unknown:
        return await call.complain(str(unknown))
    names = [name for name in names if name != "-"]
    process, wanted = call.process, names[0] if names else "root"
    user = Accounts(call.files).user(wanted)
    if user is None:
        return await call.complain(f"unknown user {wanted[:40]}")
    if not process.who.root:
        return await call.complain("must be suid to work properly")
    before = process.who
    groups = identity.member_of(call, user.name, user.gid)
    process.who = Credentials(user.uid, user.gid, groups, before.umask)
    env = {**call.env, "HOME": user.home}
    if user.uid:
        env |= {"USER": user.name, "LOGNAME": user.name}
    try:
        argv = ["sh", *(["-c", found["c"]] if "c" in found else []), *names[1:]]
        return await finding.run(dataclasses.replace(call, env=env), argv)
    finally:
        process.who = before


async def logger(call: Call) -> int:
    """`logger [-t TAG] WORD…`: there is no syslog, so nothing is kept; -s prints it."""
    words = list(call.argv[1:])
    tag = "root"
    shown = False
    while words and words[0].startswith("-"):
        word = words.pop(0)
        shown = shown or word == "-s"
        if word in ("-t", "-p") and words:
            value = words.pop(0)
            tag = value if word == "-t" else tag
    if shown:
        await call.io.stderr.write(f"{tag}: {' '.join(words)}\n".encode(errors="replace"))
    return 0


PROGRAMS: Final[dict[str, Program]] = {
    "watch": watch, "nice": nice, "setsid": nice, "time": nice, "renice": renice, "pidof": pgrep,
    "pgrep": pgrep, "pkill": pkill, "killall": pkill, "usleep": usleep, "su": su,
    "logger": logger,
}  # fmt: skip
