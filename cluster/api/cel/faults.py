"""What goes wrong with expressions, in the words of cel-go and of Kubernetes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in the text of an expression; `offset` counts characters from 0."""

    offset: int
    message: str


class CompileError(Exception):
    """An expression that does not parse or check.

    The message is what Kubernetes shows: `compilation failed: ERROR: <input>:1:5: undefined
    field 'foo'`, then the line of the expression and a mark under the place.
    """

    def __init__(self, text: str, faults: list[Fault]) -> None:
        self.faults = faults
        super().__init__("compilation failed: " + "\n".join(_shown(text, item) for item in faults))


class EvaluationError(Exception):
    """An expression that has no value for what it was given: `no such key: x`."""


class CostExceeded(EvaluationError):
    """An expression that was stopped because it took more than it may."""

    def __init__(self) -> None:
        super().__init__("operation cancelled: actual cost limit exceeded")


def _shown(text: str, fault: Fault) -> str:
    before = text[: fault.offset]
    line = before.count("\n") + 1
    column = fault.offset - (before.rfind("\n") + 1)
    lines = text.split("\n")
    # A tab has the width of the dot that stands under it.
    source = lines[line - 1].replace("\t", " ")
    return f"ERROR: <input>:{line}:{column + 1}: {fault.message}\n | {source}\n | {'.' * column}^"
