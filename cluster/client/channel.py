"""gRPC channels to other components: mutual TLS from PEM bytes, quickly back after a failure."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc

_MAX_MESSAGE = 64 << 20

_OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.max_receive_message_length", _MAX_MESSAGE),
    ("grpc.max_send_message_length", _MAX_MESSAGE),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # What really bounds the wait for a ping's answer, which is a minute otherwise.
    ("grpc.http2.ping_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    # gRPC would let the windows of a quick connection grow to megabytes for each stream, which it
    # then holds for those that read slowly.
    ("grpc.http2.bdp_probe", 0),
    # Components reach each other directly, whatever the environment says of proxies.
    ("grpc.enable_http_proxy", 0),
    ("grpc.service_config_disable_resolution", 1),
    # gRPC would try a call again that may have been carried out: here its caller decides.
    ("grpc.enable_retries", 0),
)


_BESIDE: tuple[tuple[str, Any], ...] = (
    # So long the first answer of a connection may take: a process of a machine that is busy. Where
    # nobody listens at a unix socket that is known at once.
    ("grpc.min_reconnect_backoff_ms", 10_000),
)

_SEVERAL: tuple[tuple[str, Any], ...] = (
    # With another server to go to, one that says nothing is given up within two seconds: a machine
    # that is gone, or a process that is stopped, closes no connection.
    ("grpc.keepalive_time_ms", 700),
    ("grpc.keepalive_timeout_ms", 600),
    ("grpc.http2.ping_timeout_ms", 600),
    ("grpc.max_reconnect_backoff_ms", 500),
)


@dataclass(frozen=True, slots=True)
class ChannelTls:
    """PEM bytes: the CA that signed the server, and the client's own certificate and key.

    `server_name` is the name that the server's certificate must carry, where that is not the host
    of the address.
    """

    ca: bytes
    certificate: bytes = b""
    key: bytes = b""
    server_name: str = ""


def connect(
    addresses: Sequence[str], tls: ChannelTls | None = None, *, others: bool = False
) -> Any:
    """A `grpc.aio.Channel` to the first of `addresses` that answers; close it when done.

    It stays with that one until the connection is lost, and then takes the first that answers
    again. With TLS each server's certificate must carry the name of the first address.
    An address is `host:port` or `unix:path`. ValueError where there is none, or where one of
    several is not an IP address with a port (`client.named` looks names up). `others`: there are
    more servers than can be told now, so that one that says nothing is given up soon.
    """
    target = _target(addresses)
    options = [*(dict(_OPTIONS) | dict(_apart(addresses, others=others))).items()]
    if tls is None:
        return grpc.aio.insecure_channel(target, options=options)
    if tls.server_name:
        options.append(("grpc.ssl_target_name_override", tls.server_name))
    elif len(addresses) > 1:
        options.append(("grpc.default_authority", addresses[0]))
    credentials = grpc.ssl_channel_credentials(
        root_certificates=tls.ca,
        private_key=tls.key or None,
        certificate_chain=tls.certificate or None,
    )
    return grpc.aio.secure_channel(target, credentials, options=options)


def _apart(addresses: Sequence[str], *, others: bool) -> tuple[tuple[str, Any], ...]:
    """The options of such addresses that are not everybody's."""
    if others or len(addresses) > 1:
        return _SEVERAL
    return _BESIDE if addresses[0].startswith("unix:") else ()


def _target(addresses: Sequence[str]) -> str:
    """The gRPC name of one address, or of several IP addresses that are tried in order."""
    if not addresses:
        raise ValueError("a channel needs the address of a server")
    if len(addresses) == 1:
        return addresses[0]
    versions = [_ip_version(address) for address in addresses]
    if len(set(versions)) > 1:
        raise ValueError(f"the addresses of one server are all IPv4 or all IPv6: {addresses}")
    return f"ipv{versions[0]}:{','.join(addresses)}"


def _ip_version(address: str) -> int:
    host, colon, port = address.rpartition(":")
    try:
        if not colon or not port.isdecimal():
            raise ValueError("there is no port")
        return ipaddress.ip_address(host.strip("[]")).version
    except ValueError as wrong:
        raise ValueError(f"{address!r} is not an IP address with a port: {wrong}") from wrong
