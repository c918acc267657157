"""What the name of an image says about when to pull it."""

import re
from functools import lru_cache
from typing import Final

_REFERENCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:-]*(@[A-Za-z0-9+._-]+:[0-9A-Fa-f]+)?")


@lru_cache(4096)
def pull_policy(image: str) -> str:
    """Always for the tag `latest`, said or meant; else IfNotPresent."""
    if _REFERENCE.fullmatch(image) is None:
        return "IfNotPresent"
    name, _, digest = image.partition("@")
    _, colon, tag = name.rpartition("/")[2].partition(":")
    latest = tag == "latest" if colon else not digest
    return "Always" if latest else "IfNotPresent"
