"""A SPDY connection as a state machine without I/O: bytes in, events and bytes out.

Docker's spdystream, which kubectl and all of client-go use, neither keeps windows nor opens them.
So the window of a peer binds us only from when it has said a word of windows; those of a server are
opened as data is consumed, for clients that do keep them. A client says nothing of windows: servers
are all of spdystream, and one that hangs up while a word to it is under way resets the connection,
with what it said last.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cluster.streams.spdy import frames
from cluster.streams.spdy.faults import Malformed
from cluster.streams.spdy.headers import Headers

WINDOW: Final = 1 << 16
"""Bytes of a window at first: section 2.6.8."""
MAX_STREAMS: Final = 1024
"""Streams at once that a peer may have open."""
_MAX_WINDOW: Final = (1 << 31) - 1
_INITIAL_WINDOW: Final = 7

PROTOCOL_ERROR: Final = 1
INVALID_STREAM: Final = 2
REFUSED_STREAM: Final = 3
CANCEL: Final = 5
STREAM_ALREADY_CLOSED: Final = 9


@dataclass(frozen=True, slots=True)
class Opened:
    """The peer has opened a stream."""

    stream: int
    headers: Headers
    fin: bool


@dataclass(frozen=True, slots=True)
class Replied:
    """The peer has taken a stream of ours."""

    stream: int
    headers: Headers


@dataclass(frozen=True, slots=True)
class Received:
    """Bytes of a stream; `fin`: they are the last."""

    stream: int
    data: bytes
    fin: bool


@dataclass(frozen=True, slots=True)
class Ended:
    """A stream was reset by the peer, or broke the rules."""

    stream: int
    status: int


@dataclass(frozen=True, slots=True)
class Widened:
    """More may be sent on a stream, or on any (0)."""

    stream: int


Event = Opened | Replied | Received | Ended | Widened


@dataclass(slots=True)
class _Stream:
    """What is known of an open stream."""

    window: int
    unacknowledged: int = 0
    sent_fin: bool = False
    got_fin: bool = False


class Session:
    """One end of a connection; `client` opens streams with odd numbers, the other with even ones.

    What is to be sent gathers until `take`.
    """

    def __init__(self, *, client: bool = False, max_streams: int = MAX_STREAMS) -> None:
        self._encoder = frames.Encoder()
        self._decoder = frames.Decoder()
        self._client = client
        self._max_streams = max_streams
        self._streams: dict[int, _Stream] = {}
        self._out: list[bytes] = []
        self._next = 1 if client else 2
        self._highest = 0
        self._keeps_windows = False
        self._initial_window = WINDOW
        self._window = WINDOW
        self._unacknowledged = 0
        self.away = False

    def feed(self, data: bytes) -> Iterator[Event]:
        """What happens when `data` comes. Malformed ends the connection."""
        for frame in self._decoder.feed(data):
            yield from self._frame(frame)

    def take(self) -> bytes:
        """The bytes to be sent now."""
        out, self._out = b"".join(self._out), []
        return out

    def open(self, headers: Headers, *, fin: bool = False) -> int:
        """Open a stream; its number."""
        number, self._next = self._next, self._next + 2
        self._streams[number] = _Stream(self._initial_window, sent_fin=fin)
        self._write(frames.SynStream(number, headers, fin))
        return number

    def reply(self, stream: int, headers: Headers = ()) -> None:
        """Take a stream that the peer has opened."""
        if stream in self._streams:
            self._write(frames.SynReply(stream, headers))

    def sendable(self, stream: int) -> int:
        """How many bytes may be sent on a stream now."""
        state = self._streams.get(stream)
        if state is None or not self._keeps_windows:
            return WINDOW
        return max(0, min(state.window, self._window, WINDOW))

    def send(self, stream: int, data: bytes, *, fin: bool = False) -> None:
        """Send bytes, and with `fin` the end, on a stream; nothing where it is closed."""
        state = self._streams.get(stream)
        if state is None or state.sent_fin:
            return
        state.window -= len(data)
        self._window -= len(data)
        state.sent_fin = fin
        self._write(frames.Data(stream, data, fin))
        self._forget_closed(stream, state)

    def reset(self, stream: int, status: int = CANCEL) -> None:
        """End a stream in both directions."""
        if self._streams.pop(stream, None) is not None:
            self._write(frames.RstStream(stream, status))

    def forget(self, stream: int) -> None:
        """Let go of a stream without a word; what still comes for it is thrown away."""
        self._streams.pop(stream, None)

    def consumed(self, stream: int, size: int) -> None:
        """So many bytes of a stream are out of the way: a server tells its client, at times."""
        if self._client:
            return
        self._unacknowledged += size
        if self._unacknowledged >= WINDOW // 2:
            self._write(frames.WindowUpdate(0, self._unacknowledged))
            self._unacknowledged = 0
        state = self._streams.get(stream)
        if state is None or state.got_fin:
            return
        state.unacknowledged += size
        if state.unacknowledged >= WINDOW // 2:
            self._write(frames.WindowUpdate(stream, state.unacknowledged))
            state.unacknowledged = 0

    def ping(self, id: int) -> None:
        """Ask for a sign of life; odd numbers are the client's."""
        self._write(frames.Ping(id))

    def leave(self, status: int = 0) -> None:
        """Tell the peer that no further stream is taken."""
        self.away = True
        self._write(frames.GoAway(self._highest, status))

    def _write(self, frame: frames.Frame) -> None:
        self._out.append(self._encoder.encode(frame))

    def _frame(self, frame: frames.Frame) -> Iterator[Event]:
        match frame:
            case frames.SynStream():
                yield from self._opened(frame)
            case frames.SynReply() | frames.HeadersFrame():
                yield from self._more_headers(frame)
            case frames.Data(stream, data, fin):
                yield from self._received(stream, data, fin=fin)
            case frames.RstStream(stream, status):
                if self._streams.pop(stream, None) is not None:
                    yield Ended(stream, status)
            case frames.WindowUpdate(stream, delta):
                yield from self._widened(stream, delta)
            case frames.Settings(values):
                yield from self._settings(values)
            case frames.Ping() | frames.GoAway():
                self._kept_alive(frame)

    def _kept_alive(self, frame: frames.Ping | frames.GoAway) -> None:
        if isinstance(frame, frames.GoAway):
            self.away = True
        elif frame.id % 2 != self._client:
            self._write(frame)

    def _more_headers(self, frame: frames.SynReply | frames.HeadersFrame) -> Iterator[Event]:
        if isinstance(frame, frames.SynReply) and frame.stream in self._streams:
            yield Replied(frame.stream, frame.headers)
        if frame.fin:
            yield from self._received(frame.stream, b"", fin=True)

    def _opened(self, frame: frames.SynStream) -> Iterator[Event]:
        number = frame.stream
        if number % 2 == self._client or number <= self._highest:
            raise Malformed(f"stream {number} is opened out of turn")
        self._highest = number
        if self.away:
            return
        if len(self._streams) >= self._max_streams:
            self._write(frames.RstStream(number, REFUSED_STREAM))
            return
        self._streams[number] = _Stream(
            self._initial_window, sent_fin=frame.unidirectional, got_fin=frame.fin
        )
        yield Opened(number, frame.headers, frame.fin)

    def _received(self, stream: int, data: bytes, *, fin: bool) -> Iterator[Event]:
        state = self._streams.get(stream)
        if state is None:
            if not self._was_open(stream):
                self._write(frames.RstStream(stream, INVALID_STREAM))
            self.consumed(stream, len(data))
            return
        if state.got_fin:
            del self._streams[stream]
            self._write(frames.RstStream(stream, STREAM_ALREADY_CLOSED))
            yield Ended(stream, STREAM_ALREADY_CLOSED)
            return
        state.got_fin = fin
        self._forget_closed(stream, state)
        if data or fin:
            yield Received(stream, data, fin)

    def _widened(self, stream: int, delta: int) -> Iterator[Event]:
        self._keeps_windows = True
        if not delta:
            return
        if not stream:
            self._window = min(self._window + delta, _MAX_WINDOW)
            yield Widened(0)
            return
        state = self._streams.get(stream)
        if state is not None:
            state.window = min(state.window + delta, _MAX_WINDOW)
            yield Widened(stream)

    def _settings(self, values: tuple[tuple[int, int], ...]) -> Iterator[Event]:
        for key, value in values:
            if key == _INITIAL_WINDOW:
                self._keeps_windows = True
                window = min(value, _MAX_WINDOW)
                for state in self._streams.values():
                    state.window += window - self._initial_window
                self._initial_window = window
                yield Widened(0)

    def _was_open(self, stream: int) -> bool:
        """Whether a stream may still have data under way to us that nobody wants any more."""
        ours = stream % 2 == self._client
        return 0 < stream < self._next if ours else 0 < stream <= self._highest

    def _forget_closed(self, stream: int, state: _Stream) -> None:
        if state.sent_fin and state.got_fin:
            self._streams.pop(stream, None)
