"""`while`, `until`, `for` over words, and `for ((`."""

from typing import TYPE_CHECKING

from cluster.runtime.vos.kernel import Io
from cluster.runtime.vos.shell import syntax

if TYPE_CHECKING:
    from cluster.runtime.vos.shell.running import Shell


async def while_(shell: "Shell", node: syntax.Loop, io: Io) -> int:
    """The status of the last body; 0 without one."""
    code = 0
    while await shell.holds(node.condition, io) != node.until:
        going, code = await shell.turn(node.body, io)
        if not going:
            break
    return code


async def for_(shell: "Shell", node: syntax.For, io: Io) -> int:
    """The status of the last body, one for each word; 0 without one."""
    words = list(shell.state.positional)
    if node.words is not None:
        words = [text for word in node.words for text in await shell.expand.fields(word)]
    code = 0
    for text in words:
        shell.state.put(node.name, text)
        going, code = await shell.turn(node.body, io)
        if not going:
            break
    return code


async def count(shell: "Shell", node: syntax.Count, io: Io) -> int:
    """`for ((start; condition; step))`: the status of the last body; 0 without one."""

    async def value(word: syntax.Word, empty: int) -> int:
        text = await shell.expand.text(word)
        return await shell.expand.calculated(text) if text.strip() else empty

    await value(node.start, 0)
    code = 0
    while await value(node.condition, 1):
        going, code = await shell.turn(node.body, io)
        if not going:
            break
        await value(node.step, 0)
    return code
