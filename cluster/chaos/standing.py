"""What was done and is to be undone, and what the end of a fault asks for where several have done
something to the same process or link: what began last is in force, and nothing is undone before
the last of them ends. Pure.
"""

from collections.abc import Container, Iterable
from dataclasses import dataclass, replace

from cluster.chaos import acts
from cluster.chaos.acts import Act


@dataclass(frozen=True, slots=True, eq=False)
class Deed:
    """An act of the fault with this number, and what undoes it."""

    number: int
    act: Act
    undo: Act


class Standing:
    """The deeds that are to be undone, in the order in which they were begun."""

    def __init__(self) -> None:
        self._deeds: list[Deed] = []

    def __len__(self) -> int:
        return len(self._deeds)

    def begin(self, number: int, begun: Iterable[Act]) -> list[Deed]:
        """A fault begins with these acts; its deeds are those that are to be undone."""
        found = [
            Deed(number, act, undo) for act in begun if (undo := acts.undoing(act)) is not None
        ]
        self._deeds += found
        return found

    def ending(self, deed: Deed) -> Act | None:
        """What is to be carried out for a deed to end; None: nothing, as others keep it so."""
        if deed.undo.op == acts.LINKS:
            return self._of_links(deed)
        alike = [one for one in self._deeds if one.undo == deed.undo]
        if alike[-1] is not deed:
            return None
        if len(alike) == 1:
            return deed.undo
        return alike[-2].act if alike[-2].act != deed.act else None

    def end(self, deed: Deed) -> None:
        """It has ended."""
        self._deeds.remove(deed)

    def ended_by(self, undo: Act) -> None:
        """All have ended that this undoes."""
        self._deeds = [one for one in self._deeds if one.undo != undo]

    def keep(self, undoings: Container[Act]) -> None:
        """All have ended but those that these undo."""
        self._deeds = [one for one in self._deeds if one.undo in undoings]

    def has(self, number: int) -> bool:
        """Whether anything of a fault is still to be undone."""
        return any(one.number == number for one in self._deeds)

    def undoings(self) -> list[Act]:
        """What undoes all of it, the newest first."""
        return list(dict.fromkeys(one.undo for one in reversed(self._deeds)))

    def _of_links(self, deed: Deed) -> Act | None:
        """Each link by itself: another fault may be about some of them."""
        links = []
        for done, good in zip(deed.act.links, deed.undo.links, strict=True):
            alike = [
                one
                for one in self._deeds
                if one.undo.member == deed.undo.member and good in one.undo.links
            ]
            if len(alike) == 1:
                links.append(good)
            elif alike[-1] is deed:
                before = alike[-2].act.links[alike[-2].undo.links.index(good)]
                links += [before] if before != done else []
        return replace(deed.undo, links=tuple(links)) if links else None
