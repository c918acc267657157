"""What `[[ … ]]` finds."""

from typing import TYPE_CHECKING, Final

from cluster.runtime.vos.kernel import Call, Io, encoded
from cluster.runtime.vos.shell import syntax
from cluster.runtime.vos.shell.expansion import matches
from cluster.runtime.vos.shell.words import Wrong

if TYPE_CHECKING:
    from cluster.runtime.vos.shell.running import Shell

_NUMERIC: Final = {"-eq": "==", "-ne": "!=", "-lt": "<", "-le": "<=", "-gt": ">", "-ge": ">="}


async def status(shell: "Shell", test: syntax.Test, io: Io) -> int:
    """0 where it is so, 1 where it is not. Wrong."""
    return int(not await _holds(shell, test, io))


async def _holds(shell: "Shell", test: syntax.Test | syntax.Word, io: Io) -> bool:
    if isinstance(test, syntax.Word):
        return await shell.expand.text(test) != ""
    parts = test.operands
    if test.operator == "!":
        return not await _holds(shell, parts[0], io)
    if test.operator in ("&&", "||"):
        for part in parts:
            if await _holds(shell, part, io) == (test.operator == "||"):
                return test.operator == "||"
        return test.operator == "&&"
    words = [one for one in parts if isinstance(one, syntax.Word)]
    left = await shell.expand.text(words[0])
    if len(words) == 1:
        return await _alone(shell, test.operator, left, io)
    return await _compared(shell, left, test.operator, words[1], io)


async def _alone(shell: "Shell", operator: str, text: str, io: Io) -> bool:
    if operator == "":
        found = text != ""
    elif operator == "-v":
        found = bool(shell.state.elements(text))
    else:
        found = await _asked(shell, [operator, text], io)
    await _trace(shell, f"{operator} {text}".strip(), io)
    return found


async def _compared(shell: "Shell", left: str, operator: str, word: syntax.Word, io: Io) -> bool:
    right = await shell.expand.text(word)
    await _trace(shell, f"{left} {operator} {right}", io)
    if operator in ("=", "==", "!="):
        return matches(left, await shell.expand.pattern(word)) == (operator != "!=")
    if operator == "=~":
        return await _matched(shell, left, word)
    if operator in ("<", ">"):
        return left < right if operator == "<" else left > right
    if operator in _NUMERIC:
        text = f"({left or 0}) {_NUMERIC[operator]} ({right or 0})"
        return await shell.expand.calculated(text) != 0
    return await _asked(shell, [left, operator, right], io)


async def _matched(shell: "Shell", text: str, word: syntax.Word) -> bool:
    """`=~`: what is quoted stands for itself; the groups go to BASH_REMATCH."""
    # Imported here: most scripts never need it.
    from cluster.runtime.vos.programs import regular

    try:
        compiled = regular.compiled(await shell.expand.regular(word), extended=True)
    except regular.Bad as bad:
        raise Wrong(str(bad)) from bad
    found = compiled.search(text.encode("utf-8", "surrogateescape"))
    if not shell.state.bash:
        return found is not None
    shell.state.clear("BASH_REMATCH")
    if found is not None:
        for number, group in enumerate((found.group(0), *found.groups())):
            value = (group or b"").decode("utf-8", "surrogateescape")
            shell.state.put_element("BASH_REMATCH", number, value)
    return found is not None


async def _asked(shell: "Shell", words: list[str], io: Io) -> bool:
    """What `test` says."""
    from cluster.runtime.vos.programs import printing

    environment = shell.state.environment()
    call = Call(["[[", *words], shell.process, io, environment, shell.state.cwd)
    return await printing.test(call) == 0


async def _trace(shell: "Shell", text: str, io: Io) -> None:
    if shell.state.options.get("x"):
        await io.stderr.write(encoded(f"+ [[ {text} ]]\n"))
