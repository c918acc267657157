"""A gRPC server on asyncio: TLS from PEM bytes, health and reflection services, a bounded stop.

Every server of the house is built here, so that grpcurl and grpc_health_probe work on each.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

MAX_MESSAGE = 64 << 20
"""Bytes of one message, either way: a batch of writes, a chunk of a list."""

_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.max_send_message_length", MAX_MESSAGE),
    # Without this a second server on the port takes half of the connections without a word.
    ("grpc.so_reuseport", 0),
    # Clients ping through quiet watches; they are not to be punished for it.
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.max_ping_strikes", 0),
    # gRPC would let the windows of a quick connection grow to megabytes for each stream, which it
    # then holds for those that read slowly.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    # What really bounds the wait for an answer to a ping, which is a minute otherwise.
    ("grpc.http2.ping_timeout_ms", 20_000),
)


@dataclass(frozen=True, slots=True)
class ServerTls:
    """PEM bytes: the server's certificate chain and key, and the CA that clients must be signed by.

    Without `client_ca` no client certificate is asked for. With `require_client` false a client
    without one is let in as well, for the servicer to judge. `renewed` is asked whenever somebody
    connects (in a thread of gRPC's): what is to be shown from now on, None for what was shown last.
    """

    certificate: bytes
    key: bytes
    client_ca: bytes = b""
    require_client: bool = True
    renewed: "Callable[[], ServerTls | None] | None" = None

    def credentials(self) -> grpc.ServerCredentials:
        """What gRPC makes of it."""
        renewed = self.renewed
        if renewed is not None:
            return grpc.dynamic_ssl_server_credentials(
                self.configuration(),
                lambda: None if (found := renewed()) is None else found.configuration(),
                require_client_authentication=bool(self.client_ca) and self.require_client,
            )
        return grpc.ssl_server_credentials(
            [(self.key, self.certificate)],
            root_certificates=self.client_ca or None,
            require_client_auth=bool(self.client_ca) and self.require_client,
        )

    def configuration(self) -> grpc.ServerCertificateConfiguration:
        """What is shown, and who is believed, from now on."""
        return grpc.ssl_server_certificate_configuration(
            [(self.key, self.certificate)], root_certificates=self.client_ca or None
        )


class AddressInUse(OSError):
    """The address could not be listened on."""


class GrpcServer:
    """Build it, `add` services, `listen`, then use it in `async with`: it serves inside the block.

    `grace` bounds, in seconds, how long calls under way may take to end when it stops.
    """

    def __init__(
        self, *, tls: ServerTls | None = None, grace: float = 2.0, streams: int = 0
    ) -> None:
        """`streams` bounds the calls of one connection at a time; 0: no bound."""
        bound = (("grpc.max_concurrent_streams", streams),) if streams else ()
        self._server: Any = grpc.aio.server(options=(*_OPTIONS, *bound))
        self._credentials = tls.credentials() if tls else None
        self._grace = grace
        self._names: list[str] = []
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)

    def add(self, name: str, register: Callable[[Any, Any], None], servicer: object) -> None:
        """Add a service: its full name, the generated `add_…_to_server`, and who serves it."""
        register(servicer, self._server)
        self._names.append(name)

    def listen(self, address: str) -> int:
        """Listen on `host:port` (with TLS, where there is any) or `unix:path`; the port bound.

        Port 0 takes a free one. AddressInUse where the address cannot be had.
        """
        try:
            if self._credentials is None or address.startswith("unix:"):
                port = self._server.add_insecure_port(address)
            else:
                port = self._server.add_secure_port(address, self._credentials)
        except RuntimeError as failure:
            raise AddressInUse(f"cannot listen on {address}: {failure}") from failure
        if not port:
            raise AddressInUse(f"cannot listen on {address}")
        return int(port)

    async def __aenter__(self) -> Self:
        shown = (*self._names, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(shown, self._server)
        await self._server.start()
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        await self.set_serving(False)
        await self._server.stop(self._grace)

    async def set_serving(self, serving: bool, names: Sequence[str] = ()) -> None:
        """Tell the health service whether these services (all of them) answer, and the whole."""
        states = health_pb2.HealthCheckResponse
        state = states.SERVING if serving else states.NOT_SERVING
        for name in names or ("", *self._names):
            await self._health.set(name, state)

    async def serve(self) -> None:
        """Tell the health service that all is well, and serve until cancelled."""
        async with self:
            await self.set_serving(True)
            await asyncio.get_running_loop().create_future()
