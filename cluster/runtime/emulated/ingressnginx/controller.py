"""The program `nginx-ingress-controller`: follows the API, and serves what it says."""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from cluster.aio import tasks
from cluster.api import objects, regexes
from cluster.client.client import Client
from cluster.client.election import Config
from cluster.client.informer import Change, Informers
from cluster.client.recorder import NORMAL, Recorder
from cluster.runtime.emulated import incluster, releases
from cluster.runtime.emulated.ingressnginx import (
    annotations,
    certificates,
    model,
    options,
    status,
    webhook,
)
from cluster.runtime.emulated.ingressnginx.endpoints import Endpoints
from cluster.runtime.emulated.ingressnginx.exchange import Exchange
from cluster.runtime.emulated.ingressnginx.handling import Handler, refused
from cluster.runtime.emulated.ingressnginx.model import Model
from cluster.runtime.emulated.web import golang, serving
from cluster.runtime.emulated.web.messages import Request, Response, text
from cluster.runtime.vos.kernel import Call, encoded
from cluster.runtime.vos.sockets import Listener, Stream
from cluster.runtime.vos.tls import Tls

VERSION: Final = "v1.12.1"
_TERM, _INT, _QUIT = 15, 2, 3
_SYNC_SECONDS: Final = 60.0
_GATHER: Final = 0.05
"""Seconds in which changes are gathered before the configuration is made anew."""
_DRAIN: Final = 240.0
"""Seconds that connections get to end (worker-shutdown-timeout)."""
_MAX_SERIES: Final = 2000


