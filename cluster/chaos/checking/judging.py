"""All that is judged by what clients, watchers and the store saw, told in order."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from cluster.chaos.checking import linearizability, ordering, pods, story, watches
from cluster.chaos.checking.history import Call
from cluster.chaos.checking.linearizability import Verdict


class Judgement(NamedTuple):
    """`faults` are stories, one each; `broken` names the objects that are not linearizable."""

    faults: list[str]
    broken: list[str]


def judge(
    calls: Sequence[Call],
    facts: Mapping[int, ordering.Fact],
    watched: Iterable[watches.Watch],
    sightings: Sequence[pods.Sighting],
) -> Judgement:
    """What is wrong with the calls, with what watches told, and with where pods were bound.

    `facts` is what the store held, by revision.
    """
    faults = [*ordering.real_time(calls), *ordering.lost(calls, facts)]
    broken = []
    for found in linearizability.check(ordering.settled(calls, facts)):
        if found.verdict is not Verdict.LINEARIZABLE:
            told = "\n  ".join(story.told(story.smallest(found.calls)))
            faults.append(f"{found.key} is {found.verdict.value}:\n  {told}")
            broken.append(found.key)
    for each in watched:
        faults += watches.check(each, facts)
    faults += pods.moved(sightings)
    return Judgement(faults, broken)
