"""bash's braces: `{a,b}` and `{1..5}` make several words of one."""

import re
from typing import Final

from cluster.runtime.vos.shell.syntax import Part, Text, Word
from cluster.runtime.vos.shell.words import Wrong

_MAX_WORDS: Final = 10_000
_MAX_TEXT: Final = 1 << 20
_RANGE: Final = re.compile(
    r"(?:(-?\d{1,9})\.\.(-?\d{1,9})|([A-Za-z])\.\.([A-Za-z]))(?:\.\.(-?\d{1,9}))?"
)
_INNER: Final = re.compile(r"\{([^{}]*)\}")


def spread(word: Word) -> list[Word]:
    """The words that a word becomes, itself alone where it has no braces. Those that an expansion
    or quotes stand in are left as they are. Wrong.
    """
    for place, part in enumerate(word.parts):
        if not isinstance(part, Text) or part.quoted or "{" not in part.text:
            continue
        for found in _INNER.finditer(part.text):
            values = _values(found[1])
            if values is None:
                continue
            start, end = part.text[: found.start()], part.text[found.end() :]
            words: list[Word] = []
            for value in values:
                words += spread(_with(word, place, start + value + end))
                if len(words) > _MAX_WORDS or len(words) * len(part.text) > _MAX_TEXT:
                    raise Wrong("argument list too long")
            return words
    return [word]


def _with(word: Word, place: int, text: str) -> Word:
    parts: tuple[Part, ...] = (Text(text),) if text else ()
    return Word((*word.parts[:place], *parts, *word.parts[place + 1 :]))


def _values(text: str) -> list[str] | None:
    found = _RANGE.fullmatch(text)
    if found is None:
        return text.split(",") if "," in text else None
    numbers = found[1] is not None
    first, last = (int(found[1]), int(found[2])) if numbers else (ord(found[3]), ord(found[4]))
    step = abs(int(found[5] or 1)) or 1
    if abs(last - first) // step >= _MAX_WORDS:
        raise Wrong("argument list too long")
    values = range(first, last + 1, step) if first <= last else range(first, last - 1, -step)
    if not numbers:
        return [chr(value) for value in values]
    padded = any(
        len(one.lstrip("-")) > 1 and one.lstrip("-")[0] == "0" for one in found.group(1, 2)
    )
    width = max(len(one) for one in found.group(1, 2)) if padded else 0
    return [f"{value:0{width}d}" for value in values]
