"""The smallest story: the fewest operations of a history for which there is no order, told in the
order of time.

What is left out is left out soundly: what comes after a moment may be cut off (a linearizable
history stays so when it is cut), reads and refusals change nothing, and a write may go where there
is no order even if it had never been answered (it is tried as such to the end).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from cluster.chaos.checking.history import NEVER, Call, Outcome
from cluster.chaos.checking.linearizability import Verdict, judge

_BUDGET: Final = 20_000
"""Steps for one try: what takes longer stays in."""


def smallest(calls: Sequence[Call]) -> list[Call]:
    """The calls of a broken history of one object that are needed to see that it is broken, and
    the writes of what they read.
    """
    given = _shortest(list(calls))
    doubtful = [call for call in given if call.writes and call.outcome is Outcome.UNKNOWN]
    kept = [call for call in given if call.outcome is not Outcome.UNKNOWN]
    for call in sorted(kept, key=lambda one: (one.writes, -one.begin)):
        rest = [one for one in kept if one is not call]
        doubted = [*doubtful, replace(call, outcome=Outcome.UNKNOWN)] if _did(call) else doubtful
        if _broken(_ordered([*rest, *doubted])):
            kept, doubtful = rest, doubted
    read = {call.seen.value for call in kept if call.seen is not None}
    shown = {call.number for call in [*kept, *(one for one in doubtful if one.value in read)]}
    return [call for call in given if call.number in shown]


def _did(call: Call) -> bool:
    return call.writes and call.outcome is Outcome.OK


def _ordered(calls: Sequence[Call]) -> list[Call]:
    return sorted(calls, key=lambda call: call.begin)


def _shortest(calls: list[Call]) -> list[Call]:
    """The history until the first moment at which it is broken."""
    ends = sorted(call.end for call in calls if call.end != NEVER)
    low, high = 0, len(ends) - 1
    while low < high:
        middle = (low + high) // 2
        if _broken(_until(calls, ends[middle])):
            high = middle
        else:
            low = middle + 1
    return _until(calls, ends[low]) if ends else calls


def _until(calls: Sequence[Call], tick: float) -> list[Call]:
    """What had happened at `tick`: later answers are not there yet."""
    return [
        call if call.end <= tick else replace(call, outcome=Outcome.UNKNOWN, end=NEVER)
        for call in calls
        if call.begin <= tick
    ]


def _broken(calls: Sequence[Call]) -> bool:
    return judge(calls, _BUDGET)[0] is Verdict.BROKEN


def told(calls: Sequence[Call]) -> list[str]:
    """A line for each call, in the order of their beginnings."""
    return [line(call) for call in _ordered(calls)]


def line(call: Call) -> str:
    """`12.034–12.036 client-1 update a (at revision 7) to 'v9': ok, revision 12`."""
    until = f"{call.ended:.3f}" if call.ended != NEVER else "?"
    what = f"{call.verb.value} {call.key}"
    if call.expected:
        what += f" (at revision {call.expected})"
    if call.writes and call.value:
        what += f" to {call.value!r}"
    return f"{call.invoked:.3f}–{until} {call.client} {what}: {_answer(call)}"


def _answer(call: Call) -> str:
    if call.outcome is Outcome.UNKNOWN:
        known = f", took effect at revision {call.revision}" if call.revision else ""
        return f"no answer ({call.reason or 'none came'}{known})"
    if call.outcome is Outcome.FAIL:
        return call.reason
    if call.seen is not None:
        return f"{call.seen.value!r} at revision {call.seen.revision}"
    return f"ok, revision {call.revision}" if call.revision else "ok"
