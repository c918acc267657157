"""Answers that are no HTTP: from what aiohttp says of them to the words of Go's net/http, which are
those that containerd tells. Pure.
"""

import ast
import re
from typing import Final

_BROKEN: Final = "net/http: HTTP/1.x transport connection broken: "
_LINE: Final = re.compile(r"""\n\s*(b'.*'|b".*")\n""")
"""aiohttp shows the bytes that it could not read as Python would write them."""
_LONGEST: Final = 200


def words(message: str) -> str:
    """What Go would say where aiohttp says `message` of an answer."""
    found = _LINE.search(message)
    line = _bytes(found[1]) if found is not None else b""
    about = message.partition("\n")[0]
    if "status line" in about:
        return _BROKEN + _status(line)
    if "Content-Length" in about:
        return f"{_BROKEN}bad Content-Length {quoted(line.partition(b':')[2].strip())}"
    if "chunk" in about:
        return "invalid byte in chunk length"
    if "more than" in about:
        return "net/http: server response headers exceeded 8190 bytes; aborted"
    return f"{_BROKEN}malformed MIME header line: {_shown(line)}"


def _status(line: bytes) -> str:
    version, space, rest = line.partition(b" ")
    if not space:
        return f"malformed HTTP response {quoted(line)}"
    code = rest.strip().partition(b" ")[0]
    if not re.fullmatch(rb"\d{3}", code):
        return f"malformed HTTP status code {quoted(code)}"
    return f"malformed HTTP version {quoted(version)}"


def quoted(data: bytes) -> str:
    """As Go's %q has it: what cannot be printed as `\\x15`."""
    return f'"{_shown(data)}"'


def _shown(data: bytes) -> str:
    text = data[:_LONGEST].decode("utf-8", "backslashreplace")
    return "".join(
        f"\\x{ord(one):02x}" if ord(one) < 0x20 or ord(one) == 0x7F else one for one in text
    ).replace('"', '\\"')


def _bytes(literal: str) -> bytes:
    try:
        found = ast.literal_eval(literal)
    except (ValueError, SyntaxError):
        return b""
    return found if isinstance(found, bytes) else b""
