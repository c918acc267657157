"""AMQP 0-9-1 as RabbitMQ speaks it, as far as connections and channels go. Sans-IO.

Queues and exchanges are not emulated: a channel that asks for one is closed with 540. Source: the
AMQP 0-9-1 specification, chapters 2 and 4; RabbitMQ's words for refusals.
"""

import struct
from collections.abc import Mapping
from typing import Final

HEADER: Final = b"AMQP\0\0\x09\x01"
FRAME_MAX: Final = 131072
_METHOD, _HEARTBEAT, _END = 1, 8, b"\xce"
_CHANNELS: Final = 2047
NOT_EMULATED: Final = "kubemu keeps no queues: this server only accepts connections"


class Malformed(Exception):
    """What came is no AMQP."""


def frame(kind: int, channel: int, payload: bytes) -> bytes:
    """A frame."""
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + _END


def _method(channel: int, class_: int, method: int, *arguments: bytes) -> bytes:
    payload = struct.pack(">HH", class_, method) + b"".join(arguments)
    return frame(_METHOD, channel, payload)


def _short(text: str) -> bytes:
    data = text.encode()[:255]
    return bytes([len(data)]) + data


def _long(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _table(fields: Mapping[str, str]) -> bytes:
    """A table of strings."""
    return _long(
        b"".join(_short(name) + b"S" + _long(value.encode()) for name, value in fields.items())
    )


def _string(data: bytes, at: int) -> tuple[str, int]:
    """A short string. IndexError."""
    end = at + 1 + data[at]
    return data[at + 1 : end].decode(errors="replace"), end


def _bytes(data: bytes, at: int) -> tuple[bytes, int]:
    """A long string, or a table unread. struct.error."""
    end = at + 4 + int(struct.unpack_from(">I", data, at)[0])
    return data[at + 4 : end], end


class Session:
    """One client, after its header. `closed`: it is to be hung up."""

    def __init__(self, users: Mapping[str, str], vhost: str, version: str) -> None:
        self._users = users
        self._vhost = vhost
        self._version = version
        self._open = False
        self._known = False
        self.closed = False
        self.log: list[str] = []

    def greeting(self) -> bytes:
        """Connection.Start."""
        told = {"product": "RabbitMQ", "version": self._version, "platform": "emulated by kubemu"}
        properties = _table(told)
        return _method(0, 10, 10, b"\0\x09", properties, _long(b"PLAIN"), _long(b"en_US"))

    def receive(self, kind: int, channel: int, payload: bytes) -> bytes:
        """A frame; what is answered. Malformed."""
        if kind == _HEARTBEAT:
            return frame(_HEARTBEAT, 0, b"")
        if kind != _METHOD:
            return b""  # The content of a message to a channel that is closed.
        try:
            class_, method = struct.unpack_from(">HH", payload)
            if class_ == 10:
                return self._connection(method, payload[4:])
            if not self._open:
                raise Malformed("a channel before a connection")
            return self._channel(channel, class_, method)
        except (struct.error, IndexError) as error:
            raise Malformed(str(error)) from error

    def _connection(self, method: int, body: bytes) -> bytes:
        if method == 11:
            return self._login(body)
        if method == 40 and self._known:
            name, _ = _string(body, 0)
            if name != self._vhost:
                return self._close(530, f"NOT_ALLOWED - vhost {name} not found")
            self._open = True
            return _method(0, 10, 41, _short(""))
        if method in (50, 51):
            self.closed = True
            return _method(0, 10, 51) if method == 50 else b""
        if method == 31 and self._known:
            return b""
        raise Malformed(f"method 10.{method}")

    def _login(self, body: bytes) -> bytes:
        _, at = _bytes(body, 0)
        mechanism, at = _string(body, at)
        response, _ = _bytes(body, at)
        parts = response.split(b"\0")
        name = parts[1].decode(errors="replace") if len(parts) == 3 else ""
        right = name in self._users and self._users[name].encode() == parts[-1]
        if mechanism != "PLAIN" or not right:
            self.log.append(f"PLAIN login refused: user '{name[:60]}' - invalid credentials")
            text = f"ACCESS_REFUSED - Login was refused using authentication mechanism {mechanism}."
            return self._close(403, f"{text} For details see the broker logfile.")
        self._known = True
        self.log.append(f"user '{name}' authenticated and granted access to vhost '{self._vhost}'")
        return _method(0, 10, 30, struct.pack(">HIH", _CHANNELS, FRAME_MAX, 60))

    def _close(self, code: int, text: str) -> bytes:
        return _method(0, 10, 50, struct.pack(">H", code), _short(text), bytes(4))

    def _channel(self, channel: int, class_: int, method: int) -> bytes:
        if (class_, method) == (20, 10):
            return _method(channel, 20, 11, _long(b""))
        if (class_, method) == (20, 40):
            return _method(channel, 20, 41)
        if (class_, method) == (20, 41):
            return b""
        if (class_, method) == (60, 10):  # Basic.Qos: nothing will be too much.
            return _method(channel, 60, 11)
        self.log.append(f"{NOT_EMULATED} (method {class_}.{method})")
        text = _short(f"NOT_IMPLEMENTED - {NOT_EMULATED}")
        where = struct.pack(">HH", class_, method)
        return _method(channel, 20, 40, struct.pack(">H", 540), text, where)
