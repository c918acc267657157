"""Assignments: of variables, and bash's of arrays and their elements."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cluster.runtime.vos.kernel import Io
from cluster.runtime.vos.shell import syntax
from cluster.runtime.vos.shell.expansion import Expander
from cluster.runtime.vos.shell.state import State

if TYPE_CHECKING:
    from cluster.runtime.vos.shell.running import Shell


@dataclass(slots=True)
class Assigned:
    """An assignment whose words are expanded. `items` has values, or words and their key."""

    name: str
    value: str = ""
    key: int | str | None = None
    items: list[tuple[int | str | None, str]] | None = None
    append: bool = False

    @property
    def shown(self) -> str:
        """As `set -x` shows it."""
        sign = "+=" if self.append else "="
        if self.items is not None:
            return f"{self.name}{sign}({' '.join(value for _, value in self.items)})"
        key = "" if self.key is None else f"[{self.key}]"
        return f"{self.name}{key}{sign}{self.value}"

    def appended(self, state: State) -> str:
        """The value of a plain variable afterwards."""
        return (state.get(self.name) or "") + self.value if self.append else self.value

    def apply(self, state: State) -> None:
        """Set it. Wrong."""
        if self.items is not None:
            self._fill(state, self.items)
        elif self.key is not None:
            before = state.element(self.name, self.key) or "" if self.append else ""
            state.put_element(self.name, self.key, before + self.value)
        else:
            state.put(self.name, self.appended(state))

    def _fill(self, state: State, items: list[tuple[int | str | None, str]]) -> None:
        if not self.append:
            state.clear(self.name)
        state.declare(self.name)
        there = [key for key, _ in state.elements(self.name) if isinstance(key, int)]
        place = max(there, default=-1) + 1
        for key, value in items:
            chosen = place if key is None else key
            state.put_element(self.name, chosen, value)
            place = chosen + 1 if isinstance(chosen, int) else place


async def evaluated(expand: Expander, node: syntax.Assignment, *, keyed: bool = False) -> Assigned:
    """The assignment with its words expanded; `keyed`: it makes an array of texts. Wrong."""
    if node.items is None:
        key = None if node.index is None else await expand.key(node.name, node.index)
        return Assigned(node.name, await expand.text(node.word), key, None, node.append)
    items: list[tuple[int | str | None, str]] = []
    for index, word in node.items:
        if index is not None:
            key = await expand.key(node.name, index, keyed=keyed)
            items.append((key, await expand.text(word)))
        else:
            items += [(None, text) for text in await expand.fields(word)]
    return Assigned(node.name, items=items, append=node.append)


async def declared(
    shell: "Shell", words: Sequence[str], assigned: Sequence[Assigned], io: Io
) -> int:
    """`export A=1`, `local b=(x y)`: the values are no words that are split. What is made local is
    so before it is set, and what is made read-only afterwards.
    """
    called = [*words, *(one.name for one in assigned)]
    first = words[0] in ("export", "readonly")
    code = 0 if first else await shell.called(called, io)
    if code == 0:
        for one in assigned:
            one.apply(shell.state)
    return await shell.called(called, io) if first else code
