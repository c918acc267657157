"""`case`, and bash's `select`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from cluster.runtime.vos.kernel import Io, decoded, encoded
from cluster.runtime.vos.shell import syntax
from cluster.runtime.vos.shell.expansion import matches

if TYPE_CHECKING:
    from cluster.runtime.vos.shell.running import Shell

_PROMPT: Final = "#? "


async def case(shell: "Shell", node: syntax.Case, io: Io) -> int:
    """The status of the bodies that are chosen; 0 without one."""
    text = await shell.expand.text(node.word)
    code, falls = 0, False
    for patterns, body, ender in node.branches:
        if not falls and not await _fits(shell, text, patterns):
            continue
        code = await shell.sequence(body, io)
        if ender not in (";&", ";;&"):
            return code
        falls = ender == ";&"
    return code


async def _fits(shell: "Shell", text: str, patterns: Sequence[syntax.Word]) -> bool:
    for pattern in patterns:
        if matches(text, await shell.expand.pattern(pattern)):
            return True
    return False


async def select(shell: "Shell", node: syntax.Select, io: Io) -> int:
    """Ask until `break` or the end of what is typed; the status of the last body, 1 at the end."""
    words = list(shell.state.positional)
    if node.words is not None:
        words = [text for word in node.words for text in await shell.expand.fields(word)]
    if not words:
        return 0
    width = len(str(len(words)))
    menu = "".join(f"{number:{width}d}) {word}\n" for number, word in enumerate(words, 1))
    shown = False
    while True:
        prompt = shell.state.element("PS3", 0)
        asked = _PROMPT if prompt is None else prompt
        await io.stderr.write(encoded(("" if shown else menu) + asked))
        line = await io.stdin.read_line()
        if not line:
            await io.stdout.write(b"\n")
            return 1
        text = decoded(line).strip()
        shown = bool(text)
        if not text:
            continue
        shell.state.put("REPLY", text)
        number = int(text[:9]) if text.isascii() and text.isdigit() else 0
        shell.state.put(node.name, words[number - 1] if 1 <= number <= len(words) else "")
        going, code = await shell.turn(node.body, io)
        if not going:
            return code
