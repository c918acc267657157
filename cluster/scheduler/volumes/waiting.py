"""Lets a binding wait for what the controllers do with its claims and volumes."""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator


class Waiters:
    """Events by key: `wake` sets those that are open for it."""

    def __init__(self) -> None:
        self._open: dict[str, dict[int, asyncio.Event]] = {}

    @contextlib.contextmanager
    def open(self, keys: Iterable[str]) -> Iterator[asyncio.Event]:
        """An event that is set whenever something happens to one of the keys."""
        event, wanted = asyncio.Event(), [*keys]
        for key in wanted:
            self._open.setdefault(key, {})[id(event)] = event
        try:
            yield event
        finally:
            for key in wanted:
                known = self._open[key]
                known.pop(id(event), None)
                if not known:
                    del self._open[key]

    def wake(self, key: str) -> None:
        """Something happened to the key."""
        for event in self._open.get(key, {}).values():
            event.set()
