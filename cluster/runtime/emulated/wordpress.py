"""WordPress as it is just after its start: no page without its database, and then the installation.

Whether the database is there is seen by the greeting that every MySQL server sends first; nobody
logs in.
"""

import asyncio
import datetime
from collections.abc import Sequence
from typing import Final

from cluster.runtime.emulated.image import Image
from cluster.runtime.emulated.serving import server
from cluster.runtime.emulated.web import names, running
from cluster.runtime.emulated.web.messages import Headers, Request, Response, text
from cluster.runtime.vos.kernel import Call

_CMD: Final = ("apache2-foreground",)
_PORT: Final = 3306
_DEADLINE: Final = 10.0
_SERVER: Final = "Apache/2.4.56 (Debian)"
_HTML: Final = "text/html; charset=UTF-8"
_INSTALL: Final = "/wp-admin/install.php"
_STATIC: Final = ("/readme.html", "/license.txt")
_NO_DATABASE: Final = """<!DOCTYPE html>
<html lang="en-US">
<head><title>WordPress &rsaquo; Error</title></head>
<body id="error-page">
<div class="wp-die-message"><h1>Error establishing a database connection</h1></div>
</body>
</html>
"""
_INSTALLATION: Final = """<!DOCTYPE html>
<html lang="en-US">
<head><title>WordPress &rsaquo; Installation</title></head>
<body class="wp-core-ui language-chooser">
<p id="logo">WordPress</p>
<p>Emulated by kubemu: the database answers, and nothing can be installed here.</p>
</body>
</html>
"""


class _Pages:
    """Answers requests."""

    def __init__(self, call: Call) -> None:
        self._call = call

    async def __call__(self, request: Request) -> Response:
        """Answer one, and log it as Apache does."""
        response = await self._answer(request)
        size = len(response.body) if isinstance(response.body, bytes) else 0
        now = datetime.datetime.fromtimestamp(self._call.kernel.clock.now(), datetime.UTC)
        agent = request.headers.get("user-agent") or "-"
        await self._call.out(
            f'{request.peer.address} - - [{now:%d/%b/%Y:%H:%M:%S} +0000] "{request.line}" '
            f'{response.status} {size} "-" "{agent}"\n'
        )
        return response

    async def _answer(self, request: Request) -> Response:
        if request.path in _STATIC:
            return text("WordPress\n", kind=_HTML)
        if not await self._database():
            return text(_NO_DATABASE, 500, kind=_HTML)
        if request.path == _INSTALL:
            return text(_INSTALLATION, kind=_HTML)
        host = request.headers.get("host") or "localhost"
        where = [("Location", f"http://{host}{_INSTALL}"), ("X-Redirect-By", "WordPress")]
        return Response(302, Headers([("Content-Type", _HTML), *where]), b"")

    async def _database(self) -> bool:
        """Whether a MySQL server greets at WORDPRESS_DB_HOST."""
        host, _, digits = self._call.env.get("WORDPRESS_DB_HOST", "mysql").partition(":")
        port = int(digits) if digits.isdigit() and len(digits) < 6 else _PORT
        try:
            async with asyncio.timeout(_DEADLINE):
                stream = await names.connected(self._call, host, port)
                try:
                    return len(await stream.receive()) > 4
                finally:
                    stream.close()
        except (names.Unknown, OSError):
            return False


def _serves(argv: Sequence[str]) -> bool:
    return tuple(argv[1:2]) == _CMD


@server(stop_code=0, when=_serves)
async def entrypoint(call: Call) -> int:
    """`docker-entrypoint.sh apache2-foreground`, with WordPress' pages; or another program."""
    if not _serves(call.argv):
        words = call.argv[1:]
        program = call.kernel.find(words[0]) if words else None
        if program is None:
            return await call.complain(f"exec: {' '.join(words[:1])}: not found", 127)
        return await program(Call(words, call.process, call.io, call.env, call.cwd))
    given = sorted(name for name in call.env if name.startswith("WORDPRESS_"))
    lines = [
        "WordPress not found in /var/www/html - copying now...",
        "Complete! WordPress has been successfully copied to /var/www/html",
    ]
    if given:
        lines.append(
            "No 'wp-config.php' found in /var/www/html, but 'WORDPRESS_...' variables supplied; "
            f"copying 'wp-config-docker.php' ({' '.join(given)})"
        )
    now = datetime.datetime.fromtimestamp(call.kernel.clock.now(), datetime.UTC)
    lines.append(
        f"[{now:%a %b %d %H:%M:%S.%f %Y}] [mpm_prefork:notice] [pid {call.process.pid}] AH00163: "
        f"{_SERVER} configured -- resuming normal operations"
    )
    await call.io.stderr.write("".join(f"{line}\n" for line in lines).encode(errors="replace"))
    return await running.run(call, {80: _Pages(call)}, _SERVER)


IMAGES: Final = (
    Image(
        names=("library/wordpress",),
        entrypoint=("docker-entrypoint.sh",),
        cmd=_CMD,
        working_dir="/var/www/html",
        ports=(80,),
        stop_signal="SIGWINCH",
        programs={"docker-entrypoint.sh": entrypoint},
    ),
)
