"""What one object of the API may do: a register with a revision that is created and deleted.

A state says what may be so; `after` says what is so after an operation whose answer is known to
have been given in that state, or None where no such answer can be.
"""

from typing import NamedTuple

from cluster.chaos.checking.history import Call, Outcome, Seen, Verb


class State(NamedTuple):
    """`value` None: there is no object. `exact`: the newest revision of the object (or of its
    deletion) is `revision`; otherwise it is later, and nobody was told.
    """

    value: str | None = None
    revision: int = 0
    exact: bool = False


def after(state: State, call: Call) -> State | None:
    """The state after `call`, where it takes effect in `state` and is answered as it was.

    A call without an answer takes effect here in the way that it would have been acknowledged.
    """
    if call.outcome is Outcome.FAIL:
        return _refused(state, call)
    if call.verb is Verb.CREATE:
        return _written(state, call) if state.value is None else None
    if state.value is None or not _meets(state, call.expected):
        return None
    if call.verb in (Verb.GET, Verb.LIST):
        return _read(state, call.seen)
    if call.verb is Verb.DELETE:
        return _later(state, None, call.revision)
    return _written(state, call)


def _refused(state: State, call: Call) -> State | None:
    there = state.value is not None
    if call.reason == "AlreadyExists":
        return state if there else None
    if call.reason == "NotFound":
        return None if there else state
    if call.reason == "Conflict" and call.expected:
        same = state.exact and state.revision == call.expected
        return state if there and not same else None
    return state


def _meets(state: State, expected: int) -> bool:
    if not expected:
        return True
    return state.revision == expected if state.exact else state.revision < expected


def _written(state: State, call: Call) -> State | None:
    if call.value == state.value and call.revision == state.revision and state.exact:
        return state  # what changes nothing has no revision of its own
    least = max(state.revision, call.expected)
    return _later(State(state.value, least, state.exact), call.value, call.revision)


def _later(state: State, value: str | None, revision: int) -> State | None:
    if not revision:
        return State(value, state.revision)
    return State(value, revision, exact=True) if revision > state.revision else None


def _read(state: State, seen: Seen | None) -> State | None:
    if seen is None or seen.value != state.value:
        return None
    if state.exact:
        return state if seen.revision == state.revision else None
    return State(state.value, seen.revision, exact=True) if seen.revision > state.revision else None
