"""Watch events, and batches of them that are encoded once for everybody who reads them."""

from collections.abc import Callable, Sequence

from cluster.apiserver.watchcache.entry import Entry

ADDED = "ADDED"
MODIFIED = "MODIFIED"
DELETED = "DELETED"
BOOKMARK = "BOOKMARK"


class Event:
    """What one change means to a watcher.

    `json` is the object after it, for DELETED its last state at the revision of its end, for
    BOOKMARK empty. `entry` and `previous` are the object after and before the change.
    `initial_end` is set on the bookmark that ends the initial events.
    """

    __slots__ = ("entry", "initial_end", "json", "previous", "revision", "type")

    def __init__(
        self,
        type: str,
        json: bytes,
        revision: int,
        entry: Entry | None = None,
        previous: Entry | None = None,
        *,
        initial_end: bool = False,
    ) -> None:
        self.type = type
        self.json = json
        self.revision = revision
        self.entry = entry
        self.previous = previous
        self.initial_end = initial_end

    def __repr__(self) -> str:
        return f"Event({self.type}, revision={self.revision})"


Encoder = Callable[[Sequence[Event]], bytes]


class Batch:
    """Events that travel together, shared by every watcher at the same position."""

    __slots__ = ("_frames", "events")

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = events
        self._frames: dict[Encoder, bytes] = {}

    @property
    def revision(self) -> int:
        """The revision that a reader of this batch has reached."""
        return self.events[-1].revision

    def frame(self, encoder: Encoder) -> bytes:
        """The batch as `encoder` writes it; made once for each encoder."""
        frame = self._frames.get(encoder)
        if frame is None:
            frame = self._frames[encoder] = encoder(self.events)
        return frame
