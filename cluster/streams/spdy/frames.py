"""Frames: values, and their bytes. Sections 2.2 and 2.6 of the specification.

A data frame may be 16 MB long, so the decoder hands out its parts as they come; only the last part
carries the frame's FIN. Control frames are whole, and small.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cluster.streams.spdy.faults import Malformed
from cluster.streams.spdy.headers import Compressor, Decompressor, Headers

VERSION: Final = 3
MAX_CONTROL: Final = 1 << 16
"""Bytes of a control frame."""
_FIN, _UNIDIRECTIONAL = 1, 2
_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _SETTINGS = 1, 2, 3, 4
_PING, _GOAWAY, _HEADERS, _WINDOW_UPDATE = 6, 7, 8, 9
_ID: Final = 0x7FFFFFFF


@dataclass(frozen=True, slots=True)
class SynStream:
    """Opens a stream. `fin`: the opener sends nothing more; `unidirectional`: nor may the other."""

    stream: int
    headers: Headers
    fin: bool = False
    unidirectional: bool = False
    associated: int = 0
    priority: int = 0


@dataclass(frozen=True, slots=True)
class SynReply:
    """Accepts a stream."""

    stream: int
    headers: Headers
    fin: bool = False


@dataclass(frozen=True, slots=True)
class RstStream:
    """Ends a stream in both directions. `status` is one of section 2.6.3 (1: PROTOCOL_ERROR)."""

    stream: int
    status: int


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings by id: 4 is the number of streams at once, 7 the initial window."""

    values: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Ping:
    """To be sent back as it is by whoever did not begin it."""

    id: int


@dataclass(frozen=True, slots=True)
class GoAway:
    """No stream after `last` will be taken."""

    last: int
    status: int = 0


@dataclass(frozen=True, slots=True)
class HeadersFrame:
    """More headers of a stream."""

    stream: int
    headers: Headers
    fin: bool = False


