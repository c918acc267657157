"""Images that use what they are told to: the stress family."""

import asyncio
import math
import re
from collections.abc import Mapping, Sequence
from typing import Final

from cluster.api import durations, quantity
from cluster.api.curves import Curve
from cluster.runtime.emulated.image import Image, Load
from cluster.runtime.emulated.serving import server
from cluster.runtime.vos.kernel import Call

_CORE: Final = 1_000_000_000
_PAGE: Final = 4 << 20
_BASE: Final = 1 << 20
_UNITS: Final = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_TIMES: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "y": 31536000}
_FILL: Final = 2 << 30
"""Bytes that a worker fills in a second, about."""
_MOST: Final = 1 << 46

# ---- stress and stress-ng ------------------------------------------------------------------------

_LONG: Final = {
    "cpu": "c", "io": "i", "vm": "m", "hdd": "d", "timeout": "t", "verbose": "v", "quiet": "q",
    "backoff": "", "vm-bytes": "vm-bytes", "vm-hang": "vm-hang", "vm-stride": "", "hdd-bytes": "",
    "cpu-load": "cpu-load", "cpu-method": "", "vm-keep": "flag", "metrics-brief": "flag",
    "metrics": "flag", "dry-run": "n", "help": "?", "version": "V", "temp-path": "", "matrix": "c",
    "iomix": "i", "vm-method": "", "vm-populate": "flag", "times": "flag", "sched": "",
    "page-in": "flag", "no-rand-seed": "flag", "oomable": "flag",
}  # fmt: skip
_SHORT: Final = "cimdt"
_FLAGS: Final = "vqn?V"


class Wrong(Exception):
    """An option that is none; the message says which."""


def _options(argv: Sequence[str]) -> dict[str, str]:
    """The options of `stress` by letter or name. Wrong."""
    found: dict[str, str] = {}
    words = list(argv[1:])
    while words:
        word = words.pop(0)
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            if name not in _LONG:
                raise Wrong(f"unrecognized option: {word}")
            key = _LONG[name]
            flag = key == "flag" or (key and key in _FLAGS)
            found[key] = value if equals or flag else (words.pop(0) if words else "")
        elif word[:1] == "-" and word[1:2] and word[1] in _FLAGS:
            found[word[1]] = "1"
        elif word[:1] == "-" and word[1:2] and word[1] in _SHORT:
            found[word[1]] = word[2:] or (words.pop(0) if words else "")
        else:
            raise Wrong(f"unrecognized option: {word}")
    for key in "cimd":
        if not re.fullmatch(r"-?\d{1,6}", found.get(key, "0")):
            raise Wrong(f"invalid number: {found[key][:40]}")
    _amount(found.get("vm-bytes", "256M"), _UNITS)
    _amount(found.get("t", "0"), _TIMES)
    return found


def _amount(told: str, units: Mapping[str, int]) -> float:
    """`64M`, `10s`, `50%` (of 8 GiB: nobody knows the machine). Wrong."""
    if units is _UNITS and re.fullmatch(r"\d{1,3}%", told):
        return int(told[:-1]) * (8 << 30) / 100
    found = re.fullmatch(r"(\d{1,15}(?:\.\d{1,6})?)([a-zA-Z]?)", told)
    if found is None or found[2].lower() not in units:
        raise Wrong(f"invalid number: {told[:40]}")
    return min(float(found[1]) * units[found[2].lower()], _MOST)


def _workers(found: Mapping[str, str], key: str) -> int:
    """0 or less is a worker a core of the machine, for stress-ng."""
    count = int(found.get(key, "0"))
    return 4 if key in found and count <= 0 else count


def stress_load(argv: Sequence[str]) -> Load:
    """What `stress` and `stress-ng` use."""
    words = _own_words(argv)
    try:
        found = _options(words) if words else {}
    except Wrong:
        return Load()
    cpus, memories = _workers(found, "c"), _workers(found, "m")
    share = min(_amount(found.get("cpu-load", "100"), {"": 1}), 100) / 100
    hangs = found.get("vm-hang") is not None
    cores = cpus * share + (0 if hangs else memories) + _workers(found, "i") * 0.05
    if not cores and not memories:
        return Load()
    size = _amount(found.get("vm-bytes", "256M"), _UNITS)
    ng = "stress-ng" in words[0]
    # stress' bytes are a worker's, stress-ng's those of all workers together.
    held = (size if ng else size * memories) * bool(memories) + _BASE
    memory = Curve((0.0, max(held / _FILL, 0.1)), (_BASE, held)) if memories else None
    return Load(Curve((0.0,), (cores * _CORE,)) if cores else None, memory)


def _own_words(argv: Sequence[str]) -> list[str]:
    """A command line from the program on: entrypoints and `sh -c` are left out."""
    words = list(argv)
    if (
        len(words) > 2
        and words[1] in ("-c", "-ec")
        and words[0].rpartition("/")[2] in ("sh", "bash")
    ):
        words = words[2].replace("exec ", "", 1).split()
    while words and words[0].rpartition("/")[2] not in ("stress", "stress-ng"):
        words.pop(0)
    return words


