"""Lets go of old history: what was current one interval ago stays readable, what was not goes."""

import asyncio

import structlog

from cluster.storage import interface as storage


async def run(store: storage.Storage, seconds: float) -> None:
    """Every `seconds`, compact to the revision of one interval before, as kube-apiserver does."""
    log = structlog.get_logger().bind(component="apiserver")
    before = store.revision
    while True:
        await asyncio.sleep(seconds)
        now = store.revision
        try:
            if before:
                await store.compact(before)
        except (storage.Unavailable, storage.Compacted) as error:
            log.warning("compaction failed; it will be tried again", error=str(error))
            continue
        before = now
