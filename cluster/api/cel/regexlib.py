"""`find` and `findAll`: what a pattern (RE2) matches in a text."""

from cluster.api import regexes
from cluster.api.cel.faults import EvaluationError
from cluster.api.cel.overloads import Overload, declare
from cluster.api.cel.standard import pattern_cost


def _find(text: str, pattern: str) -> str:
    found = _find_all(text, pattern, 1)
    return found[0] if found else ""


def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    fault = regexes.fault(pattern)
    if fault:
        raise EvaluationError(f"Illegal regex: {fault}")
    return regexes.matches(pattern, text, limit)


def overloads() -> list[Overload]:
    """What the library declares."""
    return [
        declare("string.find(string) -> string", _find, pattern_cost),
        declare("string.findAll(string) -> list(string)", _find_all, pattern_cost),
        declare("string.findAll(string, int) -> list(string)", _find_all, pattern_cost),
    ]
