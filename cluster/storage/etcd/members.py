"""The members of an etcd cluster as this server reaches them: one at a time, and on to the next
where one does not answer.
"""

import asyncio
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Final

import grpc

from cluster.aio.backoff import Backoff
from cluster.pb.etcd.v3 import rpc_pb2 as pb
from cluster.storage.etcd import faults
from cluster.storage.etcd.settings import Settings
from cluster.storage.interface import Unavailable

_OPTIONS: Final = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # etcd ends connections that ping more often than every five seconds.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.enable_http_proxy", 0),
    ("grpc.service_config_disable_resolution", 1),
    # gRPC would try a call again that may have been carried out: here its caller decides.
    ("grpc.enable_retries", 0),
)
_UNARY: Final[Mapping[str, tuple[str, Any]]] = {
    "Range": ("KV", pb.RangeResponse),
    "Txn": ("KV", pb.TxnResponse),
    "Compact": ("KV", pb.CompactionResponse),
    "Alarm": ("Maintenance", pb.AlarmResponse),
    "Status": ("Maintenance", pb.StatusResponse),
    "Defragment": ("Maintenance", pb.DefragmentResponse),
    "HashKV": ("Maintenance", pb.HashKVResponse),
    "MemberList": ("Cluster", pb.MemberListResponse),
}
_PAUSE_SECONDS: Final = 0.05
_LONGEST_PAUSE: Final = 0.5
_JITTER: Final = 0.2


class Member:
    """One member: its calls by name, none of which waits for a connection."""

    def __init__(self, server: str, channel: Any) -> None:
        self.server = server
        self._channel = channel
        self._unary = {
            name: channel.unary_unary(
                f"/etcdserverpb.{service}/{name}",
                request_serializer=_bytes,
                response_deserializer=answer.FromString,
            )
            for name, (service, answer) in _UNARY.items()
        }
        self.watch: Callable[..., Any] = channel.stream_stream(
            "/etcdserverpb.Watch/Watch",
            request_serializer=_bytes,
            response_deserializer=pb.WatchResponse.FromString,
        )
        self.snapshot: Callable[..., Any] = channel.unary_stream(
            "/etcdserverpb.Maintenance/Snapshot",
            request_serializer=_bytes,
            response_deserializer=pb.SnapshotResponse.FromString,
        )

    def begin(self, name: str, request: Any, seconds: float) -> Any:
        """Start a call that fails after `seconds`; to be awaited. grpc.aio.AioRpcError."""
        return self._unary[name](request, timeout=seconds)

    async def call(self, name: str, request: Any, seconds: float) -> Any:
        """The answer. faults.Unanswered, Refused, Past, Future."""
        try:
            return await self.begin(name, request, seconds)
        except grpc.aio.AioRpcError as error:
            raise faults.judged(error) from error

    async def close(self) -> None:
        """End the connection and what is under way."""
        await self._channel.close()


class Members:
    """All members that the settings name. `current` is the one that is asked, `watched` the one
    whose watch is heard.
    """

    def __init__(self, settings: Settings, random: Random) -> None:
        self._random = random
        self._settings = settings
        self._members = [
            Member(server, _channel(settings, settings.target(server)))
            for server in settings.servers
        ]
        self._at = 0
        self._watched = 0

    @property
    def current(self) -> Member:
        """Whom to ask."""
        return self._members[self._at]

    @property
    def watched(self) -> Member:
        """Whose watch to hear."""
        return self._members[self._watched]

    def turn_watch(self) -> None:
        """Hear the next one's."""
        self._watched = (self._watched + 1) % len(self._members)

    @property
    def every(self) -> list[Member]:
        """All, in the order of the settings."""
        return list(self._members)

    def leave(self, member: Member) -> None:
        """`member` did not answer: ask the next one, unless that was done already."""
        if member is self.current:
            self._at = (self._at + 1) % len(self._members)

    async def ask(self, name: str, request: Any) -> Any:
        """The answer to a call that may be carried out twice, of whichever member gives it first.

        Unavailable, after the settings' patience, or where it is refused; faults.Past, Future.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + self._settings.patience_seconds
        backoff = self.backoff()
        while True:
            member, left = self.current, end - loop.time()
            try:
                return await member.call(name, request, min(self._settings.try_seconds, left))
            except faults.Refused as error:
                raise Unavailable(str(error)) from error
            except faults.Unanswered as error:
                self.leave(member)
                pause = backoff.next()
                if end - loop.time() <= pause:
                    raise Unavailable(self.silence(error)) from error
            await asyncio.sleep(pause)

    def backoff(self) -> Backoff:
        """The pauses between the tries of one call."""
        return Backoff(self._random, initial=_PAUSE_SECONDS, maximum=_LONGEST_PAUSE, jitter=_JITTER)

    def silence(self, error: BaseException) -> str:
        """The sentence for when nobody answers."""
        servers = ", ".join(self._settings.servers)
        return f"etcd at {servers} does not answer, or has no quorum: {error}"

    async def close(self) -> None:
        """End all connections."""
        for member in self._members:
            await member.close()


def _channel(settings: Settings, target: str) -> Any:
    if not settings.tls:
        return grpc.aio.insecure_channel(target, options=_OPTIONS)
    credentials = grpc.ssl_channel_credentials(
        root_certificates=settings.ca or None,
        private_key=settings.key or None,
        certificate_chain=settings.certificate or None,
    )
    return grpc.aio.secure_channel(target, credentials, options=_OPTIONS)


def _bytes(message: Any) -> bytes:
    serialized: bytes = message.SerializeToString()
    return serialized