async def stress(call: Call) -> int:
    """`stress [--cpu N] [--vm N --vm-bytes SIZE] [--timeout TIME]`; `stress-ng` likewise."""
    name = call.argv[0].rpartition("/")[2]
    pid = call.process.pid
    try:
        found = _options(call.argv)
    except Wrong as wrong:
        await call.io.stderr.write(f"{name}: FAIL: [{pid}] (244) {wrong}\n".encode())
        return 1
    if "V" in found or "?" in found or len(call.argv) == 1:
        await call.out(f"{name} 1.0.4 (emulated by kubemu)\nUsage: {name} [OPTION [ARG]] ...\n")
        return 0
    kinds = [
        (_workers(found, key), word)
        for key, word in (("c", "cpu"), ("i", "io"), ("m", "vm"), ("d", "hdd"))
    ]
    limit = _amount(found.get("t", "0"), _TIMES)
    if name == "stress-ng":
        hogs = ", ".join(f"{count} {word}" for count, word in kinds if count)
        end = f" {int(limit)} secs" if limit else " a 1 day, 0 secs"
        await call.io.stderr.write(
            f"stress-ng: info:  [{pid}] setting to a{end} run per stressor\n"
            f"stress-ng: info:  [{pid}] dispatching hogs: {hogs}\n".encode()
        )
    elif "q" not in found:
        hogs = ", ".join(f"{count} {word}" for count, word in kinds)
        await call.out(f"stress: info: [{pid}] dispatching hogs: {hogs}\n")
    if "n" in found:
        return 0
    if not limit:
        limit = 86400.0 if name == "stress-ng" else math.inf
    if math.isinf(limit):
        await asyncio.get_running_loop().create_future()
    await asyncio.sleep(limit)
    if name == "stress-ng":
        await call.io.stderr.write(
            f"stress-ng: info:  [{pid}] successful run completed in {limit:.2f} secs\n".encode()
        )
    elif "q" not in found:
        await call.out(f"stress: info: [{pid}] successful run completed in {int(limit)}s\n")
    return 0


# ---- vish/stress ---------------------------------------------------------------------------------


def _vish_options(argv: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    words = list(argv[1:])
    while words:
        word = words.pop(0)
        name, equals, value = word.lstrip("-").partition("=")
        if name not in (
            "cpus",
            "mem-total",
            "mem-alloc-size",
            "mem-alloc-sleep",
            "logtostderr",
            "v",
        ):
            raise Wrong(f"flag provided but not defined: {word[:60]}")
        flag = name == "logtostderr"
        found[name] = value if equals or flag else (words.pop(0) if words else "")
    try:
        for name in ("mem-total", "mem-alloc-size"):
            quantity.parse(found.get(name, "0"))
        durations.parse(found.get("mem-alloc-sleep", "1ms"))
    except ValueError as bad:
        raise Wrong(f"invalid value: {bad}") from bad
    if not re.fullmatch(r"\d{1,6}", found.get("cpus", "0")):
        raise Wrong(f'invalid value "{found["cpus"][:40]}" for flag -cpus')
    return found


def vish_load(argv: Sequence[str]) -> Load:
    """What `vish/stress` uses: memory comes a piece at a time."""
    try:
        found = _vish_options(argv)
        total = min(float(quantity.parse(found.get("mem-total", "0"))), _MOST)
        step = max(float(quantity.parse(found.get("mem-alloc-size", "4Ki"))), 1.0)
        pause = durations.parse(found.get("mem-alloc-sleep", "1ms"))
    except (Wrong, ValueError):
        return Load()
    cores = int(found.get("cpus", "0"))
    took = max(total / step * pause, total / _FILL, 0.1)
    memory = Curve((0.0, took), (_PAGE, total + _PAGE)) if total else None
    return Load(Curve((0.0,), (cores * _CORE,)) if cores else None, memory)


def _vish_right(argv: Sequence[str]) -> bool:
    try:
        _vish_options(argv)
    except Wrong:
        return False
    return True


@server(stop_code=2, when=_vish_right)
async def vish(call: Call) -> int:
    """`stress [-cpus N] [-mem-total SIZE -mem-alloc-size SIZE -mem-alloc-sleep TIME]`."""
    try:
        found = _vish_options(call.argv)
    except Wrong as wrong:
        await call.io.stderr.write(f"{wrong}\nUsage of /stress:\n".encode())
        return 2
    total, step = found.get("mem-total", "0"), found.get("mem-alloc-size", "4Ki")
    pause = found.get("mem-alloc-sleep", "1ms")
    await call.io.stderr.write(
        f'Allocating "{total}" memory, in "{step}" chunks, with a {pause} sleep between '
        f"allocations\nSpawning {found.get('cpus', '0')} threads to consume CPU\n"
        f'Allocated "{total}" memory\n'.encode()
    )
    await asyncio.get_running_loop().create_future()
    return 0


IMAGES: Final = (
    Image(
        names=("polinux/stress", "progrium/stress"), cmd=("stress",), uses=stress_load,
        programs={"stress": stress},
    ),
    Image(
        names=("alexeiled/stress-ng", "polinux/stress-ng", "colinianking/stress-ng",
               "lorel/docker-stress-ng"),
        entrypoint=("/stress-ng",), uses=stress_load, userland=False,
        programs={"/stress-ng": stress, "stress-ng": stress},
    ),
    Image(
        names=("vish/stress",), entrypoint=("/stress",), uses=vish_load, userland=False,
        programs={"/stress": vish},
    ),
)  # fmt: skip
