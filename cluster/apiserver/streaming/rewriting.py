"""Links in what a proxied server says, made to lead through the proxy again. Pure.

Source: k8s.io/apimachinery/pkg/util/proxy/transport.go: the Location of a redirect, and the
attributes of HTML elements that hold a URL, where they name the server itself and are absolute.
"""

import gzip
import html
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit, urlunsplit

MAX_HTML: Final = 1 << 20
"""Bytes of a page; a larger one is passed on as it is."""
_ATTRIBUTES: Final[dict[str, tuple[str, ...]]] = {
    "a": ("href",), "applet": ("codebase",), "area": ("href",), "audio": ("src",),
    "base": ("href",), "blockquote": ("cite",), "body": ("background",), "button": ("formaction",),
    "command": ("icon",), "del": ("cite",), "embed": ("src",), "form": ("action",),
    "frame": ("longdesc", "src"), "head": ("profile",), "html": ("manifest",),
    "iframe": ("longdesc", "src"), "img": ("longdesc", "src", "usemap"),
    "input": ("src", "usemap", "formaction"), "ins": ("cite",), "link": ("href",),
    "object": ("classid", "codebase", "data", "usemap"), "q": ("cite",), "script": ("src",),
    "source": ("src",), "video": ("poster", "src"),
}  # fmt: skip
# Comments and the insides of scripts and styles are passed over: what looks like a tag in them is
# none. Attribute values without quotes end at white space.
_GZIP: Final = 31  # of zlib: with the header and trailer of gzip
_TOKEN = re.compile(
    r"<!--.*?(?:-->|\Z)"
    r"|<(?P<raw>script|style)\b(?P<rawattrs>[^<>]*)>.*?(?=</(?P=raw)|\Z)"
    r"|<(?P<tag>[a-zA-Z][a-zA-Z0-9]*)(?P<attrs>\s[^<>]*)>",
    re.DOTALL | re.IGNORECASE,
)
_ATTRIBUTE = re.compile(
    r"(?P<lead>\s)(?P<name>[a-zA-Z]+)(?P<equals>\s*=\s*)"
    r"(?:\"(?P<double>[^\"]*)\"|'(?P<single>[^']*)'|(?P<bare>[^\s\"'>]+))"
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page is: the server's own `host`, the client's `asked` host (both `name:port`), and
    the `prefix` that a path needs in front (`/api/v1/namespaces/default/pods/web/proxy`).
    """

    host: str
    asked: str
    prefix: str


def url(text: str, place: Place) -> str:
    """A URL, through the proxy where it leads to the server; any other as it is."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return text
    elsewhere = parts.netloc not in ("", place.host, place.asked)
    if elsewhere or not parts.path.startswith("/"):
        return text
    keeps_host = bool(parts.netloc) and parts.netloc == place.asked
    scheme, host = (parts.scheme, parts.netloc) if keeps_host else ("", "")
    path = parts.path
    if not path.startswith(place.prefix):
        path = place.prefix.rstrip("/") + path
    return urlunsplit((scheme, host, path, parts.query, parts.fragment))


def body(raw: bytes, encoding: str, place: Place) -> bytes:
    """The bytes of a page (`encoding`: of Content-Encoding) with its links rewritten; as they are
    where they cannot be read.
    """
    plain = raw
    if encoding == "gzip":
        try:
            plain = zlib.decompressobj(_GZIP).decompress(raw, MAX_HTML + 1)
        except zlib.error:
            return raw
    if len(plain) > MAX_HTML:
        return raw
    changed = page(plain.decode(errors="surrogateescape"), place).encode(errors="surrogateescape")
    return gzip.compress(changed, mtime=0) if encoding == "gzip" else changed


def page(text: str, place: Place) -> str:
    """A page of HTML with its links rewritten; nothing else of it changes."""
    return _TOKEN.sub(lambda found: _tag(found, lambda link: url(link, place)), text)


def _tag(found: "re.Match[str]", change: Callable[[str], str]) -> str:
    whole = found.group(0)
    tag, attrs = found.group("tag"), found.group("attrs")
    if tag is None:
        tag, attrs = found.group("raw"), found.group("rawattrs")
    names = _ATTRIBUTES.get(tag.lower()) if tag else None
    if not names or not attrs:
        return whole

    def attribute(each: "re.Match[str]") -> str:
        if each.group("name").lower() not in names:
            return each.group(0)
        value = each.group("double") or each.group("single") or each.group("bare") or ""
        changed = change(html.unescape(value))
        if changed == html.unescape(value):
            return each.group(0)
        quoted = html.escape(changed, quote=True)
        return f'{each.group("lead")}{each.group("name")}{each.group("equals")}"{quoted}"'

    return whole.replace(attrs, _ATTRIBUTE.sub(attribute, attrs), 1)
