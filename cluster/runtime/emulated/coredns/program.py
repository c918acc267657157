"""The program `coredns`: its options, its servers, and how it follows its Corefile."""

import asyncio
import errno
import fnmatch
import hashlib
import posixpath
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

from cluster.aio import tasks
from cluster.runtime.emulated import incluster, releases
from cluster.runtime.emulated.coredns import chain, corefile, naming
from cluster.runtime.emulated.coredns.corefile import Unusable
from cluster.runtime.emulated.coredns.messages import REFUSED, Query, Reply
from cluster.runtime.emulated.coredns.metrics import Metrics
from cluster.runtime.emulated.coredns.plugins.kubernetes import Kubernetes
from cluster.runtime.emulated.coredns.plugins.plugin import Following, Plugin, Server
from cluster.runtime.emulated.coredns.serving import Sockets
from cluster.runtime.emulated.web import serving
from cluster.runtime.emulated.web.golang import not_found
from cluster.runtime.emulated.web.messages import Handler, Request, Response
from cluster.runtime.vos.kernel import Call, encoded

if TYPE_CHECKING:
    from cluster.client.client import Client

VERSION: Final = "1.12.1"
_GO: Final = "linux/amd64, go1.24.1, 707c7c1"
_USUAL: Final = ".:{port} {{\n  whoami\n  log\n}}\n"
_INT, _TERM, _QUIT, _USR1 = 2, 15, 3, 10
Place = tuple[str, int]


