"""The program `nginx`: its options, its signals, its listeners, and the reload."""

import asyncio
import errno
import signal
from collections.abc import Iterator, Sequence
from typing import Final

from cluster.aio import tasks
from cluster.runtime.emulated.nginx import building, entrypoint, logs
from cluster.runtime.emulated.nginx.exchange import version
from cluster.runtime.emulated.nginx.handling import Site
from cluster.runtime.emulated.nginx.model import Configuration, If, Location
from cluster.runtime.emulated.nginx.parsing import Directive, Emergency, Place, Reader
from cluster.runtime.emulated.serving import server
from cluster.runtime.emulated.web import names, serving
from cluster.runtime.vos.kernel import Call, Process, encoded
from cluster.runtime.vos.sockets import Listener

MAIN: Final = "/etc/nginx/nginx.conf"
_HUP, _QUIT, _TERM, _INT = (
    int(one) for one in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM, signal.SIGINT)
)
_SIGNALS: Final = {"stop": _TERM, "quit": _QUIT, "reload": _HUP, "reopen": int(signal.SIGUSR1)}
_DRAIN: Final = 600.0
"""Seconds that connections get to end after SIGQUIT; the container's grace ends them before."""


class _Options:
    """What the command line says."""

    def __init__(self) -> None:
        self.file = MAIN
        self.directives = ""
        self.test = self.dump = self.quiet = False
        self.version = 0
        self.send = ""
        self.help = False


def _options(words: list[str]) -> _Options:
    """Read the command line. ValueError with nginx' sentence."""
    made = _Options()
    while words:
        word = words.pop(0)
        if not word.startswith("-"):
            raise ValueError(f'invalid option: "{word}"')
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter in "cgspe":
                if not letters and not words:
                    raise ValueError(f'option "-{letter}" requires {_NEEDS[letter]}')
                value, letters = letters or words.pop(0), ""
                if letter == "c":
                    made.file = value
                elif letter == "g":
                    made.directives = value
                elif letter == "s":
                    made.send = value
            elif letter in "tTqvVh?":
                made.test |= letter in "tT"
                made.dump |= letter == "T"
                made.quiet |= letter == "q"
                made.version = {"v": 1, "V": 2}.get(letter, made.version)
                made.help |= letter in "h?"
            else:
                raise ValueError(f'invalid option: "{letter}"')
    return made


_NEEDS: Final = {"c": "file name", "g": "parameter", "s": "parameter", "p": "directory name",
                 "e": "file name"}  # fmt: skip


def _serves(argv: Sequence[str]) -> bool:
    """Whether a command line is that of a server."""
    return not any(word in ("-t", "-T", "-v", "-V", "-h", "-s", "-?") for word in argv[1:])


def _enters(argv: Sequence[str]) -> bool:
    return len(argv) > 1 and argv[1] in ("nginx", "nginx-debug") and _serves(argv[1:])


@server(stop_code=0, when=_serves)
async def nginx(call: Call) -> int:
    """`nginx [-tTqvV] [-s SIGNAL] [-c FILE] [-g DIRECTIVES]`."""
    try:
        options = _options(list(call.argv[1:]))
    except ValueError as error:
        return await call.complain(str(error))
    if options.version or options.help:
        await call.io.stderr.write(encoded(f"nginx version: nginx/{_version(call)}\n"))
        return 0
    if options.send:
        return await _send(call, options.send, options)
    if options.test:
        return await _test(call, options)
    master = _Master(call, options)
    if not await master.begin():
        return 1
    if master.configuration.daemon:
        # It goes into the background, and the process that was started ends.
        async def body(process: Process) -> int:
            inner = Call(call.argv, process, call.io, call.env, call.cwd)
            daemon = _Master(inner, options)
            if not await daemon.begin():
                return 1
            _entitle(inner)
            return await daemon.run()

        call.kernel.fork(call.argv, call.io, body)
        return 0
    _entitle(call)
    return await master.run()


def _entitle(call: Call) -> None:
    """Show in `ps` what the master process calls itself."""
    call.process.argv = (f"nginx: master process {' '.join(call.argv)}",)


@server(stop_code=0, when=_enters)
async def docker_entrypoint(call: Call) -> int:
    """`/docker-entrypoint.sh PROGRAM…`."""
    words = list(call.argv[1:])
    if not words:
        return 0
    if words[0] in ("nginx", "nginx-debug"):
        await entrypoint.prepare(call)
    program = call.kernel.find(words[0])
    if program is None:
        await call.io.stderr.write(
            encoded(f"/docker-entrypoint.sh: 47: exec: {words[0]}: not found\n")
        )
        return 127
    return await program(Call(words, call.process, call.io, call.env, call.cwd))


def _version(call: Call) -> str:
    return version(call.kernel.image_tag)


