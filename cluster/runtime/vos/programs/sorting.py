"""The order of `sort`: keys, numbers, sizes, versions. Pure."""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from cluster.runtime.vos.programs import options

_NUMBER: Final = re.compile(rb"\s*(-?\d{0,60}(?:\.\d{0,60})?)")
_SIZES: Final = {b"K": 1, b"M": 2, b"G": 3, b"T": 4, b"P": 5}
_MONTHS: Final = (b"JAN", b"FEB", b"MAR", b"APR", b"MAY", b"JUN", b"JUL", b"AUG", b"SEP", b"OCT",
                  b"NOV", b"DEC")  # fmt: skip
_KEY: Final = re.compile(r"(\d+)(?:\.(\d+))?([a-zA-Z]*)(?:,(\d+)(?:\.\d+)?([a-zA-Z]*))?")


def ordered(lines: list[bytes], found: dict[str, str], keys: Sequence[str]) -> list[bytes]:
    """Lines as `sort` with these options has them. options.Unknown."""
    separator = found["t"].encode() if "t" in found else None
    made = list(lines)
    everywhere = "".join(found)
    if "s" not in found and "u" not in found:
        made.sort(reverse="r" in found)
    for key in reversed(keys):
        place, letters = _field(key, separator)
        kind = letters if set(letters) & set("nhVMgrf") else everywhere
        made.sort(key=_compared(place, kind), reverse="r" in kind)
    if not keys:
        made.sort(key=_compared(lambda line: line, everywhere), reverse="r" in found)
    if "u" not in found:
        return made
    seen: dict[Any, bytes] = {}
    for line in made:
        parts = [_compared(*_with(key, separator, everywhere))(line) for key in keys]
        seen.setdefault(tuple(parts) or _compared(lambda one: one, everywhere)(line), line)
    return list(seen.values())


def _with(
    key: str, separator: bytes | None, everywhere: str
) -> tuple[Callable[[bytes], bytes], str]:
    place, letters = _field(key, separator)
    return place, letters or everywhere


def _field(key: str, separator: bytes | None) -> tuple[Callable[[bytes], bytes], str]:
    """What a key takes of a line, and its letters."""
    found = _KEY.fullmatch(key)
    if found is None or len(key) > 40 or found[1] == "0":
        raise options.Unknown(f"invalid number at field start: invalid count at start of '{key}'")
    first, last = int(found[1]), int(found[4]) if found[4] else 1 << 30
    letters = (found[3] or "") + (found[5] or "")
    offset = int(found[2]) - 1 if found[2] else 0

    def taken(line: bytes) -> bytes:
        fields = line.split(separator)[first - 1 : last]
        return (separator or b" ").join(fields)[max(offset, 0) :]

    return taken, letters


def _compared(place: Callable[[bytes], bytes], letters: str) -> Callable[[bytes], Any]:
    if "h" in letters:
        return lambda line: _size(place(line))
    if "n" in letters or "g" in letters:
        return lambda line: _number(place(line))
    if "V" in letters:
        return lambda line: [
            (1, int(part), b"") if part.isdigit() else (0, 0, part)
            for part in re.split(rb"(\d{1,30})", place(line))
        ]
    if "M" in letters:
        return lambda line: _month(place(line))
    if "f" in letters:
        return lambda line: place(line).upper()
    return place


def _month(text: bytes) -> int:
    name = text.strip()[:3].upper()
    return _MONTHS.index(name) if name in _MONTHS else -1


def _number(text: bytes) -> float:
    found = _NUMBER.match(text)
    try:
        return float(found[1]) if found else 0.0
    except ValueError:
        return 0.0


def _size(text: bytes) -> tuple[int, float]:
    number = _number(text)
    found = _NUMBER.match(text)
    unit = text[found.end() : found.end() + 1].upper() if found else b""
    power = _SIZES.get(unit, 0) if number else 0
    return (-power if number < 0 else power, number)
