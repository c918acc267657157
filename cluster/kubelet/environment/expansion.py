"""`$(NAME)` in commands, variables and paths. Pure.

Source: k8s.io/kubernetes/third_party/forked/golang/expansion.
"""

from collections.abc import Mapping


def expand(text: str, *values: Mapping[str, str]) -> str:
    """Replace `$(NAME)` by its value; `$$(NAME)` is `$(NAME)`, an unknown name stays.

    Of several mappings the first that has the name counts.
    """
    return _expanded(text, values, [])


def expand_known(text: str, *values: Mapping[str, str]) -> str:
    """The same where every name has to be known. ValueError with the missing ones."""
    missing: list[str] = []
    found = _expanded(text, values, missing)
    if missing:
        raise ValueError(", ".join(missing))
    return found


def _expanded(text: str, values: tuple[Mapping[str, str], ...], missing: list[str]) -> str:
    if "$" not in text:
        return text
    made: list[str] = []
    at = 0
    while at < len(text):
        if text.startswith("$$", at):
            made.append("$")
            at += 2
            continue
        end = text.find(")", at) if text.startswith("$(", at) else -1
        if end > 0:
            made.append(_value(text[at + 2 : end], values, missing))
            at = end + 1
        else:
            made.append(text[at])
            at += 1
    return "".join(made)


def _value(name: str, values: tuple[Mapping[str, str], ...], missing: list[str]) -> str:
    for known in values:
        if name in known:
            return known[name]
    missing.append(name)
    return f"$({name})"