def read(call: Call, options: _Options) -> Configuration:
    """The configuration of files and command line. Emergency."""
    main = Reader(call.files).read(options.file)
    return building.Builder().build([*_said(options.directives), *main])


def _said(text: str) -> list[Directive]:
    """The directives of `-g`, of which only simple ones are heeded here."""
    found: list[Directive] = []
    for part in text.split(";"):
        words = part.split()
        if words:
            found.append(Directive(words[0], tuple(words[1:]), Place("command line", 1)))
    return found


async def _test(call: Call, options: _Options) -> int:
    """`nginx -t`."""
    err = call.io.stderr
    try:
        found = read(call, options)
        await _resolve(call, found)
    except Emergency as emergency:
        now = logs.stamp(call.kernel.clock.now())
        await err.write(
            encoded(f"{now} [emerg] {call.process.pid}#{call.process.pid}: {emergency}\n")
        )
        await err.write(encoded(f"nginx: [emerg] {emergency}\n"))
        await err.write(encoded(f"nginx: configuration file {options.file} test failed\n"))
        return 1
    for warning in building.warnings(found.servers):
        await err.write(encoded(f"nginx: [warn] {warning}\n"))
    if not options.quiet:
        await err.write(
            encoded(
                f"nginx: the configuration file {options.file} syntax is ok\n"
                f"nginx: configuration file {options.file} test is successful\n"
            )
        )
    if options.dump:
        text = call.files.read(options.file).decode("utf-8", "surrogateescape")
        await call.out(f"# configuration file {options.file}:\n{text}\n")
    return 0


async def _send(call: Call, word: str, options: _Options) -> int:
    """`nginx -s SIGNAL`."""
    number = _SIGNALS.get(word)
    if number is None:
        return await call.complain(f'invalid option: "-s {word}"')
    now = logs.stamp(call.kernel.clock.now())
    me = call.process.pid
    await call.io.stderr.write(encoded(f"{now} [notice] {me}#{me}: signal process started\n"))
    try:
        path = read(call, options).pid
    except Emergency as emergency:
        return await call.complain(f"[emerg] {emergency}")
    try:
        text = call.files.read(path).decode(errors="replace").strip()
    except OSError as error:
        return await call.complain(f"[error] {_unopened(path, error)}")
    if not text.isdigit() or not call.kernel.signal(int(text), number):
        return await call.complain(
            f"[alert] kill({text[:20]}, {number}) failed (3: No such process)"
        )
    return 0


def _unopened(path: str, error: OSError) -> str:
    return f'open() "{path}" failed ({error.errno}: {error.strerror})'


def _proxied(location: Location, found: Configuration) -> Iterator[str]:
    """The hosts that a location, and what is in it, passes requests on to by name."""
    target = location.proxy
    if target is not None and target.whole is None and target.host not in found.upstreams:
        yield target.host
    for one in location.locations:
        yield from _proxied(one, found)
    for rule in location.rules:
        if isinstance(rule, If):
            yield from _proxied(rule.location, found)


async def _resolve(call: Call, found: Configuration) -> None:
    """See that every upstream with a fixed name has an address, as nginx does. Emergency."""
    hosts = {host: None for one in found.servers for host in _proxied(one.own, found)}
    for upstream in found.upstreams.values():
        hosts |= {peer.host: None for peer in upstream.peers if not peer.host.startswith("unix")}
    for host in hosts:
        try:
            await names.addresses(call, host)
        except names.Unknown:
            raise Emergency(f'host not found in upstream "{host}"') from None


