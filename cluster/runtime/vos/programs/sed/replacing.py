"""What sed's `s` puts in place of a match, and how `l` shows what cannot be printed."""

from typing import Any, Final

from cluster.runtime.vos.programs.sed.commands import Wrong

_ESCAPES: Final = {b"n": b"\n", b"t": b"\t", b"r": b"\r"}


def replaced(template: bytes, found: Any) -> bytes:
    """What stands for a match: `&`, `\\1`, and `\\U \\L \\u \\l \\E`."""
    made = bytearray()
    case = once = b""
    at = 0
    while at < len(template):
        letter = template[at : at + 1]
        at += 1
        part = letter
        if letter == b"&":
            part = found.group()
        elif letter == b"\\" and at < len(template):
            letter = template[at : at + 1]
            at += 1
            if letter in (b"U", b"L", b"E"):
                case = b"" if letter == b"E" else letter
                continue
            if letter in (b"u", b"l"):
                once = letter
                continue
            part = _ESCAPES.get(letter, letter)
            if letter.isdigit():
                number = int(letter)
                if number > found.re.groups:
                    raise Wrong(f"invalid reference \\{number} on s command's RHS")
                part = found.group(number) or b""
        part = part.upper() if case == b"U" else part.lower() if case == b"L" else part
        if once and part:
            part = (part[:1].upper() if once == b"u" else part[:1].lower()) + part[1:]
            once = b""
        made += part
    return bytes(made)


def visible(data: bytes) -> bytes:
    """The text of `l`."""
    shown = data.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\t", b"\\t")
    return b"".join(bytes([one]) if 32 <= one < 127 else b"\\%03o" % one for one in shown)
