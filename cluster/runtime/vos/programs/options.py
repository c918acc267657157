"""Reading of options, as getopt(3) does."""

from collections.abc import Sequence


class Unknown(Exception):
    """An option that the program does not have; the message is what it says."""


def split(
    argv: Sequence[str], flags: str = "", valued: str = ""
) -> tuple[dict[str, str], list[str]]:
    """Options by letter (a flag's value is "1"), and the rest. Unknown."""
    found: dict[str, str] = {}
    rest: list[str] = []
    words = list(argv[1:])
    while words:
        word = words.pop(0)
        if word == "--":
            return found, rest + words
        if word[:1] != "-" or word == "-":
            rest.append(word)
            continue
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter in valued:
                if not letters and not words:
                    raise Unknown(f"option requires an argument -- '{letter}'")
                found[letter] = letters or words.pop(0)
                break
            if letter not in flags:
                raise Unknown(f"unrecognized option: {letter}")
            found[letter] = "1"
    return found, rest


def number(text: str) -> int:
    """A count. Unknown."""
    plain = text.lstrip("+-")
    if not plain.isdigit() or len(plain) > 12:
        raise Unknown(f"invalid number '{text[:40]}'")
    return int(plain)
