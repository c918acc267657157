"""nginx' logs: to the container's stdout and stderr, or to files."""

import datetime
import posixpath
from typing import Final

from cluster.runtime.emulated.nginx.building import LEVELS
from cluster.runtime.emulated.nginx.exchange import Exchange
from cluster.runtime.emulated.nginx.model import Configuration
from cluster.runtime.vos.files import absolute
from cluster.runtime.vos.kernel import Call, encoded
from cluster.runtime.vos.streams import Writer

OUT: Final = ("/dev/stdout", "/proc/self/fd/1", "/proc/1/fd/1", "/dev/fd/1")
ERR: Final = ("/dev/stderr", "/proc/self/fd/2", "/proc/1/fd/2", "/dev/fd/2", "stderr")
PREFIX: Final = "/etc/nginx"


def stamp(now: float) -> str:
    """The time at the head of a line of the error log."""
    return datetime.datetime.fromtimestamp(now, datetime.UTC).strftime("%Y/%m/%d %H:%M:%S")


def _shown(text: str) -> str:
    """A value as the access log has it: "-" for none, quotes and control characters escaped."""
    if not text:
        return "-"
    if text.isprintable() and '"' not in text and "\\" not in text and text.isascii():
        return text
    return "".join(
        f"\\x{ord(char):02X}" if char in '"\\' or ord(char) < 32 or ord(char) == 127 else char
        for char in text
    )


class Logs:
    """Where lines go."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self.error_log: tuple[str, str] = ("/var/log/nginx/error.log", "notice")

    def follow(self, configuration: Configuration) -> None:
        """Take the error log that the configuration names."""
        self.error_log = configuration.error_log

    async def error(
        self, level: str, text: str, exchange: Exchange | None = None, *, worker: bool = True
    ) -> None:
        """A line of the error log."""
        path, least = exchange.settings.error_log if exchange is not None else self.error_log
        if LEVELS.index(level) < LEVELS.index(least):
            return
        now = stamp(self._call.kernel.clock.now())
        who = "29#29" if worker and exchange is not None else "1#1"
        line = f"{now} [{level}] {who}: "
        if exchange is None:
            line += text
        else:
            request = exchange.request
            name = exchange.look("server_name")
            line += (
                f"*{exchange.number} {text}, client: {request.peer.address}, server: {name}, "
                f'request: "{request.line}"'
            )
            if "address" in exchange.upstream:
                line += f', upstream: "{exchange.upstream["address"]}"'
            if request.headers.get("host"):
                line += f', host: "{request.headers.get("host")}"'
        await self._write(path, line + "\n", self._call.io.stderr)

    async def access(self, exchange: Exchange) -> None:
        """The lines of the access logs for a request that was answered."""
        for log in exchange.settings.access_logs:
            if log.condition is not None and log.condition.of(exchange.look) in ("", "0"):
                continue
            line = log.form.of(lambda name: _shown(exchange.look(name)))
            path = log.path.of(exchange.look)
            await self._write(path, line + "\n", self._call.io.stdout)

    async def _write(self, path: str, line: str, standard: Writer) -> None:
        if path.startswith("syslog:") or path == "/dev/null":
            return
        files = self._call.files
        if path != "stderr":
            path = absolute(path, PREFIX)
        try:
            target = files.true_path(path) if files.exists(path) else path
        except OSError:
            target = path
        if target in OUT:
            await self._call.io.stdout.write(encoded(line))
        elif target in ERR:
            await self._call.io.stderr.write(encoded(line))
        else:
            try:
                files.write(files.create(target, append=True), encoded(line), target)
            except OSError:
                # A full disk must not stop the server, and nothing may be lost in silence.
                await standard.write(encoded(line))


def connected(call: Call) -> None:
    """Have the image's log files be links to the console, as in the image; a volume that is
    mounted there has files of its own.
    """
    files = call.kernel.files
    for name, target in (("access.log", "/dev/stdout"), ("error.log", "/dev/stderr")):
        path = posixpath.join("/var/log/nginx", name)
        try:
            found = files.find(path, follow=False)
            if getattr(found, "space", None) is files.space and not getattr(found, "size", 1):
                files.remove(path)
                files.link(target, path)
        except OSError:
            continue
