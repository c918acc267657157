"""Apache's `library/httpd`: files of /usr/local/apache2/htdocs, the common log, its error pages.

Of httpd.conf it reads Listen, ServerName, DocumentRoot and DirectoryIndex; the rest is not built.
"""

import datetime
import html
import posixpath
import re
import signal
from typing import Final
from urllib.parse import quote

from cluster.runtime.emulated.image import Image
from cluster.runtime.emulated.nginx.routing import normal
from cluster.runtime.emulated.serving import server
from cluster.runtime.emulated.web import files, running, types
from cluster.runtime.emulated.web.messages import PHRASES, Headers, Request, Response
from cluster.runtime.emulated.web.serving import Sent, Site
from cluster.runtime.vos.kernel import Call, encoded
from cluster.runtime.vos.nodes import File, Folder

_CONF: Final = "/usr/local/apache2/conf/httpd.conf"
_ROOT: Final = "/usr/local/apache2/htdocs"
_VERSION: Final = "2.4.65"
_TEXT: Final = f"""ServerRoot "/usr/local/apache2"
Listen 80
ServerAdmin you@example.com
DocumentRoot "{_ROOT}"
<IfModule dir_module>
    DirectoryIndex index.html
</IfModule>
ErrorLog /proc/self/fd/2
LogLevel warn
CustomLog /proc/self/fd/1 common
"""
_SAID: Final = {
    400: "Your browser sent a request that this server could not understand.<br />",
    403: "You don't have permission to access this resource.",
    404: "The requested URL was not found on this server.",
    405: "The requested method {method} is not allowed for this URL.",
    416: "None of the range-specifier values in the Range request-header field overlap the current "
    "extent of the selected resource.",
}


class _Settings:
    """What is read of httpd.conf."""

    def __init__(self, text: str) -> None:
        self.ports: list[int] = []
        self.root, self.index, self.name = _ROOT, ["index.html"], ""
        for line in text.splitlines():
            words = [word.strip('"') for word in line.split()]
            if len(words) < 2 or words[0].startswith("#"):
                continue
            key, value = words[0].lower(), words[1]
            digits = value.rpartition(":")[2]
            if key == "listen" and digits.isdigit() and 0 < int(digits[:6]) < 65536:
                self.ports.append(int(digits))
            elif key == "documentroot":
                self.root = value.rstrip("/") or "/"
            elif key == "directoryindex":
                self.index = words[1:]
            elif key == "servername":
                self.name = value


class _Apache:
    """Answers requests."""

    def __init__(self, call: Call, settings: _Settings) -> None:
        self._call = call
        self._settings = settings
        tag = re.match(r"2\.4\.\d{1,3}", call.kernel.image_tag)
        self.token = f"Apache/{tag[0] if tag else _VERSION} (Unix)"

    async def handle(self, request: Request) -> Response:
        """Answer one."""
        uri = normal(request.decoded)
        if uri is None:
            return self.refused(400)
        if request.method == "OPTIONS":
            allowed = ("Allow", "GET,POST,OPTIONS,HEAD,TRACE")
            return Response(200, Headers([allowed, ("Content-Type", "text/html")]))
        if request.method not in ("GET", "HEAD", "POST"):
            return self._error(405, request)
        return self._file(request, uri)

    def _file(self, request: Request, uri: str) -> Response:
        path, tree = self._settings.root + uri, self._call.files
        try:
            node = tree.find(path.rstrip("/") or "/")
            if isinstance(node, Folder):
                if not uri.endswith("/"):
                    return self._moved(request, uri + "/")
                for name in self._settings.index:
                    if tree.exists(posixpath.join(path, name)):
                        path = posixpath.join(path, name)
                        node = tree.find(path)
                        break
                else:
                    return self._listing(uri, path)
            elif uri.endswith("/"):
                return self._error(404, request)
            if not isinstance(node, File):
                return self._error(403, request)
            kind = types.of(path, "")
            found = files.answer(request, node, kind, tag=files.apache_tag, exact=False)
        except OSError:
            return self._error(404, request)
        if not kind:
            found.headers.drop("content-type")
        return found if found.status < 400 else self._error(found.status, request)

    def _moved(self, request: Request, uri: str) -> Response:
        target = f"http://{request.headers.get('host')}{quote(uri, errors='surrogateescape')}"
        said = f'The document has moved <a href="{html.escape(target)}">here</a>.'
        response = self._page(301, said)
        response.headers.add("Location", target)
        return response

    def _listing(self, uri: str, path: str) -> Response:
        title = html.escape(f"Index of {uri.rstrip('/') or '/'}")
        lines = []
        for name in self._call.files.names(path.rstrip("/") or "/"):
            if not name.startswith("."):
                inside = self._call.files.is_folder(posixpath.join(path, name))
                shown = name + "/" if inside else name
                address = quote(shown, errors="surrogateescape")
                lines.append(f'<li><a href="{address}"> {html.escape(shown)}</a></li>\n')
        page = (
            '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 3.2 Final//EN">\n<html>\n <head>\n'
            f"  <title>{title}</title>\n </head>\n <body>\n<h1>{title}</h1>\n<ul>"
            f"{''.join(lines)}</ul>\n</body></html>\n"
        )
        return Response(200, Headers([("Content-Type", "text/html;charset=UTF-8")]), encoded(page))

    def refused(self, status: int) -> Response:
        """The answer to what is no request."""
        return self._page(status, _SAID.get(status, ""))

    def _error(self, status: int, request: Request) -> Response:
        said = _SAID.get(status, "").format(method=html.escape(request.method))
        return self._page(status, said)

    @staticmethod
    def _page(status: int, said: str) -> Response:
        words = PHRASES.get(status, "")
        page = (
            '<!DOCTYPE HTML PUBLIC "-//IETF//DTD HTML 2.0//EN">\n<html><head>\n'
            f"<title>{status} {words}</title>\n</head><body>\n<h1>{words}</h1>\n<p>{said}</p>\n"
            "</body></html>\n"
        )
        kind = ("Content-Type", "text/html; charset=iso-8859-1")
        return Response(status, Headers([kind]), encoded(page), words)

    async def heard(self, request: Request | None, sent: Sent) -> None:
        """A line of the common log."""
        now = datetime.datetime.fromtimestamp(self._call.kernel.clock.now(), datetime.UTC)
        line = request.line.replace('"', '\\"') if request else "-"
        peer = request.peer.address if request else "-"
        size = sent.body or "-"
        await self._call.out(
            f'{peer} - - [{now:%d/%b/%Y:%H:%M:%S +0000}] "{line}" {sent.response.status} {size}\n'
        )

    async def say(self, module: str, text: str) -> None:
        """A line of the error log."""
        now = datetime.datetime.fromtimestamp(self._call.kernel.clock.now(), datetime.UTC)
        await self._call.io.stderr.write(
            encoded(f"[{now:%a %b %d %H:%M:%S.%f %Y}] [{module}:notice] [pid 1:tid 1] {text}\n")
        )


