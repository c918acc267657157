"""The search says what trying out every order says, on all small histories that come to mind."""

import itertools
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.chaos.checking import linearizability, register, story
from cluster.chaos.checking.history import NEVER, Call, Outcome, Seen, Verb
from cluster.chaos.checking.linearizability import Verdict


def has_an_order(calls):
    """Whether there is an order, tried out: with each choice of the calls without an answer."""
    sure = [call for call in calls if call.outcome is not Outcome.UNKNOWN]
    doubtful = [call for call in calls if call.outcome is Outcome.UNKNOWN and call.writes]
    return any(
        possible(order)
        for count in range(len(doubtful) + 1)
        for chosen in itertools.combinations(doubtful, count)
        for order in itertools.permutations([*sure, *chosen])
    )


def possible(order):
    state = register.State()
    for at, call in enumerate(order):
        if any(later.end < call.begin for later in order[at + 1 :]):
            return False
        state = register.after(state, call)
        if state is None:
            return False
    return True


@st.composite
def histories(draw, most=5):
    """Calls of one object, which overlap at random; few revisions and values, so that they meet."""
    count = draw(st.integers(1, most))
    ticks = draw(st.permutations(range(2 * count)))
    calls = []
    for number in range(count):
        begin, end = sorted(ticks[2 * number : 2 * number + 2])
        verb = draw(st.sampled_from([Verb.CREATE, Verb.UPDATE, Verb.PATCH, Verb.DELETE, Verb.GET]))
        outcome = draw(st.sampled_from([Outcome.OK, Outcome.OK, Outcome.FAIL, Outcome.UNKNOWN]))
        call = Call(number, "c", verb, "k", begin, outcome=outcome)
        if outcome is not Outcome.UNKNOWN:
            call = replace(call, end=end)
        if verb in (Verb.CREATE, Verb.UPDATE, Verb.PATCH):
            call = replace(call, value=draw(st.sampled_from("xyz")))
        if verb in (Verb.UPDATE, Verb.DELETE):
            call = replace(call, expected=draw(st.integers(0, 3)))
        if outcome is Outcome.FAIL:
            reasons = ["AlreadyExists", "NotFound", "Conflict", "Invalid"]
            call = replace(call, reason=draw(st.sampled_from(reasons)))
        elif verb is Verb.GET and outcome is Outcome.OK:
            seen = Seen(draw(st.sampled_from("xyz")), draw(st.integers(1, 4)))
            call = replace(call, seen=seen)
        else:
            call = replace(call, revision=draw(st.integers(0, 4)))
        calls.append(call)
    return sorted(calls, key=lambda call: call.begin)


@st.composite
def lived(draw):
    """A history that an honest register made: each call takes effect at a moment between its ends,
    some answers are lost, and what took effect without an answer may do so late.
    """
    count = draw(st.integers(1, 7))
    marks = draw(st.permutations(range(3 * count)))
    plans = []
    for number in range(count):
        begin, effect, end = sorted(marks[3 * number : 3 * number + 3])
        verb = draw(st.sampled_from([Verb.CREATE, Verb.UPDATE, Verb.PATCH, Verb.DELETE, Verb.GET]))
        plans.append((effect, Call(number, "c", verb, "k", begin, f"v{number}", end=end)))
    value, revision, last = None, 0, 0
    calls = []
    for _, plan in sorted(plans, key=lambda one: one[0]):
        fate = draw(st.sampled_from(["answered", "answered", "lost", "never"]))
        expected = draw(st.sampled_from([max(revision, 1), 1])) if plan.verb is Verb.UPDATE else 0
        reads = plan.verb in (Verb.GET, Verb.DELETE)
        call = replace(plan, expected=expected, value="" if reads else plan.value)
        refusal = refused(call, value, revision)
        if fate == "never":
            calls.append(replace(call, end=NEVER))
            continue
        done = replace(call, outcome=Outcome.OK)
        if refusal:
            done = replace(call, outcome=Outcome.FAIL, reason=refusal)
        elif call.verb is Verb.GET:
            done = replace(done, seen=Seen(value, revision))
        else:
            last += draw(st.integers(1, 2))
            value, revision = (None, 0) if call.verb is Verb.DELETE else (call.value, last)
            done = replace(done, revision=draw(st.sampled_from([last, 0])))
        lost = replace(call, outcome=Outcome.UNKNOWN, end=NEVER)
        calls.append(lost if fate == "lost" else done)
    return sorted(calls, key=lambda call: call.begin)


def refused(call, value, revision):
    if call.verb is Verb.CREATE:
        return "AlreadyExists" if value is not None else ""
    if value is None:
        return "NotFound"
    return "Conflict" if call.expected and call.expected != revision else ""


@given(histories())
@settings(max_examples=250, deadline=None)
def test_the_search_agrees_with_brute_force(calls):
    verdict, _ = linearizability.judge(calls)
    assert (verdict is Verdict.LINEARIZABLE) is has_an_order(calls)


@given(histories(4))
@settings(max_examples=100, deadline=None)
def test_the_smallest_story_is_broken_and_proves_that_the_history_is(calls):
    if linearizability.judge(calls)[0] is not Verdict.BROKEN:
        return
    kept = {call.number for call in story.smallest(calls)}
    assert kept
    doubted = [
        call if call.number in kept else replace(call, outcome=Outcome.UNKNOWN, end=NEVER)
        for call in calls
        if call.number in kept or (call.writes and call.outcome is not Outcome.FAIL)
    ]
    assert not has_an_order(doubted)


@given(lived())
@settings(max_examples=150, deadline=None)
def test_what_an_honest_register_did_is_linearizable(calls):
    assert linearizability.judge(calls)[0] is Verdict.LINEARIZABLE
    assert [one.verdict for one in linearizability.check(calls)] == [Verdict.LINEARIZABLE]
