"""The flags by which a component, or a command, reaches an API server over gRPC."""

import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from cluster.cli import flags

if TYPE_CHECKING:
    import asyncio

    from cluster.client.channel import ChannelTls
    from cluster.client.client import Client
    from cluster.client.named import Servers
    from cluster.client.transport import Transport

F = TypeVar("F", bound=Callable[..., Any])

RUNTIME: Final = "unix:/run/kubemu/runtime.sock"
ENDPOINT_HELP: Final = (
    "Where {} is served: unix:/path, host:port, or tls://host:port to use the same certificates "
    "as for the API server."
)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True)
class Connection:
    """Where API servers are (`host:port` or `unix:path`), and by what certificates."""

    servers: tuple[str, ...]
    tls: "ChannelTls | None"
    files: tuple[Path, ...] = ()
    """What the certificates were read from."""
    read: "Callable[[], ChannelTls | None] | None" = None
    """Reads them anew. OSError, ValueError, faults.Fault."""
    poll: float = 10.0
    """Seconds between two looks at them."""
    wake: "asyncio.Event | None" = None
    """Set by who has written one of them: they are looked at at once."""

    @asynccontextmanager
    async def client(self, manager: str) -> AsyncIterator["Client"]:
        """A client whose writes are those of `manager`."""
        from cluster.client import client, grpc_transport

        async with self.connected() as connected:
            several = len(self.servers) > 1
            transport = grpc_transport.GrpcTransport(connected, others=several)
            counted = self._counted(transport)
            async with client.Client(counted, manager=manager) as made:
                yield made

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Any]:
        """A channel that is made anew when the files of its certificates change, or the servers are
        elsewhere.
        """
        from cluster.client import channel

        servers = await self._named()
        if self.read is None and servers is None:
            async with channel.connect(self.servers, self.tls) as connected:
                yield connected
            return
        from cluster.aio import tasks
        from cluster.cli.followedfiles import Followed
        from cluster.client.renewing import RenewingChannel

        followed = Followed(self.files, self.read or (lambda: self.tls), self.tls)

        def make() -> Any:
            tls = followed.present
            if servers is None:
                return channel.connect(self.servers, tls)
            if tls is not None:
                tls = replace(tls, server_name=tls.server_name or servers.name)
            return channel.connect(servers.addresses, tls, others=True)

        made = RenewingChannel(make)
        async with made as connected, tasks.Group("connection") as group:
            if self.read is not None:
                group.spawn(followed.run(made.renew, self.poll, self.wake), "files")
            if servers is not None:
                group.spawn(servers.run(made), "names")
            try:
                yield connected
            finally:
                group.cancel()

    async def _named(self) -> "Servers | None":
        """Where several servers are now that have names; None where there are no such."""
        if len(self.servers) == 1:
            return None
        from cluster.client import named  # late: most have one server

        if not named.any_named(self.servers):
            return None
        servers = named.Servers(self.servers)
        await servers.look()
        return servers

    def _counted(self, transport: "Transport") -> "Transport":
        """The transport, counting where the process counts for /metrics."""
        module = sys.modules.get("cluster.client.figures")
        figures = module.current.get() if module is not None else None
        if figures is None:
            return transport
        from cluster.client.measured import MeasuredTransport

        return MeasuredTransport(transport, figures, self.servers[0])

    def channel(self, endpoint: str) -> Any:
        """A channel to another server of the cluster; see ENDPOINT_HELP."""
        from cluster.client import channel

        address = endpoint.removeprefix("tls://")
        return channel.connect(
            [address.removeprefix("tcp://")], self.tls if address != endpoint else None
        )


def options(function: F) -> F:
    """Take the flags below; `from_flags` makes a Connection of them."""
    for decorate in (
        flags.option("client-key", "Private key of --client-certificate, in PEM.", FILE),
        flags.option("client-certificate", "Certificate to be known by, in PEM.", FILE),
        flags.option("certificate-authority", "Who signed the server's certificate, in PEM.", FILE),
        flags.option(
            "server",
            "gRPC addresses of API servers (host:port or unix:path), instead of the kubeconfig's.",
            flags.LIST,
        ),
        flags.option(
            "kubeconfig", "Kubeconfig that names the API server and holds the certificates.", FILE
        ),
    ):
        function = decorate(function)
    return function


def from_flags(values: dict[str, Any]) -> Connection:
    """The Connection that the flags tell of, which are taken out of `values`. click.UsageError.

    Files that change are read again, and the connection is made anew.
    """
    path: Path | None = values.pop("kubeconfig")
    servers: tuple[str, ...] = values.pop("server") or ()
    names = ("certificate_authority", "client_certificate", "client_key")
    files = [values.pop(name) for name in names]
    if path is not None:
        servers = servers or of_kubeconfig(path).servers
    if not servers:
        raise click.UsageError(
            "Nothing says where the API server is: give --kubeconfig or --server."
        )
    if len(servers) > 1:
        from cluster.client import named

        try:
            named.any_named(servers)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
    followed = tuple(file for file in (path, *files) if file is not None)

    def read() -> "ChannelTls | None":
        return _tls(path, files)

    return Connection(tuple(servers), _tls(path, files), followed, read)


def _tls(path: Path | None, files: Sequence[Path | None]) -> "ChannelTls | None":
    """What a kubeconfig and three files say together: the files win. OSError, faults.Fault."""
    from cluster.client.channel import ChannelTls

    given = [file.read_bytes() if file else b"" for file in files]
    embedded = of_kubeconfig(path).tls if path is not None else None
    if embedded is not None:
        held = (embedded.ca, embedded.certificate, embedded.key)
        given = [new or old for new, old in zip(given, held, strict=True)]
    return ChannelTls(given[0], given[1], given[2]) if given[0] else None


def of_kubeconfig(path: Path) -> Connection:
    """The Connection that a kubeconfig of ours tells of. kubeconfig.Unreadable."""
    from cluster.client.channel import ChannelTls
    from cluster.launcher import kubeconfig

    access = kubeconfig.access(path)
    tls = ChannelTls(access.authority, access.certificate, access.key)
    return Connection(tuple(filter(None, access.grpc.split(","))), tls)