class Instance:
    """Servers as one Corefile has them."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self.stack = stack
        self.servers: dict[int, dict[str, Following]] = {}
        self.sites: dict[Place, dict[str, Handler]] = {}
        self.plugins: list[Plugin] = []
        self.lame = 0.0
        self.keys: list[corefile.Key] = []
        self.running: asyncio.Task[None] | None = None

    async def ask(self, query: Query, port: int) -> Reply:
        """Answer at a port. plugin.Failed."""
        servers = self.servers.get(port, {})
        zone = naming.zone_of(query.name, servers)
        return Reply(REFUSED) if zone is None else await servers[zone](query)

    def be_lame(self, seconds: float) -> None:
        """Go on for so long after the end was asked for."""
        self.lame = max(self.lame, seconds)

    async def run(self) -> None:
        """What the plugins do besides."""
        async with tasks.Group("coredns") as group:
            for plugin in self.plugins:
                if type(plugin).run is not Plugin.run:
                    group.spawn(plugin.run(), plugin.name)


class CoreDns:
    """CoreDNS, running."""

    def __init__(self, call: Call, path: str, port: int) -> None:
        self._call = call
        self._path = path
        self._port = port
        self._digest = ""
        self._metrics = Metrics()
        self._sockets: dict[int, Sockets] = {}
        self._sites: dict[Place, serving.Server] = {}
        self._listeners: dict[Place, object] = {}
        self._ending: asyncio.Queue[int] = asyncio.Queue(4)
        self._instance: Instance | None = None
        self._group = tasks.Group("coredns")

    async def run(self) -> int:
        """Serve until told to end; the exit code."""
        call = self._call
        for number in (_TERM, _INT, _QUIT, _USR1):
            call.process.handlers[number] = self._hear
        async with self._group:
            try:
                instance = await self._made()
                await self._start(instance)
            except (Unusable, incluster.Outside, _Taken) as error:
                await self._fail(str(error))
                self._group.cancel()
                return 1
            await self._announce(instance)
            await self._follow()
            self._group.cancel()
        return 0

    # ---- begin and end ---------------------------------------------------------------------------

    def _hear(self, number: int) -> None:
        if not self._ending.full():
            self._ending.put_nowait(number)

    async def _follow(self) -> None:
        """Wait for a signal to end, and end as slowly as `lameduck` has it."""
        while True:
            number = await self._ending.get()
            if number == _USR1:
                await self.reload(force=True)
                continue
            word = {_TERM: "SIGTERM", _INT: "SIGINT", _QUIT: "SIGQUIT"}[number]
            await self.log("INFO", f"{word}: Shutting down servers then terminating")
            lame = self._instance.lame if self._instance is not None else 0.0
            if lame and number == _TERM:
                text = f"plugin/health: Going into lameduck mode for {_seconds(lame)}"
                await self.log("INFO", text)
                await asyncio.sleep(lame)
            if self._instance is not None:
                await self._stop(self._instance)
            return

    async def _fail(self, text: str) -> None:
        await self._call.io.stdout.write(encoded(text + "\n"))

    async def log(self, severity: str, text: str) -> None:
        """Print a line as CoreDNS' log does."""
        await self._call.io.stdout.write(encoded(f"[{severity}] {text}\n"))

    async def _announce(self, instance: Instance) -> None:
        lines = [str(key) for key in instance.keys]
        if any(one.name == "reload" for one in instance.plugins):
            lines.append(f"[INFO] plugin/reload: Running configuration SHA512 = {self._digest}")
        lines += [f"CoreDNS-{version(self._call)}", _GO]
        self._metrics.set("coredns_build_info", 1, (
            ("goversion", "go1.24.1"), ("revision", "707c7c1"), ("version", version(self._call)),
        ))  # fmt: skip
        await self._call.out("\n".join(lines) + "\n")

    # ---- servers ---------------------------------------------------------------------------------

    async def reload(self, *, force: bool = False) -> bool:
        """Read the Corefile anew; whether there is a new instance."""
        try:
            if self._read()[1] == self._digest and not force:
                return False
        except Unusable:
            return False
        await self.log("INFO", "Reloading")
        old = self._instance
        instance: Instance | None = None
        try:
            instance = await self._made()
            await self._start(instance)
        except (Unusable, incluster.Outside, _Taken) as error:
            if instance is not None:
                await self._stop(instance)
            self._metrics.count("coredns_reload_failed_total")
            await self.log("ERROR", f"Restart failed: {error}")
            await self.log("ERROR", f"plugin/reload: Corefile changed but reload failed: {error}")
            return False
        text = f"plugin/reload: Running configuration SHA512 = {self._digest}"
        await self.log("INFO", text)
        await self.log("INFO", "Reloading complete")
        if old is not None:
            # By the new one's task: this one may be the old one's.
            self._group.spawn(self._stop(old), "stop")
        return True

    def _read(self) -> tuple[str, str]:
        """The Corefile and its digest. Unusable."""
        try:
            data = self._call.files.read(self._path)
        except OSError as error:
            if self._path == "Corefile":
                data = _USUAL.format(port=self._port).encode()
            else:
                why = (error.strerror or "").lower()
                raise Unusable(f"loading Caddyfile via flag: open {self._path}: {why}") from error
        return data.decode(errors="replace"), hashlib.sha512(data).hexdigest()

    def _imported(self, pattern: str) -> Mapping[str, str]:
        """The files that `import` means."""
        files = self._call.files
        path = posixpath.join(posixpath.dirname(self._call.path(self._path)), pattern)
        folder, _, name = path.rpartition("/")
        try:
            found = [one for one in sorted(files.names(folder)) if fnmatch.fnmatch(one, name)]
            paths = [f"{folder}/{one}" for one in found]
            return {one: files.read(one).decode(errors="replace")
                    for one in paths if not files.is_folder(one)}  # fmt: skip
        except OSError:
            return {}

    async def _made(self) -> Instance:
        """An instance as the Corefile has it now. Unusable, incluster.Outside."""
        text, digest = self._read()
        file = self._path
        blocks = corefile.blocks(
            text, env=self._call.env, known=chain.known, file=file, load=self._imported,
            port=self._port,
        )  # fmt: skip
        stack = AsyncExitStack()
        instance = Instance(stack)
        clients: list[Client] = []

        def client() -> "Client":
            if not clients:
                try:
                    clients.append(incluster.client(self._call, manager="coredns"))
                except incluster.Outside as error:
                    raise Unusable(f"plugin/kubernetes: {error}") from error
            return clients[0]

        for block in blocks:
            server = Server(
                self._call, block.keys, self._metrics, self.log, client,
                self._looking(instance, block.keys[0].port), instance.sites, instance.plugins,
                instance.be_lame, self.reload,
            )  # fmt: skip
            plugins = chain.plugins(block, server)
            instance.plugins += plugins
            following = chain.joined(plugins)
            for key in block.keys:
                if key.transport != "dns":
                    text = f"{key.transport}:// is not built in the emulated CoreDNS"
                    raise Unusable(text)
                instance.servers.setdefault(key.port, {})[key.zone] = following
                instance.keys.append(key)
        for plugin in instance.plugins:
            await plugin.begin()
        for one in clients:
            await stack.enter_async_context(one)
        self._digest = digest
        return instance

    @staticmethod
    def _looking(instance: Instance, port: int) -> Following:
        async def look(query: Query) -> Reply:
            return await instance.ask(query, port)

        return look

    async def _start(self, instance: Instance) -> None:
        """Have this instance answer. _Taken."""
        instance.running = self._group.spawn(instance.run(), "plugins")
        self._listen_http(instance)
        for plugin in instance.plugins:
            if isinstance(plugin, Kubernetes):
                await plugin.synced()
        for port in instance.servers:
            if port in self._sockets:
                self._sockets[port].asked = instance
                continue
            made = self._sockets[port] = Sockets(instance, port, self._group)
            try:
                made.serve(self._call.net.datagrams(port), self._call.net.listen(port))
            except OSError as error:
                del self._sockets[port]
                raise _Taken(f"listen tcp :{port}: bind: {_why(error)}") from error
        for port in [one for one in self._sockets if one not in instance.servers]:
            self._sockets.pop(port).close()
        self._instance = instance

    async def _stop(self, instance: Instance) -> None:
        if instance.running is not None:
            instance.running.cancel()
        await instance.stack.aclose()

    def _listen_http(self, instance: Instance) -> None:
        for place in instance.sites:
            if place in self._sites:
                continue
            host, port = place
            site = serving.Site(handler=self._page(place, instance),
                                now=self._call.kernel.clock.now)  # fmt: skip
            try:
                listener = self._call.net.listen(port, host)
            except OSError as error:
                raise _Taken(f"listen tcp {host}:{port}: bind: {_why(error)}") from error
            self._listeners[place] = listener
            self._sites[place] = serving.Server(site, self._group)
            self._sites[place].listen(listener)

    def _page(self, place: Place, first: Instance) -> Handler:
        async def page(request: Request) -> Response:
            now = self._instance or first
            handler = now.sites.get(place, {}).get(request.path)
            return await handler(request) if handler is not None else not_found()

        return page


