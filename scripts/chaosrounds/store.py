"""What the store holds, revision by revision: the truth that answers and watches are measured by.

What watches told is taken as it is. Where all of them had to list again (a restarted API server
knows nothing of the events before), the store itself is asked, for the state at each revision.
"""

import asyncio
from collections.abc import Sequence

from chaosrounds.rest import RestTransport
from cluster.api import errors
from cluster.chaos.checking.ordering import Fact
from cluster.chaos.checking.watches import Kind, Watch, facts
from cluster.chaos.hammer import registers

_TOGETHER = 8
_State = dict[str, tuple[str, int]]
_Hole = tuple[int, int]


class Book:
    """Every revision of the registers of a namespace, as far as `read` has read."""

    def __init__(self, transport: RestTransport, namespace: str, watches: Sequence[Watch]) -> None:
        self._transport = transport
        self._namespace = namespace
        self._watches = watches
        self._explored: dict[_Hole, None] = {}
        self._found: dict[int, Fact] = {}

    async def read(self) -> dict[int, Fact]:
        """All facts until now. errors.StatusError."""
        for hole in holes(self._watches):
            if hole not in self._explored:
                await self._explore(*hole)
                self._explored[hole] = None
        return self._found | facts(self._watches)

    async def _explore(self, after: int, upto: int) -> None:
        """Enter what was written after one revision and up to another."""
        before = await self._state(after)
        for first in range(after + 1, upto + 1, _TOGETHER):
            revisions = range(first, min(first + _TOGETHER, upto + 1))
            states = await asyncio.gather(*(self._state(revision) for revision in revisions))
            for revision, state in zip(revisions, states, strict=True):
                self._enter(revision, before, state)
                before = state

    def _enter(self, revision: int, before: _State, state: _State) -> None:
        for key in before.keys() - state.keys():
            self._found[revision] = Fact(key, None)
        for key, (value, at) in state.items():
            if at == revision:
                self._found[revision] = Fact(key, value)

    async def _state(self, revision: int) -> _State:
        try:
            items = await self._transport.listed_at(registers.RESOURCE, self._namespace, revision)
        except errors.Expired:
            raise errors.InternalError(f"revision {revision} is forgotten already") from None
        return {
            registers.prefix(self._namespace) + each["metadata"]["name"]: (
                value, registers.revision_of(each)
            )
            for each in items
            if (value := registers.value_of(each)) is not None
        }  # fmt: skip


def holes(watches: Sequence[Watch]) -> list[_Hole]:
    """The stretches of revisions of which no watch told: (after, up to)."""
    found = [_holes(watch) for watch in watches]
    common = found[0]
    for others in found[1:]:
        common = [
            (max(one[0], other[0]), min(one[1], other[1])) for one in common for other in others
        ]
    return [(after, upto) for after, upto in common if after < upto]


def _holes(watch: Watch) -> list[_Hole]:
    found: list[_Hole] = []
    last = 0
    for each in watch.told:
        if each.kind is Kind.LISTED and last and each.revision > last:
            found.append((last, each.revision))
        last = max(last, each.revision)
    return found
