"""Modes of files as people write them: `755`, `u+rwx,go-w`. Pure."""

import re


def parsed(text: str, old: int, *, folder: bool, umask: int = 0, octal: bool = True) -> int | None:
    """The permissions that a mode makes of old ones; None for what is no mode. `umask` is heeded
    where nobody is named (`+w`), as chmod(1) has it.
    """
    if octal and re.fullmatch(r"[0-7]{1,4}", text):
        return int(text, 8)
    for part in text.split(","):
        found = re.fullmatch(r"([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)", part)
        if found is None:
            return None
        who, changes = found.groups()
        for sign, letters in re.findall(r"([-+=])([a-zX]*)", changes):
            old = _changed(old, who, sign, letters, folder=folder, umask=umask)
    return old


def _changed(old: int, who: str, sign: str, letters: str, *, folder: bool, umask: int) -> int:
    places = {"u": 6, "g": 3, "o": 0}
    if letters in places:
        one = old >> places[letters] & 7
    else:
        one = sum({"r": 4, "w": 2, "x": 1}.get(letter, 0) for letter in dict.fromkeys(letters))
        if "X" in letters and (folder or old & 0o111):
            one |= 1
    whom = [at for at in "ugo" if at in who or "a" in who or not who]
    bits = sum(one << places[at] for at in whom)
    mask = sum(7 << places[at] for at in whom)
    if not who:
        bits &= ~umask
        mask = 0o777
    if "s" in letters:
        bits |= (0o4000 if "u" in whom else 0) | (0o2000 if "g" in whom else 0)
    bits |= 0o1000 if "t" in letters else 0
    if sign == "+":
        return old | bits
    return old & ~bits if sign == "-" else (old & ~mask) | bits


def symbolic(bits: int) -> str:
    """`u=rwx,g=rx,o=rx`."""
    parts = []
    for who, at in (("u", 6), ("g", 3), ("o", 0)):
        one = bits >> at & 7
        parts.append(f"{who}=" + "".join(s for s, b in (("r", 4), ("w", 2), ("x", 1)) if one & b))
    return ",".join(parts)