class _Taken(Exception):
    """A port is not to be had."""


def _why(error: OSError) -> str:
    taken = error.errno == errno.EADDRINUSE
    return "address already in use" if taken else str(error.strerror or error).lower()


def _seconds(value: float) -> str:
    from cluster.runtime.emulated.web import golang

    return golang.duration(value)


def version(call: Call) -> str:
    """The version that the image's tag names."""
    return releases.version(call.kernel.image_tag, VERSION)


async def coredns(call: Call) -> int:
    """`coredns [-conf FILE] [-dns.port PORT] [-plugins] [-version]`."""
    path, port = "Corefile", corefile.DEFAULT_PORT
    words = list(call.argv[1:])
    while words:
        name, equals, value = words.pop(0).lstrip("-").partition("=")
        if name == "version":
            await call.out(f"CoreDNS-{version(call)}\n{_GO}\n")
            return 0
        if name == "plugins":
            await call.out("Server types:\n  dns\n\nOther plugins:\n" +
                           "".join(f"  dns.{one}\n" for one in sorted(chain.ORDER)))  # fmt: skip
            return 0
        if name in ("conf", "dns.port", "p", "pidfile"):
            given = value if equals else (words.pop(0) if words else "")
            if name == "conf":
                path = given
            elif name != "pidfile":
                if not given.isdigit() or not 0 < int(given[:6]) < 65536:
                    return await call.complain(f'invalid value "{given}" for flag -{name}', 2)
                port = int(given)
        elif name not in ("quiet", "alsologtostderr", "logtostderr"):
            await call.io.stderr.write(encoded(f"flag provided but not defined: -{name}\n"))
            return 2
    return await CoreDns(call, path, port).run()
