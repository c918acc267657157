"""A terminal's line discipline: echo, editing of a line, signals from keys. See termios(3).

What the client types goes in by `type`; what a process writes comes out with `\\r\\n`.
"""

from collections.abc import Callable, Sequence
from typing import Final

from cluster.runtime.vos.streams import PIPE_BYTES, Pipe, Writer

INTERRUPT: Final = 2
QUIT: Final = 3
_MAX_LINE: Final = 4096
_KEYS: Final = {3: INTERRUPT, 28: QUIT}

_ARROWS: Final = {b"A": -1, b"B": 1}


class Tty:
    """A terminal. `screen` is what the user sees; `on_signal` hears of Ctrl-C and Ctrl-\\."""

    def __init__(self, screen: Writer) -> None:
        self.width, self.height = 80, 24
        self.on_signal: Callable[[int], None] | None = None
        self._screen = screen
        self._input = Pipe()
        self._line = bytearray()
        self._escape = b""
        self._before: Sequence[bytes] = ()
        self._recalled = 0
        self._complete: Callable[[str], tuple[str, str]] | None = None

    # ---- the user's side ---------------------------------------------------------------------

    async def type(self, data: bytes) -> None:
        """Take what was typed. Waits while nobody reads."""
        echo = bytearray()
        for byte in data:
            echo += await self._key(byte)
        if echo:
            await self._screen.write(bytes(echo))

    def hang_up(self) -> None:
        """The user is gone: readers read the end."""
        self._input.end()

    def resize(self, width: int, height: int) -> None:
        """The window has another size now."""
        self.width, self.height = width, height

    # ---- the process's side ------------------------------------------------------------------

    async def read(self, limit: int = PIPE_BYTES) -> bytes:
        """A line, or what was typed before Ctrl-D; b"" for Ctrl-D at the begin of a line."""
        return (await self._next())[:limit]

    async def read_line(self) -> bytes:
        """The same."""
        return await self._next()

    async def write(self, data: bytes) -> None:
        """Show."""
        await self._screen.write(data.replace(b"\n", b"\r\n"))

    def remember(
        self,
        lines: Sequence[bytes],
        complete: Callable[[str], tuple[str, str]] | None = None,
    ) -> None:
        """Let arrow keys bring back these lines, the last one first, until another is given; and
        Tab add to a line what `complete` says, or show its second answer before the line.
        """
        self._complete = complete
        self._before = lines
        self._recalled = len(lines)

    def nudge(self) -> None:
        """Let who reads have an empty line."""
        self._input.offer(b"\n")

    # ------------------------------------------------------------------------------------------

    async def _next(self) -> bytes:
        return _unmarked(await self._input.read_line())

    async def _key(self, byte: int) -> bytes:
        """What a key shows on the screen."""
        if self._escape or byte == 27:
            return self._in_escape(byte)
        if byte in (10, 13):
            self._line.append(10)
            await self._flush()
            return b"\r\n"
        if byte in _KEYS:
            self._line.clear()
            if self.on_signal is not None:
                self.on_signal(_KEYS[byte])
            return b"^" + bytes([byte + 64]) + b"\r\n"
        if byte == 4:
            # A line of its own that is the end: `_unmarked` makes nothing of it.
            self._line += b"\x04\n"
            await self._flush()
            return b""
        if byte in (8, 127):
            return self._erase(1)
        if byte == 21:
            return self._erase(len(self._line))
        if byte == 23:
            kept = bytes(self._line).rstrip().rpartition(b" ")[0]
            return self._erase(len(self._line) - len(kept) - (1 if kept else 0))
        if byte == 9 and self._complete is not None:
            return self._tab(self._complete)
        if byte < 32 or len(self._line) >= _MAX_LINE:
            return b""
        self._line.append(byte)
        return bytes([byte])

    def _in_escape(self, byte: int) -> bytes:
        """Arrow keys and the like: up and down bring back lines; others show nothing."""
        self._escape += bytes([byte])
        bracket = self._escape[1:2] in (b"[", b"O")
        ended = len(self._escape) > 2 and 64 <= byte <= 126 if bracket else len(self._escape) > 1
        if not ended and len(self._escape) <= 16:
            return b""
        keys, self._escape = self._escape, b""
        step = _ARROWS.get(keys[2:], 0) if bracket else 0
        return self._recall(step) if step and self._before else b""

    def _tab(self, complete: Callable[[str], tuple[str, str]]) -> bytes:
        more, shown = complete(self._line.decode("utf-8", "replace"))
        added = more.encode("utf-8", "surrogateescape")[: _MAX_LINE - len(self._line)]
        self._line += added
        if added or not shown:
            return added
        return shown.replace("\n", "\r\n").encode("utf-8", "surrogateescape") + self._line

    def _recall(self, step: int) -> bytes:
        """Have the line before or after stand in place of this one."""
        place = max(0, min(len(self._before), self._recalled + step))
        if place == self._recalled:
            return b""
        self._recalled = place
        shown = self._erase(len(self._line))
        self._line = bytearray(self._before[place] if place < len(self._before) else b"")
        return shown + bytes(self._line)

    def _erase(self, count: int) -> bytes:
        shown = bytearray()
        for _ in range(min(count, len(self._line))):
            byte = self._line.pop()
            while self._line and byte & 0xC0 == 0x80:
                byte = self._line.pop()
            shown += b"\b \b"
        return bytes(shown)

    async def _flush(self) -> None:
        line, self._line = bytes(self._line), bytearray()
        await self._input.write(line)


def _unmarked(line: bytes) -> bytes:
    return line[:-2] if line.endswith(b"\x04\n") else line