@server(stop_code=0)
async def httpd(call: Call) -> int:
    """`httpd-foreground`."""
    if "-v" in call.argv or "-V" in call.argv:
        await call.out(f"Server version: {_Apache(call, _Settings('')).token}\n")
        return 0
    try:
        settings = _Settings(call.files.read(_CONF).decode("utf-8", "surrogateescape"))
    except OSError:
        await call.io.stderr.write(
            encoded(
                f"httpd: Could not open configuration file {_CONF}: No such file or directory\n"
            )
        )
        return 1
    if not settings.ports:
        await call.io.stderr.write(b"no listening sockets available, shutting down\n")
        return 1
    apache = _Apache(call, settings)
    if not settings.name:
        address = next(iter(call.net.addresses), "127.0.0.1")
        await call.io.stderr.write(
            encoded(
                "AH00558: httpd: Could not reliably determine the server's fully qualified domain "
                f"name, using {address}. Set the 'ServerName' directive globally to suppress this "
                "message\n"
            )
        )
    site = Site(
        handler=apache.handle, now=call.kernel.clock.now, server=apache.token, heard=apache.heard,
        refused=apache.refused, idle=5.0,
    )  # fmt: skip
    await apache.say(
        "mpm_event", f"AH00489: {apache.token} configured -- resuming normal operations"
    )
    await apache.say("core", "AH00094: Command line: 'httpd -D FOREGROUND'")
    for number in (signal.SIGTERM, signal.SIGWINCH):
        call.process.handlers[int(number)] = lambda _number: call.process.exit(0)
    try:
        async with running.serving(call, dict.fromkeys(settings.ports, site)):
            await running.forever()
    except running.Taken as taken:
        await call.io.stderr.write(
            encoded(
                f"(98)Address already in use: AH00072: make_sock: could not bind to address "
                f"0.0.0.0:{taken.port}\nno listening sockets available, shutting down\n"
            )
        )
        return 1
    return 0


IMAGES: Final = (
    Image(
        names=("library/httpd", "e2e-test-images/httpd", "kubernetes-e2e-test-images/httpd"),
        cmd=("httpd-foreground",),
        working_dir="/usr/local/apache2",
        ports=(80,),
        stop_signal="SIGWINCH",
        files={
            _CONF: _TEXT,
            f"{_ROOT}/index.html": "<html><body><h1>It works!</h1></body></html>\n",
            "/usr/local/apache2/logs/": "",
        },
        programs={"httpd-foreground": httpd, "httpd": httpd},
    ),
)
