"""Everything under a prefix, a page at a time: whatever is asked for at once fills memory."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from cluster.storage.interface import Record, Storage

_PAGE: Final = 500


async def pages(store: Storage, prefix: str, revision: int) -> AsyncIterator[Sequence[Record]]:
    """Records by key, as of `revision` (0: of when each page is read). Compacted."""
    after = ""
    while True:
        found = await store.range(prefix, revision=revision, after=after, limit=_PAGE)
        yield found.records
        if not found.more or not found.records:
            return
        after = found.records[-1].key
