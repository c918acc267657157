"""Making and ending pods when the API server does not answer as it should."""

import asyncio
from typing import Any

import pytest

from cluster.aio import virtual
from cluster.api import errors, objects
from cluster.client import client, indexer
from cluster.controllers.job import awaited, fields, podcontrol, pods

KEY = "default/work"
JOB = {"metadata": {"name": "work", "namespace": "default", "uid": "j1"}, "spec": {}}


def _pod(name: str, owner: str = "j1") -> dict[str, Any]:
    reference = {"uid": owner, "name": "work", "kind": "Job", "controller": True}
    meta = {"name": name, "namespace": "default", "uid": f"uid-{name}"}
    finalizers = {"finalizers": [fields.TRACKING], "ownerReferences": [reference]}
    return {"metadata": {**meta, **finalizers}}


class Api:
    """Answers each batch with what the test says, and lists what it says is there."""

    def __init__(self, *answers: list[Any], there: list[dict[str, Any]] | None = None) -> None:
        self.answers = [*answers]
        self.there = there or []
        self.batches: list[int] = []

    async def submit_all(self, operations: Any) -> list[Any]:
        operations = [*operations]
        self.batches.append(len(operations))
        answer = self.answers.pop(0) if self.answers else [{}]
        return [answer[min(at, len(answer) - 1)] for at in range(len(operations))]

    async def list(self, resource: str, namespace: str, **options: Any) -> client.Listing:
        return client.Listing(self.there, 7)


class Told:
    def __init__(self) -> None:
        self.reasons: list[str] = []

    def event(self, obj: Any, kind: str, reason: str, message: str) -> None:
        self.reasons.append(reason)


def _control(
    api: Any, *shown: dict[str, Any]
) -> tuple[podcontrol.PodControl, awaited.Awaited, Told]:
    waiting, told, store = awaited.Awaited(), Told(), indexer.Indexer()
    for pod in shown:
        store.put(pod)
    return podcontrol.PodControl(api, told, waiting, store), waiting, told


def _satisfied(waiting: awaited.Awaited) -> bool:
    return waiting.satisfied(KEY, asyncio.get_running_loop().time())


def test_pods_that_were_made_without_a_word_are_waited_for():
    async def scenario():
        away = errors.ServiceUnavailable("the answer was lost")
        api = Api([away], there=[_pod("a"), _pod("b", owner="another")])
        control, waiting, told = _control(api)
        made, failure = await control.create(KEY, JOB, pods.creations(JOB, 5))
        assert (made, failure, told.reasons) == (0, away, ["FailedCreate"])
        assert _satisfied(waiting)
        await control.catch_up(KEY, JOB)
        assert not _satisfied(waiting)
        waiting.seen(KEY, "uid-a")
        assert _satisfied(waiting)

    virtual.run(scenario())


@pytest.mark.parametrize("failure", [errors.Forbidden("quota"), errors.Invalid("no")])
def test_a_refusal_is_certain_and_stops_the_batches(failure):
    async def scenario():
        good = {"metadata": {"name": "a", "namespace": "default", "uid": "uid-a"}}
        api = Api([good], [good, failure], there=[_pod("z")])
        control, waiting, told = _control(api)
        made, met = await control.create(KEY, JOB, pods.creations(JOB, 20))
        assert (made, met, api.batches) == (2, failure, [1, 2])
        assert sorted(told.reasons) == ["FailedCreate", "SuccessfulCreate", "SuccessfulCreate"]
        await control.catch_up(KEY, JOB)
        waiting.seen(KEY, "uid-a")
        assert _satisfied(waiting)

    virtual.run(scenario())


def test_pods_whose_deletion_failed_are_not_waited_for():
    async def scenario():
        doomed = [_pod("a"), _pod("b"), _pod("c")]
        failure = errors.Forbidden("no")
        api = Api([{}, errors.NotFound("gone"), failure])
        control, waiting, told = _control(api)
        going, met = await control.end(KEY, JOB, doomed)
        assert ([objects.name(pod) for pod in going], met) == (["a", "b"], failure)
        assert list(waiting.being_left(KEY)) == ["uid-a"]
        assert told.reasons == ["SuccessfulDelete", "FailedDelete"]

    virtual.run(scenario())


def test_a_pod_that_was_gone_before_is_waited_for_only_while_the_cache_shows_it():
    async def scenario():
        shown, seen = _pod("shown"), _pod("seen-to-be-gone")
        control, waiting, _ = _control(Api([errors.NotFound("gone")]), shown)
        going, met = await control.end(KEY, JOB, [shown, seen])
        assert ([objects.name(pod) for pod in going], met) == (["shown", "seen-to-be-gone"], None)
        assert list(waiting.being_left(KEY)) == ["uid-shown"]

    virtual.run(scenario())


def test_a_pod_that_keeps_its_finalizer_is_neither_released_nor_deleted():
    async def scenario():
        api = Api([{}, errors.Forbidden("no")], [{}])
        control, waiting, _ = _control(api)
        going, met = await control.discard(KEY, JOB, [_pod("a"), _pod("b")])
        assert [objects.name(pod) for pod in going] == ["a"]
        assert isinstance(met, errors.Forbidden)
        assert list(waiting.being_removed(KEY)) == ["uid-a"]

    virtual.run(scenario())


def test_what_is_awaited_too_long_is_given_up():
    waiting = awaited.Awaited()
    waiting.created(KEY, ["a"], 10.0)
    waiting.removing(KEY, ["r"], 10.0)
    assert not waiting.satisfied(KEY, 309.0)
    assert waiting.seconds_left(KEY, 300.0) == 10.0
    assert waiting.satisfied(KEY, 310.0)
    assert list(waiting.being_removed(KEY)) == ["r"]
    waiting.forget(KEY)
    assert not waiting.being_removed(KEY)
