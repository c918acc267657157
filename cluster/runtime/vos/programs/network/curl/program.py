"""The program: its URLs one after another, where their bodies go, retries, and what it says."""

import asyncio
from typing import Final

from cluster.runtime.vos.files import File
from cluster.runtime.vos.kernel import Call
from cluster.runtime.vos.programs.network import reaching
from cluster.runtime.vos.programs.network.curl import options as reading
from cluster.runtime.vos.programs.network.curl import results, sending
from cluster.runtime.vos.programs.network.curl.options import Options, Refused
from cluster.runtime.vos.programs.network.curl.results import Failed, Result
from cluster.runtime.vos.programs.network.curl.transfer import Transfer

_TRANSIENT: Final = (408, 429, 500, 502, 503, 504)
_LONGEST: Final = 600.0
"""Seconds between two retries at most."""


async def curl(call: Call) -> int:
    """`curl [OPTION…] URL…`; the exit code is the last transfer's."""
    try:
        options = reading.read(call.argv[1:])
        if options.has("version") or options.has("help"):
            await call.out(reading.ABOUT if options.has("version") else reading.HELP)
            return 0
        if not options.urls:
            raise reading.NO_URL
        return await _Run(call, options).run()
    except Refused as refused:
        text = str(refused)
        await call.io.stderr.write(_line(text if text.startswith("curl:") else f"curl: {text}"))
        return refused.code


def _line(text: str) -> bytes:
    return (text if text.endswith("\n") else f"{text}\n").encode(errors="surrogateescape")


class _Output:
    """Where a body goes: stdout, or a file that is made when there is something for it."""

    def __init__(self, call: Call, path: str, *, create: bool = False) -> None:
        self.path = path
        self._call = call
        self._create = create
        self._file: File | None = None

    async def write(self, data: bytes) -> None:
        """See `transfer.Sink`."""
        if self.path in ("-", "/dev/stdout", "/proc/self/fd/1"):
            await self._call.io.stdout.write(data)
        elif self.path in ("/dev/stderr", "%"):
            await self._call.io.stderr.write(data)
        elif self.path != "/dev/null":
            self._save(data)

    def _save(self, data: bytes) -> None:
        path = self._call.path(self.path)
        try:
            if self._file is None:
                if self._create:
                    self._call.files.make_folders(path.rpartition("/")[0] or "/")
                self._file = self._call.files.create(path)
            self._call.files.write(self._file, data, path)
        except OSError as error:
            raise Failed(23, f"client returned ERROR on write: {reaching.why(error)}") from error


class _Run:
    """A call of curl."""

    def __init__(self, call: Call, options: Options) -> None:
        self._call = call
        self._options = options
        self._metered = False

    async def run(self) -> int:
        """Every URL; the last one's code. Refused."""
        options = self._options
        body, media = await sending.body(self._call, options)
        query = b""
        if options.has("get") and body is not None:
            query, body = body, None
        code = 0
        text = query.decode(errors="surrogateescape")
        for at, url in enumerate(options.urls):
            asked = url + ("&" if "?" in url else "?") + text if text else url
            code = await self._one(at, asked, body, media)
            if code and options.has("fail-early"):
                break
        return code

    async def _one(self, at: int, url: str, body: bytes | None, media: str) -> int:
        options = self._options
        output = self._output(at, url)
        to_screen = output.path == "-" and self._call.process.tty is not None
        quiet = options.has("silent") or options.has("no-progress-meter") or options.has("head")
        self._metered = not quiet and not to_screen
        if self._metered:
            await self._complain(results.METER + results.meter(Result(url)))
        result = await self._tried(url, body, media, output)
        result.filename = "" if output.path == "-" else output.path
        if result.code == 0 and output.path not in ("-", "/dev/null") and not result.size:
            try:
                await output.write(b"")
            except Failed as failed:
                result.code, result.error = failed.code, str(failed)
        if self._metered:
            await self._complain(results.meter(result) + "\n")
        if result.error and (not options.has("silent") or options.has("show-error")):
            await self._complain(f"curl: {result.error}\n")
        await self._written(result)
        return result.code

    def _output(self, at: int, url: str) -> _Output:
        options = self._options
        path = options.targets[at] if at < len(options.targets) else "-"
        if path == "" or (path == "-" and options.has("remote-name-all")):
            path = sending.place(url).parts.path.rpartition("/")[2]
            if not path:
                raise Refused(23, "curl: (23) Remote file name has no length\n")
        folder = options.values.get("output-dir")
        if folder and path not in ("-", "/dev/null"):
            path = f"{folder.rstrip('/')}/{path}"
        return _Output(self._call, path, create=options.has("create-dirs"))

    async def _tried(self, url: str, body: bytes | None, media: str, output: _Output) -> Result:
        options, clock = self._options, self._call.kernel.clock
        left, wait = int(options.number("retry")), options.number("retry-delay") or 1.0
        until = clock.now() + (options.number("retry-max-time") or float("inf"))
        dump = options.values.get("dump-header")
        while True:
            heads = _Output(self._call, dump) if dump else None
            transfer = Transfer(self._call, options, url, (output, heads), self._say)
            result = await transfer.run(body, media)
            why = self._transient(result)
            if not why or left <= 0 or clock.now() + wait > until:
                return result
            if not options.has("silent"):
                some = f"{wait:g} second{'' if wait == 1 else 's'}"
                ways = "retry" if left == 1 else "retries"
                await self._complain(
                    f"Warning: Problem: {why}. Will retry in {some}. {left} {ways} left.\n"
                )
            await asyncio.sleep(wait)
            left -= 1
            if not options.number("retry-delay"):
                wait = min(wait * 2, _LONGEST)

    def _transient(self, result: Result) -> str:
        """Why one may try again; "" where one may not."""
        if result.code in (6, 28):
            return "timeout"
        if result.code == 7 and self._options.has("retry-connrefused"):
            return "connection refused"
        if result.status in _TRANSIENT:
            return "HTTP error"
        every = bool(result.code) and self._options.has("retry-all-errors")
        return "(retrying all errors)" if every else ""

    async def _written(self, result: Result) -> None:
        form = self._options.values.get("write-out")
        if not form:
            return
        if form.startswith("@"):
            try:
                form = self._call.files.read(self._call.path(form[1:])).decode(errors="replace")
            except OSError:
                form = ""
        text, warning = results.written(form, result)
        await self._call.io.stdout.write(text.encode(errors="surrogateescape"))
        if warning:
            await self._complain(warning)

    async def _complain(self, text: str) -> None:
        await self._call.io.stderr.write(text.encode(errors="surrogateescape"))

    async def _say(self, mark: str, data: bytes) -> None:
        if self._options.has("verbose"):
            await self._call.io.stderr.write(mark.encode() + data)
