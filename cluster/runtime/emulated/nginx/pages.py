"""Pages that nginx makes by itself: errors, listings, its status; and those that its image has."""

import datetime
import html
from collections.abc import Sequence
from typing import Final, NamedTuple
from urllib.parse import quote

from cluster.runtime.emulated.web.messages import PHRASES

_OWN: Final = {
    302: "Moved Temporarily", 408: "Request Time-out", 413: "Request Entity Too Large",
    414: "Request-URI Too Large", 416: "Requested Range Not Satisfiable", 405: "Not Allowed",
    503: "Service Temporarily Unavailable", 504: "Gateway Time-out",
    494: "Request Header Or Cookie Too Large", 431: "Request Header Or Cookie Too Large",
}  # fmt: skip
GIF: Final = bytes.fromhex(
    "47494638396101000100800100000000ffffff21f90401000001002c00000000010001000002024c01003b"
)
"""One transparent pixel."""

WELCOME: Final = """<!DOCTYPE html>
<html>
<head>
<title>Welcome to nginx!</title>
<style>body { max-width: 40em; margin: 2em auto; font-family: sans-serif }</style>
</head>
<body>
<h1>Welcome to nginx!</h1>
<p>This page is served by the emulated nginx of a kubemu cluster. Mount files of your own at
<code>/usr/share/nginx/html</code>, or a configuration at <code>/etc/nginx/conf.d</code>.</p>
</body>
</html>
"""
TROUBLE: Final = """<!DOCTYPE html>
<html>
<head><title>Error</title></head>
<body>
<h1>An error occurred.</h1>
<p>What you asked for cannot be had right now. The server's error log says why.</p>
</body>
</html>
"""


class Entry(NamedTuple):
    """A line of a listing."""

    name: str
    folder: bool
    size: int
    mtime: float


def phrase(status: int) -> str:
    """The words of a status, as nginx has them."""
    return _OWN.get(status) or PHRASES.get(status, "")


def error(status: int, server: str) -> bytes:
    """The page of an error; b"" for a status that has none."""
    words = phrase(status)
    if status < 300 or not words:
        return b""
    title = f"{status} {words}" if status != 431 else f"400 {words}"
    return (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{title}</h1></center>\r\n<hr><center>{server}</center>\r\n"
        "</body>\r\n</html>\r\n"
    ).encode()


def listing(uri: str, entries: Sequence[Entry]) -> bytes:
    """What `autoindex on` shows: directories first, then files, by name."""
    title = html.escape(uri)
    lines = [
        f"<html>\r\n<head><title>Index of {title}</title></head>\r\n<body>\r\n"
        f'<h1>Index of {title}</h1><hr><pre><a href="../">../</a>\r\n'
    ]
    for one in sorted(entries, key=lambda one: (not one.folder, one.name)):
        shown = one.name + ("/" if one.folder else "")
        words = shown if len(shown) <= 50 else shown[:47] + "..>"
        gap = " " * (51 - len(words))
        when = datetime.datetime.fromtimestamp(one.mtime, datetime.UTC).strftime("%d-%b-%Y %H:%M")
        size = "-" if one.folder else str(one.size)
        lines.append(f'<a href="{quote(shown)}">{html.escape(words)}</a>{gap}{when}{size:>20}\r\n')
    lines.append("</pre><hr></body>\r\n</html>\r\n")
    return "".join(lines).encode("utf-8", "surrogateescape")


def status(active: int, accepted: int, requests: int) -> bytes:
    """What `stub_status` shows."""
    waiting = max(active - 1, 0)
    return (
        f"Active connections: {active} \nserver accepts handled requests\n"
        f" {accepted} {accepted} {requests} \nReading: 0 Writing: 1 Waiting: {waiting} \n"
    ).encode()
