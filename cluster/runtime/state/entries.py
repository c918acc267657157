"""What is written down of sandboxes, containers and images: values, and their bytes (MessagePack).

Configurations are the bytes of CRI's own messages. Times are nanoseconds since the epoch.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from cluster.runtime.records import Container, Sandbox


class Machine(msgspec.Struct, frozen=True, tag="machine"):
    """Whose state it is: the first record. `last_time` is later than every time in the file."""

    node: str
    last_time: int = 0


class Network(msgspec.Struct, frozen=True, tag="network"):
    """Where pod addresses come from."""

    pod_cidr: str


class Box(msgspec.Struct, frozen=True, tag="sandbox"):
    """A sandbox, as it was made."""

    id: str
    config: bytes
    handler: str
    created_at: int
    addresses: tuple[str, ...]
    ready: bool = True


class Stopped(msgspec.Struct, frozen=True, tag="stopped"):
    """A sandbox has stopped."""

    id: str


class Made(msgspec.Struct, frozen=True, tag="container"):
    """A container, as it was made. `pulled` is the id of an image that came from a registry."""

    id: str
    sandbox: str
    config: bytes
    created_at: int
    pulled: str = ""


class Fate(msgspec.Struct, frozen=True, tag="fate"):
    """How a container is now. `resized`: what it may use where that was changed, as CRI has it."""

    id: str
    state: int
    started_at: int = 0
    finished_at: int = 0
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    resized: bytes | None = None


class Gone(msgspec.Struct, frozen=True, tag="gone"):
    """A sandbox or a container is there no more."""

    id: str


class Image(msgspec.Struct, frozen=True, tag="images"):
    """The emulated images that are here, by name: all of them."""

    names: tuple[str, ...]


Entry = Machine | Network | Box | Stopped | Made | Fate | Gone | Image

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final[msgspec.msgpack.Decoder[Entry]] = msgspec.msgpack.Decoder(Entry)

encode = _encoder.encode


class Unreadable(Exception):
    """A record that is none of these; the message says why."""


def decode(payload: bytes) -> Entry:
    """The value of a record. Unreadable."""
    try:
        return _decoder.decode(payload)
    except msgspec.MsgspecError as error:
        raise Unreadable(str(error)) from error


def of_sandbox(sandbox: Sandbox) -> Box:
    """A sandbox as it is now."""
    return Box(
        sandbox.id, sandbox.config.SerializeToString(), sandbox.handler, sandbox.created_at,
        sandbox.addresses, sandbox.ready,
    )  # fmt: skip


def of_container(container: Container) -> Made:
    """A container as it was made."""
    return Made(
        container.id, container.sandbox.id, container.config.SerializeToString(),
        container.created_at, container.pulled.id if container.pulled is not None else "",
    )  # fmt: skip


def fate(container: Container) -> Fate:
    """A container as it is now."""
    resized = container.resized
    return Fate(
        container.id, int(container.state), container.started_at, container.finished_at,
        container.exit_code, container.reason, container.message,
        None if resized is None else resized.SerializeToString(),
    )  # fmt: skip


def everything(sandboxes: Iterable[Sandbox]) -> Iterable[Entry]:
    """All that is to be known of sandboxes and their containers."""
    for sandbox in sandboxes:
        yield of_sandbox(sandbox)
        for container in sandbox.containers.values():
            yield of_container(container)
            if container.state or container.resized is not None:
                yield fate(container)
