"""Who of a node's neighbours is heard, and hears."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

LEAST: Final = 1.0
"""Seconds between greetings in a small mesh."""
NEIGHBOURS_A_SECOND: Final = 50
"""Greetings that a node sends a second in a large one."""
LOST: Final = 3.5
"""Greetings in a row that may be missed before a link counts as cut."""


class News(Enum):
    """What a greeting changed."""

    HEARD = "it is heard"
    HEARS = "it hears us, or does so no more"


@dataclass(slots=True)
class _Link:
    known: float
    """Since when the neighbour is known."""
    heard: float = 0.0
    ever: bool = False
    hears: bool = True
    """Whether it said last that it hears us."""


class Links:
    """The links of one node, by neighbour."""

    def __init__(self) -> None:
        self._links: dict[str, _Link] = {}

    @property
    def interval(self) -> float:
        """Seconds between greetings."""
        return max(LEAST, len(self._links) / NEIGHBOURS_A_SECOND)

    def keep(self, now: float, names: Iterable[str]) -> None:
        """These are the neighbours."""
        old = self._links
        self._links = {name: old.get(name) or _Link(now) for name in names}

    def greeted(self, now: float, name: str, *, hears: bool) -> News | None:
        """A neighbour greets, and says whether it hears us. What is new about that."""
        link = self._links.get(name)
        if link is None:
            return None
        news = None if link.hears == hears else News.HEARS
        if not self._hears(now, link):
            news = News.HEARD
        link.heard, link.ever, link.hears = now, True, hears
        return news

    def hears(self, now: float, name: str) -> bool:
        """Whether we hear a neighbour."""
        link = self._links.get(name)
        return link is not None and self._hears(now, link)

    def cut(self, now: float) -> Iterator[str]:
        """The neighbours with whom the link is cut, in one direction at least.

        A neighbour has as long to greet first as it may be silent later.
        """
        for name, link in self._links.items():
            heard = self._hears(now, link)
            young = now - link.known < LOST * self.interval
            if not (young and not link.ever) and not (heard and link.hears):
                yield name

    def _hears(self, now: float, link: _Link) -> bool:
        return link.ever and now - link.heard < LOST * self.interval