class Controller:
    """The controller, running. It is `handling.State`."""

    def __init__(self, call: Call, told: options.Settings) -> None:
        self._call = call
        self._told = told
        self.model = Model()
        self.endpoints = Endpoints()
        self.default = told.default
        self.base = annotations.Settings()
        self._ingresses: dict[str, objects.Object] = {}
        self._classes: dict[str, objects.Object] = {}
        self._services: dict[str, objects.Object] = {}
        self._secrets: dict[str, objects.Object] = {}
        self._pairs: dict[tuple[str, str], bytes | None] = {}
        self._changed = asyncio.Event()
        self._ending = asyncio.Event()
        self._synced = False
        self._reloads = 0
        self._requests: dict[tuple[str, ...], int] = {}
        self._recorder: Recorder | None = None
        self._status: status.Status | None = None
        self._said: dict[str, tuple[str, ...]] = {}
        self._noted: dict[str, tuple[str, str]] = {}
        self._listeners: list[Listener] = []

    def secret(self, namespace: str, name: str) -> objects.Object | None:
        """See `handling.State`."""
        return self._secrets.get(f"{namespace}/{name}")

    async def run(self) -> int:
        """Serve until told to end; the exit code."""
        call = self._call
        for number in (_TERM, _INT, _QUIT):
            call.process.handlers[number] = lambda _number: self._ending.set()
        await self._banner()
        try:
            client = incluster.client(call, manager="nginx-ingress-controller")
        except incluster.Outside as error:
            await golang.klog(call, str(error), "F", "main.go:67")
            return 255
        async with client, tasks.Group("ingress-nginx") as group:
            try:
                servers = await self._started(client, group)
            except OSError as error:
                await golang.klog(call, f"{error}", "F", "nginx.go:1")
                group.cancel()
                return 255
            await self._ending.wait()
            await self._end(servers)
            group.cancel()
        return 0

    async def _banner(self) -> None:
        line = "-" * 79
        await self._call.io.stderr.write(encoded(
            f"{line}\nNGINX Ingress controller\n  Release:       {version(self._call)}\n"
            "  Build:         kubemu\n  Repository:    https://github.com/kubernetes/ingress-nginx\n"
            f"  nginx version: nginx/1.25.5\n\n{line}\n\n"
        ))  # fmt: skip

    # ---- following the API -----------------------------------------------------------------------

    async def _started(self, client: Client, group: tasks.Group) -> list[serving.Server]:
        """Follow and serve. OSError; serving.Taken."""
        call, told = self._call, self._told
        chance = random.Random(call.kernel.hostname)  # noqa: S311
        if told.events:
            self._recorder = Recorder(client, call.kernel.clock, chance, "nginx-ingress-controller")
            group.spawn(self._recorder.run(), "events")
        informers = self._informers(client)
        informers.start(group)
        self._health(group)
        await golang.klog(call, "Starting NGINX Ingress controller", place="nginx.go:271")
        try:
            async with asyncio.timeout(_SYNC_SECONDS):
                await informers.synced()
        except TimeoutError:
            text = "timed out waiting for caches to sync"
            raise OSError(0, text) from None
        self._rebuild()
        self._synced = True
        servers = self._serve(group)
        if told.update_status:
            self._status = self._made_status(client)
            group.spawn(self._status.run(), "status")
        if told.webhook:
            await self._review(group)
        group.spawn(self._follow(), "follow")
        await golang.klog(call, "Starting NGINX process", place="nginx.go:317")
        await self._reloaded()
        await self._tell()
        return servers

    def _informers(self, client: Client) -> Informers:
        informers = Informers(client)
        namespace = self._told.model.namespace
        kept: Sequence[tuple[str, Callable[[Change], None]]] = (
            ("ingresses.networking.k8s.io", self._keeper(self._ingresses)),
            ("services", self._keeper(self._services, self.endpoints.put_service, quiet=True)),
            ("endpointslices.discovery.k8s.io", self._keeper({}, self.endpoints.put_slice,
                                                             quiet=True)),
            ("secrets", self._keeper(self._secrets, self._forget_pair)),
        )  # fmt: skip
        for resource, take in kept:
            informers.get(resource, namespace=namespace).on_change(take)
        informers.get("ingressclasses.networking.k8s.io").on_change(self._keeper(self._classes))
        place = self._told.config
        if place is not None:
            informers.get("configmaps", namespace=place[0]).on_change(self._configured)
        return informers

    def _keeper(
        self,
        kept: dict[str, objects.Object],
        put: Callable[[str, objects.Object | None], None] | None = None,
        *,
        quiet: bool = False,
    ) -> Callable[[Change], None]:
        def take(change: Change) -> None:
            if change.new is None:
                kept.pop(change.key, None)
            else:
                kept[change.key] = change.new
            if put is not None:
                put(change.key, change.new)
            if not quiet:
                self._changed.set()
            elif self._status is not None:
                self._status.look()

        return take

    def _forget_pair(self, key: str, _obj: objects.Object | None) -> None:
        namespace, _, name = key.partition("/")
        self._pairs.pop((namespace, name), None)

    def _configured(self, change: Change) -> None:
        place = self._told.config
        if place is not None and change.key == "/".join(place):
            data = (change.new or {}).get("data") or {}
            self.base = annotations.of_controller(data)
            self._changed.set()

    async def _follow(self) -> None:
        """Make the configuration anew when something of it has changed."""
        while True:
            await self._changed.wait()
            await asyncio.sleep(_GATHER)
            self._changed.clear()
            before = self.model.servers
            self._rebuild()
            if self.model.servers != before:
                await golang.klog(
                    self._call, "Configuration changes detected, backend reload required",
                    place="controller.go:210",
                )  # fmt: skip
                await self._reloaded()
            await self._tell()
            if self._status is not None:
                self._status.look()

    def _rebuild(self) -> None:
        self.model = model.build(
            self._ingresses.values(), self._classes.values(), self._told.model, self.base,
            compiled=_compiled,
            has_certificate=lambda namespace, name: self._pair(namespace, name) is not None,
        )  # fmt: skip

    async def _reloaded(self) -> None:
        self._reloads += 1
        await golang.klog(self._call, "Backend successfully reloaded", place="controller.go:230")

    async def _tell(self) -> None:
        """Say what is wrong with Ingresses, and of new ones that they are served."""
        call = self._call
        for key, lines in self.model.complaints.items():
            if self._said.get(key) != tuple(lines):
                for line in lines:
                    await golang.klog(call, f"{key}: {line}", "W", "controller.go:1214")
        self._said = {key: tuple(lines) for key, lines in self.model.complaints.items()}
        for key, ingress in self.model.owned.items():
            revision = str(objects.meta(ingress).get("generation") or 1)
            uid = objects.uid(ingress)
            if self._recorder is not None and self._noted.get(key) != (uid, revision):
                named = {**ingress, "apiVersion": "networking.k8s.io/v1", "kind": "Ingress"}
                self._recorder.event(named, NORMAL, "Sync", "Scheduled for sync")
            self._noted[key] = (uid, revision)
        for key in [key for key in self._noted if key not in self.model.owned]:
            del self._noted[key]

    # ---- certificates ----------------------------------------------------------------------------

    def _pair(self, namespace: str, name: str) -> bytes | None:
        place = (namespace, name)
        if place not in self._pairs:
            self._pairs[place] = certificates.pair(self._secrets.get(f"{namespace}/{name}"))
        return self._pairs[place]

    def _chosen(self, host: str) -> bytes | None:
        """The certificate of a host, or the default one."""
        server = self.model.server(host)
        if server is not None and server.secret is not None:
            found = self._pair(*server.secret)
            if found is not None:
                return found
        return self._pair(*self._told.certificate) if self._told.certificate else None

    # ---- serving ---------------------------------------------------------------------------------

    def _serve(self, group: tasks.Group) -> list[serving.Server]:
        """Listen for requests. OSError."""
        call = self._call
        handler = Handler(call, self, self._count)
        context = certificates.by_name(self._chosen, certificates.fake())

        async def wrap(stream: Stream) -> Stream:
            tls = Tls(stream, context)
            await tls.handshake()
            return tls

        found: list[serving.Server] = []
        for port, scheme in ((self._told.http, "http"), (self._told.https, "https")):
            site = serving.Site(
                handler=handler, now=call.kernel.clock.now, heard=handler.heard, scheme=scheme,
                wrap=wrap if scheme == "https" else None, heads=serving.NGINX, refused=refused,
            )  # fmt: skip
            server = serving.Server(site, group)
            server.listen(self._listener(port))
            found.append(server)
        return found

    def _listener(self, port: int) -> Listener:
        listener = self._call.net.listen(port)
        self._listeners.append(listener)
        return listener

    def _health(self, group: tasks.Group) -> None:
        """Serve /healthz and /metrics. OSError."""

        async def page(request: Request) -> Response:
            if request.path == self._told.health_path:
                if self._ending.is_set():
                    return golang.error("[+]ping ok\n[-]nginx-ingress-controller failed: reason "
                                        "withheld\nhealthz check failed", 500)  # fmt: skip
                return text("ok") if self._synced else golang.error("not synced", 500)
            if request.path == "/metrics":
                return text(self._metrics(), kind="text/plain; version=0.0.4; charset=utf-8")
            return golang.not_found()

        site = serving.Site(handler=page, now=self._call.kernel.clock.now)
        serving.Server(site, group).listen(self._call.net.listen(self._told.healthz))

    async def _review(self, group: tasks.Group) -> None:
        """Serve the validating webhook, where its certificate is there."""
        told, files = self._told, self._call.files
        try:
            pem = files.read(told.webhook_key) + b"\n" + files.read(told.webhook_certificate)
            context = certificates.context(pem)
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            await golang.klog(self._call, f"Error loading webhook certificate: {why}", "E")
            return

        async def wrap(stream: Stream) -> Stream:
            tls = Tls(stream, context)
            await tls.handshake()
            return tls

        async def handler(request: Request) -> Response:
            return await webhook.answer(request, self._verdict)

        site = serving.Site(handler=handler, now=self._call.kernel.clock.now, wrap=wrap,
                            scheme="https")  # fmt: skip
        serving.Server(site, group).listen(self._call.net.listen(told.webhook))

    def _verdict(self, ingress: objects.Object) -> str:
        """Why an Ingress cannot be served beside those that there are; "" where it can."""
        key = objects.key(ingress)
        others = {**self._ingresses, key: ingress}
        found = model.build(
            others.values(), self._classes.values(), self._told.model, self.base,
            compiled=_compiled, has_certificate=lambda _namespace, _name: True,
        )  # fmt: skip
        wrong = [line for line in found.complaints.get(key, ()) if "already defined" in line
                 or "invalid" in line]  # fmt: skip
        return wrong[0] if wrong else ""

    def _count(self, exchange: Exchange, sent: serving.Sent) -> None:
        location = exchange.location
        namespace, name = location.ingress if location is not None else ("", "")
        backend = location.backend if location is not None else None
        host = exchange.server.host if exchange.server is not None else "_"
        labels = (host, name, exchange.request.method[:16], namespace,
                  location.path if location is not None else "",
                  backend.service if backend is not None else "",
                  str(sent.response.status))  # fmt: skip
        if labels in self._requests or len(self._requests) < _MAX_SERIES:
            self._requests[labels] = self._requests.get(labels, 0) + 1

    def _metrics(self) -> str:
        names = ("host", "ingress", "method", "namespace", "path", "service", "status")
        head = "nginx_ingress_controller"
        lines = [
            f"# HELP {head}_requests The total number of client requests.",
            f"# TYPE {head}_requests counter",
        ]
        for labels, count in sorted(self._requests.items()):
            pairs = zip(names, labels, strict=True)
            shown = ",".join(f'{key}="{_escaped(value)}"' for key, value in pairs)
            lines.append(f"{head}_requests{{{shown}}} {count}")
        lines += [
            f"# HELP {head}_success Cumulative number of Ingress controller reload operations.",
            f"# TYPE {head}_success counter",
            f"{head}_success {self._reloads}",
        ]
        return "\n".join(lines) + "\n"

    # ---- status and end --------------------------------------------------------------------------

    def _made_status(self, client: Client) -> status.Status:
        told = self._told
        namespace = self._call.env.get("POD_NAMESPACE") or incluster.namespace(self._call)
        election = None
        if told.elects:
            identity = self._call.env.get("POD_NAME") or self._call.kernel.hostname
            # Who is killed writes nothing more.
            election = Config(
                told.election, identity, namespace, 30.0, 15.0, 7.5, release_on_cancel=False
            )
        return status.Status(
            self._call, client, election, lambda: list(self.model.owned.values()), self._where
        )

    def _where(self) -> list[Mapping[str, Any]]:
        if self._told.addresses:
            return [{("ip" if one.replace(".", "").isdigit() or ":" in one else "hostname"): one}
                    for one in sorted(self._told.addresses)]  # fmt: skip
        if self._told.publish is None:
            return []
        return status.of_service(self._services.get("/".join(self._told.publish)))

    async def _end(self, servers: Sequence[serving.Server]) -> None:
        """End without dropping what is under way."""
        call = self._call
        await golang.klog(call, "Received SIGTERM, shutting down", place="sigterm.go:34")
        await asyncio.sleep(self._told.grace)
        await golang.klog(call, "Shutting down controller queues", place="nginx.go:393")
        if self._status is not None and self._status.leads and self._told.clear_status:
            await self._status.write([])
        for listener in self._listeners:
            listener.close()
        for server in servers:
            server.drain()
        deadline = asyncio.get_running_loop().time() + _DRAIN
        while any(one.connections for one in servers):
            if asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(0.05)
        await golang.klog(call, "Stopping admission controller", place="nginx.go:401")
        await golang.klog(call, "Exiting", place="sigterm.go:47")


def _compiled(pattern: str) -> model.Pattern:
    """A pattern of a user, which cannot take for ever (RE2). ValueError."""
    found: model.Pattern | None = regexes.program(pattern)
    if found is None:
        raise ValueError(regexes.fault(pattern))
    return found


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def version(call: Call) -> str:
    """The release that the image's tag names."""
    return "v" + releases.version(call.kernel.image_tag, VERSION[1:])


async def controller(call: Call) -> int:
    """`/nginx-ingress-controller`."""
    try:
        told = options.read(call.argv[1:], call.env)
    except options.Unknown as error:
        await golang.klog(call, str(error), "F", "main.go:45")
        return 255
    if told.version:
        await call.out(f"NGINX Ingress controller\n  Release: {version(call)}\n")
        return 0
    return await Controller(call, told).run()
