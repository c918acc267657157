"""What curl sends: the body, and the headers of a request, as its options say."""

import base64
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, quote, urlsplit

from cluster.runtime.vos import streams
from cluster.runtime.vos.kernel import Call
from cluster.runtime.vos.programs.network import reaching
from cluster.runtime.vos.programs.network.curl.options import VERSION, Options, Refused

PORTS: Final = {"http": 80, "https": 443, "telnet": 23}
_SAFE: Final = "".join(map(chr, range(0x21, 0x7F)))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request goes."""

    url: str
    parts: SplitResult
    host: str
    port: int

    @property
    def shown(self) -> str:
        """As the Host header names it: without the scheme's own port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.parts.scheme] else f"{host}:{self.port}"

    @property
    def target(self) -> str:
        """What is asked for: path and query."""
        path = quote(self.parts.path or "/", _SAFE, errors="surrogateescape")
        query = quote(self.parts.query, _SAFE, errors="surrogateescape")
        return path + (f"?{query}" if query else "")


def place(url: str) -> Place:
    """Read a URL as curl does. Refused."""
    text = url if "://" in url else f"http://{url}"
    scheme = text.partition("://")[0].lower()
    if scheme not in PORTS:
        raise Refused(1, f'(1) Protocol "{scheme[:40]}" not supported')
    if any(ord(letter) <= 32 for letter in text):
        raise Refused(3, "(3) URL rejected: Malformed input to a URL function")
    try:
        parts = urlsplit(text)
        port = parts.port
        host = parts.hostname or ""
    except ValueError as error:
        why = "Port number was not a decimal number between 0 and 65535"
        if "ort" not in str(error):
            why = "Bad IPv6 address"
        raise Refused(3, f"(3) URL rejected: {why}") from None
    if not host:
        raise Refused(3, "(3) URL rejected: No host part in the URL")
    return Place(text, parts, host, PORTS[scheme] if port is None else port)


async def body(call: Call, options: Options) -> tuple[bytes | None, str]:
    """The body that the options ask for (None: none), and its media type. Refused."""
    if "upload-file" in options.values:
        return await _file(call, options.values["upload-file"]), ""
    if not options.data:
        return None, ""
    if any(name == "form" for name, _ in options.data):
        return await _form(call, options)
    made = b""
    for name, value in options.data:
        piece = await _piece(call, name, value)
        made += (b"&" if made and name != "json" else b"") + piece
    json = options.data[-1][0] == "json"
    return made, "application/json" if json else "application/x-www-form-urlencoded"


async def _piece(call: Call, name: str, value: str) -> bytes:
    if name == "data-urlencode":
        key, equals, text = value.partition("=")
        if not equals:
            key, at, path = value.partition("@")
            raw = await _file(call, path) if at else value.encode(errors="surrogateescape")
            key = key if at else ""
        else:
            raw = text.encode(errors="surrogateescape")
        return (f"{key}=" if key else "").encode() + quote(raw, safe="").encode()
    if name != "data-raw" and value.startswith("@"):
        data = await _file(call, value[1:])
        lines = name in ("data", "data-ascii")
        return data.replace(b"\r", b"").replace(b"\n", b"") if lines else data
    return value.encode(errors="surrogateescape")


async def _file(call: Call, path: str) -> bytes:
    if path in ("-", "."):
        return await streams.everything(call.io.stdin)
    try:
        return call.files.read(call.path(path))
    except OSError as error:
        raise Refused(26, f"(26) Failed to open {path[:200]}: {reaching.why(error)}") from error


_BOUNDARY: Final = "------------------------kubemu7d4a6b1c"


async def _form(call: Call, options: Options) -> tuple[bytes, str]:
    """multipart/form-data, RFC 7578."""
    made = b""
    for name, value in options.data:
        key, equals, text = value.partition("=")
        if name != "form" or not equals:
            raise Refused(2, "(2) Illegally formatted input field")
        head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{key}"'
        content = text.encode(errors="surrogateescape")
        if text[:1] in ("@", "<"):
            path = text[1:].partition(";")[0]
            content = await _file(call, path)
            if text[0] == "@":
                head += f'; filename="{path.rpartition("/")[2]}"\r\n'
                head += "Content-Type: application/octet-stream"
        made += f"{head}\r\n\r\n".encode(errors="surrogateescape") + content + b"\r\n"
    return made + f"--{_BOUNDARY}--\r\n".encode(), f"multipart/form-data; boundary={_BOUNDARY}"


def headers(
    options: Options, where: Place, media: str, size: int | None, *, trusted: bool
) -> list[tuple[str, str]]:
    """The headers of a request, in curl's order. `trusted`: it goes where the user said."""
    made = {"Host": where.shown}
    user = options.values.get("user", "")
    if not user and where.parts.username is not None:
        user = f"{where.parts.username}:{where.parts.password or ''}"
    if user and trusted:
        coded = base64.b64encode(user.encode(errors="surrogateescape")).decode()
        made["Authorization"] = f"Basic {coded}"
    if "oauth2-bearer" in options.values and trusted:
        made["Authorization"] = f"Bearer {options.values['oauth2-bearer']}"
    if "range" in options.values:
        made["Range"] = f"bytes={options.values['range']}"
    made["User-Agent"] = options.values.get("user-agent", f"curl/{VERSION}")
    made["Accept"] = "*/*"
    if "referer" in options.values:
        made["Referer"] = options.values["referer"]
    cookies = [one for one in options.cookies if "=" in one]
    if cookies and trusted:
        made["Cookie"] = "; ".join(cookies)
    if media == "application/json":
        made["Accept"] = media
    if size is not None:
        made["Content-Length"] = str(size)
        if media:
            made["Content-Type"] = media
    return _changed(made, options.headers, trusted=trusted)


def _changed(made: dict[str, str], told: list[str], *, trusted: bool) -> list[tuple[str, str]]:
    """With the headers that the user gave: `Name: value`, `Name;` (empty), `Name:` (none)."""
    more: list[tuple[str, str]] = []
    for line in told:
        name, colon, value = line.partition(":")
        lower = name.strip().lower()
        old = next((key for key in made if key.lower() == lower), None)
        if not colon:
            if line.endswith(";"):
                more.append((line[:-1].strip(), ""))
            continue
        if not value.strip():
            if old is not None:
                del made[old]
        elif trusted or lower not in ("authorization", "cookie"):
            if old == "Host":
                made[old] = value.strip()
                continue
            if old is not None:
                del made[old]
            more.append((name.strip(), value.strip()))
    return [*((name, value) for name, value in made.items() if value), *more]
