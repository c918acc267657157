"""Reads `[[ … ]]`. Source: bash's manual, "Conditional Constructs"; busybox has most of it."""

from typing import Final

from cluster.runtime.vos.shell.syntax import Conditional, Test, Word
from cluster.runtime.vos.shell.words import Incomplete, Scanner, Wrong

BINARY: Final = frozenset(
    ("=", "==", "!=", "=~", "-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-nt", "-ot", "-ef")
)
UNARY: Final = frozenset(f"-{letter}" for letter in "abcdefghknprstuvwxzLNOGS")
_MAX_DEPTH: Final = 32


def read(scan: Scanner) -> Conditional:
    """The command whose `[[` is next. Wrong, Incomplete."""
    scan.take_word("[[")
    found = _either(scan, 0)
    scan.skip_lines()
    if scan.reserved() != "]]":
        raise _unexpected(scan)
    scan.take_word("]]")
    return Conditional(found)


def _unexpected(scan: Scanner) -> Wrong:
    text = f'unexpected "{scan.shown()}" (expecting "]]")'
    return Incomplete(text) if scan.at_end else Wrong(text)


def _either(scan: Scanner, depth: int) -> Test:
    if depth > _MAX_DEPTH:
        raise Wrong("nested too deeply")
    return _joined(scan, "||", depth)


def _joined(scan: Scanner, operator: str, depth: int) -> Test:
    found = [_part(scan, operator, depth)]
    scan.skip_lines()
    while scan.operator() == operator:
        scan.take(operator)
        found.append(_part(scan, operator, depth))
        scan.skip_lines()
    return found[0] if len(found) == 1 else Test(operator, found)


def _part(scan: Scanner, operator: str, depth: int) -> Test:
    return _joined(scan, "&&", depth) if operator == "||" else _one(scan, depth)


def _one(scan: Scanner, depth: int) -> Test:
    scan.skip_lines()
    if scan.reserved() == "!":
        scan.take_word("!")
        if depth > _MAX_DEPTH:
            raise Wrong("nested too deeply")
        return Test("!", [_one(scan, depth + 1)])
    if scan.operator() == "(":
        scan.take("(")
        found = _either(scan, depth + 1)
        scan.skip_lines()
        scan.expect(")")
        return found
    unary = scan.reserved()
    left = _word(scan)
    if unary in UNARY and not _ends(scan):
        return Test(unary, [_word(scan)])
    return _compared(scan, left)


def _compared(scan: Scanner, left: Word) -> Test:
    operator = scan.reserved()
    if operator in BINARY:
        scan.take_word(operator)
        right = scan.pattern() if operator == "=~" else _word(scan)
        if right is None:
            raise _unexpected(scan)
        return Test(operator, [left, right])
    for order in ("<", ">"):
        if scan.letter(order):
            return Test(order, [left, _word(scan)])
    return Test("", [left])


def _ends(scan: Scanner) -> bool:
    return scan.operator() in ("&&", "||", ")", "\n") or scan.reserved() in ("]]", *BINARY)


def _word(scan: Scanner) -> Word:
    if scan.reserved() == "]]":
        raise _unexpected(scan)
    found = scan.word()
    if found is None:
        raise _unexpected(scan)
    return found
