"""A word as a shell reads it again: `%q`, in the manner of bash. Pure."""

import re
from typing import Final

_PLAIN: Final = re.compile(r"[A-Za-z0-9_%+,./:=@^-]")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_NAMED: Final = {"\a": "a", "\b": "b", "\x1b": "E", "\f": "f", "\n": "n", "\r": "r", "\t": "t",
                 "\v": "v"}  # fmt: skip


def quoted(text: str) -> str:
    """With a backslash before what a shell would heed; control letters by `$'…'`."""
    if not text:
        return "''"
    if _CONTROL.search(text):
        return "$'" + "".join(_escaped(one) for one in text) + "'"
    made = "".join(one if _PLAIN.match(one) or ord(one) > 127 else f"\\{one}" for one in text)
    return f"\\{made}" if made[0] == "~" else made


def _escaped(letter: str) -> str:
    if letter in _NAMED:
        return f"\\{_NAMED[letter]}"
    if letter in "'\\":
        return f"\\{letter}"
    return f"\\{ord(letter):03o}" if _CONTROL.match(letter) else letter
