"""`kubemu balancer`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cluster.balancer import config as configs
from cluster.cli import connection, flags, process
from cluster.cli.flags import DURATION, LIST, NUMBER, TEXT, Setting

if TYPE_CHECKING:
    import ssl

_SETTINGS = (
    Setting("path", TEXT, "What a server that is ready answers with 200.", "check-path"),
    Setting("live_path", TEXT, "What a server that lives answers, however.", "check-live-path"),
    Setting("period", DURATION, "How often a server is asked.", "check-period"),
    Setting("timeout", DURATION, "How long its answer may take.", "check-timeout"),
    Setting("connect", DURATION, "How long a connection to it may take.", "connect-timeout"),
    Setting("most", NUMBER, "Connections at a time.", "max-connections"),
)


@click.command()
@flags.option("listen", "Where clients connect: host:port.", required=True)
@flags.option("backends", "The servers: host:port, with commas between.", LIST, required=True)
@flags.option(
    "check-addresses", "Where their health is asked for, if elsewhere, in the same order.", LIST
)
@flags.option("check-ca-file", "Who signed the servers' certificates, in PEM.", connection.FILE)
@flags.option("check-server-name", "The name that their certificates carry, if not the host's.")
@flags.settings(configs.Config, *_SETTINGS)
@process.logging_options
def balancer(log_level: str, log_format: str, **values: Any) -> None:
    """Spread TCP connections over API servers, to those that are ready.

    Bytes pass as they are: TLS is between client and server. A server that answers neither health
    check loses its connections; one that is not ready keeps them, and gets no new ones as long as
    another is ready.
    """
    servers, checks = values.pop("backends"), values.pop("check_addresses") or ()
    if checks and len(checks) != len(servers):
        raise click.UsageError("--check-addresses must name as many as --backends.")
    backends = tuple(
        configs.Backend(server, checks[number] if checks else "")
        for number, server in enumerate(servers)
    )
    listen = values.pop("listen")
    context = _context(values.pop("check_ca_file"))
    name = values.pop("check_server_name") or ""

    def make(**fields: Any) -> configs.Config:
        return configs.Config(listen=listen, backends=backends, name=name, **fields)

    config = flags.built(make, _SETTINGS, values)

    async def story(seams: process.Seams) -> None:
        from cluster.balancer.component import Balancer

        await process.serve(Balancer(config, context))

    process.run("balancer", story, log_level=log_level, log_format=log_format)


def _context(authority: Path | None) -> "ssl.SSLContext":
    """How servers are asked. Without an authority whoever answers is believed: what passes to it
    is TLS all the same, which the client checks.
    """
    import ssl

    try:
        context = ssl.create_default_context(cafile=str(authority) if authority else None)
    except OSError as error:
        raise click.UsageError(f"--check-ca-file {authority}: {error}") from error
    if authority is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
