"""Histories in which very much overlaps, as on a machine that stands still, are decided, too."""

import random
from dataclasses import replace

import pytest

from cluster.chaos.checking import linearizability
from cluster.chaos.checking.history import NEVER, Call, Outcome, Seen, Verb
from cluster.chaos.checking.linearizability import Verdict

VERBS = [Verb.CREATE, Verb.UPDATE, Verb.PATCH, Verb.PATCH, Verb.GET, Verb.GET, Verb.DELETE]


def crowded(seed, clients, each=40):
    """What an honest register answers to clients of whose calls every tenth takes very long, and
    every sixth has no answer.
    """
    chance = random.Random(seed)
    plans = []
    for client in range(clients):
        begin = chance.random()
        for _ in range(each):
            lasts = chance.expovariate(1) * (20 if chance.random() < 0.1 else 1)
            plans.append((begin + chance.random() * lasts, begin, begin + lasts, client))
            begin += lasts + chance.random() / 2
    register = Register()
    calls = []
    for number, (_, begin, end, client) in enumerate(sorted(plans)):
        verb = chance.choice(VERBS)
        call = Call(
            number, f"c{client}", verb, "k", begin,
            "" if verb in (Verb.GET, Verb.DELETE) else f"v{number}",
            register.shown.get(client, 0) if verb is Verb.UPDATE else 0, end=end,
        )  # fmt: skip
        if chance.random() >= 1 / 12:
            done = register.answer(call, client)
            calls.append(done if chance.random() >= 1 / 12 else replace(call, end=NEVER))
        else:
            calls.append(replace(call, end=NEVER))
    return sorted(calls, key=lambda call: call.begin)


class Register:
    """The one object, as it really was."""

    def __init__(self):
        self.value, self.revision, self.last = None, 0, 0
        self.shown = {}

    def answer(self, call, client):
        if refusal := self._refusal(call):
            return replace(call, outcome=Outcome.FAIL, reason=refusal)
        if call.verb is Verb.GET:
            self.shown[client] = self.revision
            return replace(call, outcome=Outcome.OK, seen=Seen(self.value, self.revision))
        self.last += 1
        gone = call.verb is Verb.DELETE
        self.value, self.revision = (None, 0) if gone else (call.value, self.last)
        return replace(call, outcome=Outcome.OK, revision=self.last)

    def _refusal(self, call):
        if call.verb is Verb.CREATE:
            return "AlreadyExists" if self.value is not None else ""
        if self.value is None:
            return "NotFound"
        return "Conflict" if call.expected and call.expected != self.revision else ""


@pytest.mark.parametrize("clients", [8, 15])
@pytest.mark.parametrize("seed", range(5))
def test_an_honest_history_is_found_to_be_one(seed, clients):
    calls = crowded(seed, clients)
    (found,) = linearizability.check(calls)
    assert found.verdict is Verdict.LINEARIZABLE
    assert found.steps < 20 * len(calls)


@pytest.mark.parametrize("seed", range(5))
def test_a_single_stale_read_is_found_among_all_that(seed):
    calls = crowded(seed, 8)
    reads = [at for at, call in enumerate(calls) if call.seen and call.end < calls[-1].begin]
    old, new = reads[len(reads) // 4], reads[-1]
    assert calls[old].end < calls[new].begin
    assert calls[old].seen != calls[new].seen
    calls[new] = replace(calls[new], seen=calls[old].seen)
    (found,) = linearizability.check(calls)
    assert found.verdict is Verdict.BROKEN
