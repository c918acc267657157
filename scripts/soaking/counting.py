"""Counts pods as they come and go: a list, and a watch from there on; a list again where a watch
was lost.
"""

import asyncio
import json
from collections import Counter
from typing import Any

import aiohttp

_META = "g=meta.k8s.io;v=v1"
_LIST = f"application/json;as=PartialObjectMetadataList;{_META}"
_WATCH = f"application/json;as=PartialObjectMetadata;{_META}"
_PAUSE_SECONDS = 0.2
_GONE = 410


class Counting:
    """The pods at a path of the API. `counts` has what was created, changed and deleted, and what
    went wrong; what was created and deleted while no watch told of it is in no count.
    """

    def __init__(self, path: str, counts: Counter[str]) -> None:
        self._path = path
        self.counts = counts
        self._known: dict[str, None] = {}
        self._revision = ""

    @property
    def alive(self) -> int:
        """How many there are."""
        return len(self._known)

    async def run(self, session: aiohttp.ClientSession) -> None:
        """Count until cancelled."""
        while True:
            try:
                await (self._follow(session) if self._revision else self._list(session))
            except aiohttp.ClientResponseError as error:
                self._refused(error.status)
            except (aiohttp.ClientError, TimeoutError):
                self.counts["watch broken"] += 1
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _list(self, session: aiohttp.ClientSession) -> None:
        headers = {"Accept": _LIST}
        async with session.get(self._path, headers=headers, raise_for_status=True) as answer:
            listed = json.loads(await answer.read())
        found = {each["metadata"]["uid"]: None for each in listed["items"]}
        self.counts["created"] += len(found.keys() - self._known.keys())
        self.counts["deleted"] += len(self._known.keys() - found.keys())
        self._known = found
        self._revision = listed["metadata"]["resourceVersion"]

    async def _follow(self, session: aiohttp.ClientSession) -> None:
        """Of metadata alone, from the last revision that is known, until the watch ends."""
        query = {
            "watch": "true", "resourceVersion": self._revision, "allowWatchBookmarks": "true",
        }  # fmt: skip
        async with session.get(
            self._path, params=query, headers={"Accept": _WATCH}, raise_for_status=True
        ) as answer:
            async for line in answer.content:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    self._refused(event["object"].get("code", 0))
                    return
                self._take(event["type"], event["object"]["metadata"])

    def _take(self, kind: str, metadata: dict[str, Any]) -> None:
        self._revision = metadata["resourceVersion"]
        if kind == "ADDED":
            self.counts["created"] += 1
            self._known[metadata["uid"]] = None
        elif kind == "DELETED":
            self.counts["deleted"] += 1
            self._known.pop(metadata["uid"], None)
        elif kind != "BOOKMARK":
            self.counts["changed"] += 1

    def _refused(self, code: int) -> None:
        if code == _GONE:
            self._revision = ""
            self.counts["watch lost"] += 1
        else:
            self.counts[f"watch refused {code}"] += 1
