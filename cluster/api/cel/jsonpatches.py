"""`jsonpatch.escapeKey`: a key as a part of a JSON pointer."""

from cluster.api.cel.overloads import Overload, declare, strings_cost


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def overloads() -> list[Overload]:
    """What the library declares."""
    shape = "(string) -> string"
    return [declare(shape, _escaped, strings_cost(0.2), name="jsonpatch.escapeKey")]
