"""How the tables of roles are written: one rule a line, `VERBS GROUPS RESOURCES [NAMES]`.

Lists are joined by commas, after which a line may be broken. `read` and `write` stand for their
verbs, `core` for the core group, and `url` as group says that paths follow.
"""

import re
from functools import lru_cache

from cluster.apiserver.authz.rules import Rule

_VERBS = {
    "read": ("get", "list", "watch"),
    "write": ("create", "delete", "deletecollection", "patch", "update"),
}


@lru_cache(maxsize=512)
def rules(text: str) -> tuple[Rule, ...]:
    """The rules of a table, read once: each server that starts in a lab asks for all of them.

    ValueError for a line that is none.
    """
    lines = re.sub(r",\s+", ",", text.strip()).splitlines()
    return tuple(_rule(line.split()) for line in lines)


def _rule(words: list[str]) -> Rule:
    if len(words) not in (3, 4):
        raise ValueError(f"a rule has three or four words: {' '.join(words)}")
    verbs = sorted(verb for word in words[0].split(",") for verb in _VERBS.get(word, (word,)))
    resources = tuple(sorted(words[2].split(",")))
    if words[1] == "url":
        return Rule(tuple(verbs), urls=resources)
    groups = tuple("" if group == "core" else group for group in words[1].split(","))
    names = tuple(sorted(words[3].split(","))) if len(words) == 4 else ()
    return Rule(tuple(verbs), groups, resources, names)
