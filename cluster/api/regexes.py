"""Regular expressions of users: RE2, as in Go, which takes time in proportion to the text.

Python's own engine may take time that grows exponentially: nothing that a user wrote goes there.
"""

from functools import lru_cache
from typing import Any, Final

PATTERN_LIMIT: Final = 64 << 10
"""Characters of a pattern."""
_MEMORY: Final = 8 << 20
"""Bytes that one compiled pattern may take."""

# What RE2 says, and what Go's regexp says of the same.
_GO_WORDS: Final = {
    "missing ]": "missing closing ]",
    "missing )": "missing closing )",
    "no argument for repetition operator": "missing argument to repetition operator",
    "bad repetition operator": "invalid nested repetition operator",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid repetition size": "invalid repeat count",
}


def fault(pattern: str) -> str:
    """What is wrong with a pattern, in Go's words; "" where it is good."""
    return _compiled(pattern)[1]


def found(pattern: str, text: str) -> bool:
    """Whether the pattern matches somewhere in `text`; a faulty pattern matches nothing."""
    program = _compiled(pattern)[0]
    return program is not None and program.search(text) is not None


def program(pattern: str) -> Any:
    """The compiled pattern, for who needs its groups; None for a faulty one."""
    return _compiled(pattern)[0]


@lru_cache(4096)
def _compiled(pattern: str) -> tuple[Any, str]:
    import re2  # late: most processes never need it

    if len(pattern) > PATTERN_LIMIT:
        return None, f"error parsing regexp: expression too large: {len(pattern)} characters"
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    try:
        return re2.compile(pattern, options), ""
    except (re2.error, UnicodeEncodeError) as error:
        said = error.args[0] if error.args else ""
        text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        head, colon, rest = text.partition(": ")
        shown = f": `{rest}`" if colon else ""
        return None, f"error parsing regexp: {_GO_WORDS.get(head, head)}{shown}"


def matches(pattern: str, text: str, limit: int = -1) -> list[str]:
    """What the pattern matches in `text`, from left to right: at most `limit` where it is not
    negative. A faulty pattern matches nothing.
    """
    program = _compiled(pattern)[0]
    result: list[str] = []
    if program is None or limit == 0:
        return result
    for match in program.finditer(text):
        result.append(match.group())
        if len(result) == limit:
            break
    return result