class _Master:
    """nginx, running."""

    def __init__(self, call: Call, options: _Options) -> None:
        self.configuration = Configuration()
        self._call = call
        self._options = options
        self._logs = logs.Logs(call)
        self._wanted: asyncio.Queue[int] = asyncio.Queue(16)
        self._listeners: dict[tuple[str, int], Listener] = {}
        self._sites: dict[tuple[str, int], serving.Server] = {}

    async def begin(self) -> bool:
        """Read the configuration; False where it is no good, which is said."""
        logs.connected(self._call)
        try:
            self.configuration = read(self._call, self._options)
            await _resolve(self._call, self.configuration)
        except Emergency as emergency:
            await self._logs.error("emerg", str(emergency))
            await self._call.io.stderr.write(encoded(f"nginx: [emerg] {emergency}\n"))
            return False
        return True

    async def run(self) -> int:
        """Serve until told to end; the exit code."""
        call = self._call
        self._logs.follow(self.configuration)
        for number in (_HUP, _QUIT, _TERM, _INT):
            call.process.handlers[number] = self._hear
        for warning in building.warnings(self.configuration.servers):
            await self._logs.error("warn", warning)
        async with tasks.Group("nginx") as group:
            site = Site(call, self.configuration, self._logs)
            if not await self._listen(group, site):
                group.cancel()
                return 1
            if not await self._known():
                group.cancel()
                return 1
            await self._announce()
            await self._follow(group, site)
            group.cancel()
        return 0

    async def _known(self) -> bool:
        """Write the file with its number; False where that cannot be, which is said."""
        call, path = self._call, self.configuration.pid
        try:
            call.files.put(path, f"{call.process.pid}\n".encode())
        except OSError as error:
            said = _unopened(path, error)
            await self._logs.error("emerg", said)
            await call.io.stderr.write(encoded(f"nginx: [emerg] {said}\n"))
            return False
        return True

    def _hear(self, number: int) -> None:
        if not self._wanted.full():
            self._wanted.put_nowait(number)

    async def _follow(self, group: tasks.Group, site: Site) -> None:
        """Do what signals ask for, until one asks for the end."""
        while True:
            number = await self._wanted.get()
            name = signal.Signals(number).name
            if number == _HUP:
                await self._logs.error("notice", f"signal 1 ({name}) received, reconfiguring")
                await self._reload(group, site)
                continue
            if number == _QUIT:
                await self._logs.error("notice", f"signal 3 ({name}) received, shutting down")
                await self._drain()
            else:
                await self._logs.error("notice", f"signal {number} ({name}) received, exiting")
            await self._logs.error("notice", "exit")
            return

    async def _drain(self) -> None:
        for listener in self._listeners.values():
            listener.close()
        for one in self._sites.values():
            one.drain()
        deadline = asyncio.get_running_loop().time() + _DRAIN
        while any(one.connections for one in self._sites.values()):
            if asyncio.get_running_loop().time() > deadline or not self._wanted.empty():
                return
            await asyncio.sleep(0.05)

    async def _reload(self, group: tasks.Group, site: Site) -> None:
        await self._logs.error("notice", "reconfiguring")
        before = self.configuration
        try:
            self.configuration = read(self._call, self._options)
            await _resolve(self._call, self.configuration)
        except Emergency as emergency:
            self.configuration = before
            await self._logs.error("emerg", str(emergency))
            return
        site.configuration = self.configuration
        if not await self._listen(group, site):
            self.configuration = site.configuration = before
            return
        self._logs.follow(self.configuration)
        await self._workers()

    async def _listen(self, group: tasks.Group, site: Site) -> bool:
        """Open what is to be listened on, and close what is no more; False where one fails."""
        wanted = {
            (one.address, one.port): one
            for found in self.configuration.servers
            for one in found.listens
        }
        for key, one in wanted.items():
            if key in self._listeners:
                continue
            if one.tls:
                await self._logs.error(
                    "warn", f"{one.shown}: TLS is not built in the emulated nginx: no listener"
                )
                continue
            if one.address == "::" and ("0.0.0.0", one.port) in wanted:
                # Connections to a pod are IPv4's here; one listener has both.
                continue
            if not await self._bind(group, site, key):
                return False
        for key in [key for key in self._listeners if key not in wanted]:
            self._listeners.pop(key).close()
            self._sites.pop(key).drain()
        return True

    async def _bind(self, group: tasks.Group, site: Site, key: tuple[str, int]) -> bool:
        address, port = key
        try:
            where = "" if address in ("0.0.0.0", "::") else address
            listener = self._call.net.listen(port, where)
        except OSError as error:
            number = error.errno or errno.EADDRINUSE
            shown = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
            text = f"bind() to {shown} failed ({number}: {error.strerror})"
            await self._logs.error("emerg", text)
            await self._call.io.stderr.write(encoded(f"nginx: [emerg] {text}\n"))
            return False
        idle, stall = site.patience(port, address)
        made = serving.Server(
            serving.Site(
                handler=site.handle,
                now=self._call.kernel.clock.now,
                heard=site.heard,
                refused=site.refused,
                heads=serving.NGINX,
                idle=idle,
                stall=stall,
            ),
            group,
        )
        site.server = site.server or made
        self._listeners[key], self._sites[key] = listener, made
        made.listen(listener)
        return True

    async def _announce(self) -> None:
        version = _version(self._call)
        for line in (
            'using the "epoll" event method',
            f"nginx/{version}",
            "built for the virtual OS of kubemu",
            "OS: Linux 6.1.0-kubemu",
            "getrlimit(RLIMIT_NOFILE): 1048576:1048576",
        ):
            await self._logs.error("notice", line)
        await self._workers()
        for notice in self.configuration.notices:
            await self._logs.error("warn", notice)

    async def _workers(self) -> None:
        await self._logs.error("notice", "start worker processes")
        for number in range(self.configuration.workers):
            await self._logs.error("notice", f"start worker process {29 + number}")
