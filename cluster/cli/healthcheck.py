"""`kubemu healthcheck`: asks a component how it is, for whoever has containers looked after.

It runs every few seconds in each container, so it imports next to nothing: `__main__` comes here
before click. As a kubelet's probes do, it looks at no certificate: it asks its own host.
"""

import socket
import ssl
import sys
from typing import Final
from urllib.parse import urlsplit

SECONDS: Final = 5.0
"""How long an answer may take."""
_PORTS: Final = {"http": 80, "https": 443}
_MOST: Final = 4096


def main(arguments: list[str]) -> int:
    """The exit code: 0 where all is well, 1 where not, which one line then says."""
    try:
        problem = look(arguments[0])
    except (OSError, ValueError) as error:
        problem = str(error)
    if problem:
        print(problem, file=sys.stderr)
    return 1 if problem else 0


def look(target: str) -> str:
    """What is wrong with `target`; "" for nothing. OSError, ValueError.

    An `http://` or `https://` URL has to answer with a status of 200 to 399, as a probe of a pod
    would have it; `unix:/path` and `tcp://host:port` have to take a connection.
    """
    if target.startswith("unix:"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(SECONDS)
            connection.connect(target.removeprefix("unix:"))
        return ""
    url = urlsplit(target)
    port = url.port or _PORTS.get(url.scheme)
    if url.scheme not in ("http", "https", "tcp") or not url.hostname or not port:
        raise ValueError(f"{target!r} is none of http://, https://, tcp://host:port, unix:/path")
    with socket.create_connection((url.hostname, port), SECONDS) as connection:
        if url.scheme == "tcp":
            return ""
        if url.scheme == "https":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            connection = context.wrap_socket(connection)  # noqa: PLW2901
        return _asked(connection, url.netloc, url.path or "/", url.query)


def _asked(connection: socket.socket, host: str, path: str, query: str) -> str:
    where = f"{path}?{query}" if query else path
    connection.sendall(f"GET {where} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode("ascii"))
    answer = b""
    while len(answer) < _MOST and (more := connection.recv(_MOST)):
        answer += more
    status, _, rest = answer.partition(b"\r\n")
    words = status.split(b" ", 2)
    if len(words) < 2 or not words[1].isdigit():
        return f"no HTTP: {status[:80]!r}"
    if 200 <= int(words[1]) < 400:
        return ""
    body = rest.partition(b"\r\n\r\n")[2].decode(errors="replace").strip()
    return f"{status.decode(errors='replace')}: {body}"
