"""What a connection has to tell who uses it: bits, which add up until they are read."""

from typing import Final

CONNECTED: Final = 1
"""The handshake is done."""
READABLE: Final = 2
"""There is more to take, or the peer has ended."""
WRITABLE: Final = 4
"""There is room to send again."""
FAILED: Final = 8
"""It is over: see `error`."""
CLOSED: Final = 16
"""Nothing more will happen; the connection may be forgotten."""
