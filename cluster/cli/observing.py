"""The ports by which a component is looked at: health for everybody, figures for who may.

Nothing of it is imported before a port is asked for: `kubemu up` asks for none.
"""

import contextlib
import datetime
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from cluster.cli import flags
from cluster.cli.flags import NUMBER

if TYPE_CHECKING:
    from cluster.aio.clock import Clock
    from cluster.aio.pages import Asked, Page, Pages
    from cluster.client.client import Client
    from cluster.client.figures import Family, Figures

F = TypeVar("F", bound=Callable[..., Any])
Checks = Mapping[str, Callable[[], bool]]
"""What has to be so, by name."""


def secure_options(port: int) -> Callable[[F], F]:
    """`--secure-port` and `--bind-address`, as of kube-scheduler; Kubernetes' port is `port`."""
    return flags.together(
        (
            flags.option(
                "secure-port",
                f"Port of /healthz, /livez, /readyz and /metrics over TLS (Kubernetes: {port}); 0: "
                "none.",
                NUMBER,
                default=0,
            ),
            flags.option("bind-address", "Address that it is at.", default="0.0.0.0"),
        )
    )


@dataclass(frozen=True, slots=True)
class Port:
    """Where pages are served; by `tls`, or to whoever comes."""

    address: str
    number: int
    tls: ssl.SSLContext | None = None


def secure_port(values: dict[str, Any]) -> Port | None:
    """What the flags say; of TLS' (`servertls.options`) none is taken out. click.UsageError."""
    number, address = values.pop("secure_port"), values.pop("bind_address")
    if not number:
        return None
    certificate, key = values["tls_cert_file"], values["tls_private_key_file"]
    if certificate is None or key is None:
        raise click.UsageError("--secure-port needs --tls-cert-file and --tls-private-key-file.")
    return Port(address, number, _context(certificate, key, values["client_ca_file"]))


def plain_port(text: str, flag: str) -> Port | None:
    """`ADDRESS:PORT`, as kube-proxy takes it; "" for none. click.UsageError."""
    if not text:
        return None
    address, _, number = text.rpartition(":")
    if not address or not number.isdecimal() or int(number) > 65535:
        raise click.UsageError(f"{flag} {text!r} is not of the form ADDRESS:PORT.")
    return Port(address.strip("[]"), int(number))


PING: Final[Checks] = {"ping": lambda: True}


def standby(figures: "Figures | None", elects: bool) -> Callable[[], bool]:
    """Whether a component waits for its lease: then it is ready without doing anything."""
    return lambda: (
        elects and (figures is None or not figures.value("leader_election_master_status"))
    )


@contextlib.contextmanager
def counting(port: Port | None, *families: Mapping[str, "Family"]) -> Iterator["Figures | None"]:
    """What is made inside counts for /metrics, where there is a port for them."""
    if port is None:
        yield None
        return
    from cluster.client import figures, processfigures

    made = figures.Figures(processfigures.FAMILIES, *families)
    processfigures.follow(made)
    with figures.counting(made):
        yield made


def delegated(
    port: Port, figures: "Figures | None", client: "Client", clock: "Clock", *, live: Checks,
    ready: Checks,
) -> "Pages":  # fmt: skip
    """The pages of a component that asks the API server who may see its figures."""
    from cluster.aio.pages import Page, Pages
    from cluster.client.delegation import Delegation

    delegation = Delegation(client, clock)
    health = {"healthz": live, "livez": live, "readyz": {**live, **ready}}

    async def answer(asked: "Asked") -> "Page":
        refused = await delegation.refusal(asked)
        if refused is not None:
            return Page(refused, f"{refused.phrase}\n".encode())
        return _found(asked.path, health, figures)

    return Pages(port.address, port.number, answer, port.tls)


def plain(port: Port, figures: "Figures | None", health: Mapping[str, Checks]) -> "Pages":
    """Pages for whoever comes: `health` by path."""
    from cluster.aio.pages import Pages

    async def answer(asked: "Asked") -> "Page":
        return _found(asked.path, health, figures)

    return Pages(port.address, port.number, answer, port.tls)


def proxy_health(port: Port, clock: "Clock", programmed: Callable[[], bool]) -> "Pages":
    """kube-proxy's own page of health: what a load balancer asks."""
    from cluster.aio.pages import Page, Pages

    async def answer(asked: "Asked") -> "Page":
        if asked.path not in ("/healthz", "/livez"):
            return _nothing()
        good, moment = programmed(), datetime.datetime.fromtimestamp(clock.now(), datetime.UTC)
        body = f'{{"currentTime": "{moment:%Y-%m-%dT%H:%M:%SZ}", "healthy": {str(good).lower()}}}'
        status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
        return Page(status, body.encode(), "application/json")

    return Pages(port.address, port.number, answer, port.tls)


def _found(path: str, health: Mapping[str, Checks], figures: "Figures | None") -> "Page":
    from cluster.aio.pages import Page
    from cluster.client.figures import CONTENT_TYPE

    if path == "/metrics" and figures is not None:
        return Page(HTTPStatus.OK, figures.text(), CONTENT_TYPE)
    name, _, one = path.strip("/").partition("/")
    checks = health.get(name)
    if checks is None or (one and one not in checks):
        return _nothing()
    asked = {one: checks[one]} if one else checks
    failed = [check for check, passes in asked.items() if not passes()]
    if not failed:
        return Page(HTTPStatus.OK, b"ok")
    told = "".join(f"[-]{check} failed: reason withheld\n" for check in failed)
    return Page(HTTPStatus.INTERNAL_SERVER_ERROR, f"{told}{name} check failed\n".encode())


def _nothing() -> "Page":
    from cluster.aio.pages import Page

    return Page(HTTPStatus.NOT_FOUND, b"404 page not found\n")


def _context(certificate: Path, key: Path, authority: Path | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
        if authority is not None:
            context.load_verify_locations(authority)
            context.verify_mode = ssl.CERT_OPTIONAL
    except (OSError, ssl.SSLError) as error:
        raise click.UsageError(f"--tls-cert-file {certificate}: {error}") from error
    return context
