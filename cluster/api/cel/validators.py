"""Constants that are looked at before an expression runs: durations, timestamps, patterns."""

from cluster.api import regexes
from cluster.api.cel.ast import Call, Literal
from cluster.api.cel.faults import EvaluationError, Fault
from cluster.api.cel.timetext import parse_duration, parse_timestamp


def literal_fault(call: Call) -> Fault | None:
    """What is wrong with a constant argument, as cel-go's AST validators say it."""
    function = call.function
    if function in ("duration", "timestamp") and len(call.args) == 1:
        argument = call.args[0]
        if isinstance(argument, Literal) and isinstance(argument.value, str):
            parse = parse_duration if function == "duration" else parse_timestamp
            try:
                parse(argument.value)
            except EvaluationError:
                return Fault(argument.offset, f"invalid {function} argument")
    elif function == "matches" and call.args:
        argument = call.args[-1]
        text = argument.value if isinstance(argument, Literal) else None
        if isinstance(text, str) and regexes.fault(text):
            return Fault(argument.offset, "invalid matches argument")
    return None