@dataclass(frozen=True, slots=True)
class WindowUpdate:
    """So many more bytes may be sent on a stream; on stream 0, on the connection."""

    stream: int
    delta: int


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes of a stream."""

    stream: int
    data: bytes
    fin: bool = False


Frame = (
    SynStream | SynReply | RstStream | Settings | Ping | GoAway | HeadersFrame | WindowUpdate | Data
)


class Encoder:
    """Writes the frames of one direction."""

    def __init__(self) -> None:
        self._compressor = Compressor()

    def encode(self, frame: Frame) -> bytes:
        """The bytes of a frame. Frames must be sent in the order of these calls."""
        match frame:
            case Data(stream, data, fin):
                return _word(stream) + _flagged(_FIN if fin else 0, len(data)) + data
            case SynStream():
                flags = (_FIN if frame.fin else 0) | (
                    _UNIDIRECTIONAL if frame.unidirectional else 0
                )
                body = _word(frame.stream) + _word(frame.associated)
                body += bytes((frame.priority << 5, 0))
                return _control(_SYN_STREAM, flags, body + self._compressor.block(frame.headers))
            case SynReply(stream, headers, fin) | HeadersFrame(stream, headers, fin):
                kind = _SYN_REPLY if isinstance(frame, SynReply) else _HEADERS
                body = _word(stream) + self._compressor.block(headers)
                return _control(kind, _FIN if fin else 0, body)
            case RstStream(stream, status):
                return _control(_RST_STREAM, 0, _word(stream) + _word(status))
            case Settings(values):
                body = b"".join(_word(key & 0xFFFFFF) + _word(value) for key, value in values)
                return _control(_SETTINGS, 0, _word(len(values)) + body)
            case Ping(id):
                return _control(_PING, 0, _word(id))
            case GoAway(last, status):
                return _control(_GOAWAY, 0, _word(last) + _word(status))
            case WindowUpdate(stream, delta):
                return _control(_WINDOW_UPDATE, 0, _word(stream) + _word(delta))


class Decoder:
    """Reads the frames of one direction."""

    def __init__(self) -> None:
        self._decompressor = Decompressor()
        self._waiting = bytearray()
        self._data: tuple[int, bool] | None = None
        self._left = 0

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that `data` completes. Malformed."""
        waiting = self._waiting
        waiting += data
        while True:
            frame = self._part() if self._data is not None else self._begun()
            if frame is None:
                return
            yield from frame

    def _begun(self) -> tuple[Frame, ...] | None:
        """What the next header begins: nothing yet, a data frame, or a control frame."""
        waiting = self._waiting
        if len(waiting) < 8:
            return None
        first, second = _at(waiting, 0), _at(waiting, 4)
        flags, length = second >> 24, second & 0xFFFFFF
        if not first >> 31:
            del waiting[:8]
            self._data, self._left = (first, bool(flags & _FIN)), length
            return ()
        if length > MAX_CONTROL:
            raise Malformed(f"a control frame of {length} bytes")
        if first >> 16 & 0x7FFF != VERSION:
            raise Malformed(f"a frame of SPDY version {first >> 16 & 0x7FFF}")
        if len(waiting) < 8 + length:
            return None
        body = bytes(waiting[8 : 8 + length])
        del waiting[: 8 + length]
        frame = self._control(first & 0xFFFF, flags, body)
        return () if frame is None else (frame,)

    def _part(self) -> tuple[Frame, ...] | None:
        """What has come of the data frame under way."""
        if self._data is None or (self._left and not self._waiting):
            return None
        stream, fin = self._data
        part = bytes(self._waiting[: self._left])
        del self._waiting[: len(part)]
        self._left -= len(part)
        if self._left:
            return (Data(stream, part),)
        self._data = None
        return (Data(stream, part, fin),)

    def _control(self, kind: int, flags: int, body: bytes) -> Frame | None:
        """A control frame; None where its kind is unknown, which is to be ignored."""
        fin = bool(flags & _FIN)
        match kind:
            case 1:
                _check(body, 10)
                headers = self._decompressor.headers(body[10:])
                stream, associated = _at(body, 0) & _ID, _at(body, 4) & _ID
                one_way = bool(flags & _UNIDIRECTIONAL)
                return SynStream(stream, headers, fin, one_way, associated, body[8] >> 5)
            case 2 | 8:
                _check(body, 4)
                headers = self._decompressor.headers(body[4:])
                make = SynReply if kind == _SYN_REPLY else HeadersFrame
                return make(_at(body, 0) & _ID, headers, fin)
            case 3:
                _check(body, 8, exact=True)
                return RstStream(_at(body, 0) & _ID, _at(body, 4))
            case 4:
                return _settings(body)
            case 6:
                _check(body, 4, exact=True)
                return Ping(_at(body, 0))
            case 7:
                _check(body, 8, exact=True)
                return GoAway(_at(body, 0) & _ID, _at(body, 4))
            case 9:
                _check(body, 8, exact=True)
                return WindowUpdate(_at(body, 0) & _ID, _at(body, 4) & _ID)
        return None


def _settings(body: bytes) -> Settings:
    _check(body, 4)
    count = _at(body, 0)
    if len(body) != 4 + 8 * count:
        raise Malformed("a SETTINGS frame of another length than it says")
    places = range(4, len(body), 8)
    return Settings(tuple((_at(body, at) & 0xFFFFFF, _at(body, at + 4)) for at in places))


def _check(body: bytes, size: int, *, exact: bool = False) -> None:
    if len(body) < size or (exact and len(body) != size):
        raise Malformed(f"a control frame of {len(body)} bytes where {size} are due")


def _at(data: bytes | bytearray, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")


def _word(number: int) -> bytes:
    return number.to_bytes(4, "big")


def _flagged(flags: int, length: int) -> bytes:
    return _word(flags << 24 | length)


def _control(kind: int, flags: int, body: bytes) -> bytes:
    return _word(1 << 31 | VERSION << 16 | kind) + _flagged(flags, len(body)) + body
