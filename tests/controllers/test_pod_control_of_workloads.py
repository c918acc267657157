"""Making and ending the pods of a workload: the batches, what is told, and what is found out."""

from typing import Any

import pytest

from cluster.aio import virtual
from cluster.api import errors, objects
from cluster.api.operations import Operation, Verb
from cluster.controllers import podcontrol

OWNER = {"metadata": {"name": "web", "namespace": "default"}}
GOING = errors.Forbidden("going", details={"causes": [{"reason": "NamespaceTerminating"}]})
QUOTA = errors.Forbidden("exceeded quota")
AWAY = errors.ServiceUnavailable("away")


class Api:
    """Makes pods named by their number; what the test says for a number goes wrong."""

    def __init__(self, wrong: dict[int, errors.StatusError]) -> None:
        self.wrong = wrong
        self.batches: list[int] = []
        self.asked = 0

    async def submit_all(self, operations: Any) -> list[Any]:
        self.batches.append(len(operations))
        start, self.asked = self.asked, self.asked + len(operations)
        return [self.wrong.get(at, _pod(at)) for at in range(start, self.asked)]


class Told:
    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def event(self, obj: Any, kind: str, reason: str, message: str) -> None:
        self.events.append((reason, message))


def _pod(number: int) -> dict[str, Any]:
    return {"metadata": {"name": f"pod-{number}", "namespace": "default", "uid": f"u{number}"}}


def _create(count: int, wrong: dict[int, errors.StatusError]) -> Any:
    async def scenario() -> Any:
        api, told, batches = Api(wrong), Told(), []
        control = podcontrol.PodControl(api, told)  # type: ignore[arg-type]
        operation = Operation(Verb.CREATE, "pods", "default")
        outcome = await control.create(
            OWNER, [operation] * count, lambda made: batches.append(len(made))
        )
        return outcome, api, told, batches

    return virtual.run(scenario())


@pytest.mark.parametrize(
    ("count", "batches"),
    [(0, []), (1, [1]), (3, [1, 2]), (4, [1, 2, 1]), (500, [1, 2, 4, 8, 16, 32, 64, 128, 245])],
)
def test_batches_double_until_all_pods_are_made(count, batches):
    outcome, api, told, heard = _create(count, {})
    assert api.batches == heard == batches
    assert [objects.name(pod) for pod in outcome.made] == [f"pod-{n}" for n in range(count)]
    created = [("SuccessfulCreate", f"Created pod: pod-{n}") for n in range(count)]
    assert (told.events, outcome.failure, outcome.unsure) == (created, None, False)


@pytest.mark.parametrize(
    ("wrong", "failure", "unsure", "failures"),
    [
        ({2: QUOTA}, QUOTA, False, 1),
        ({2: AWAY}, AWAY, True, 1),
        ({1: QUOTA, 2: AWAY}, QUOTA, True, 2),
        ({1: GOING, 2: GOING}, None, False, 0),
        ({1: GOING, 2: QUOTA}, QUOTA, False, 1),
    ],
)
def test_a_batch_with_a_failure_is_the_last_and_is_counted_to_its_end(
    wrong, failure, unsure, failures
):
    outcome, api, told, heard = _create(20, wrong)
    assert api.batches == [1, 2]
    assert heard == [1, 2 - len(wrong)]
    assert (outcome.failure, outcome.unsure) == (failure, unsure)
    assert [reason for reason, _ in told.events].count("FailedCreate") == failures


def test_deletions_are_told_apart_by_what_the_server_says():
    async def scenario():
        wrong = {1: errors.NotFound("no such pod"), 2: errors.Conflict("another"), 3: AWAY}
        told = Told()
        control = podcontrol.PodControl(Api(wrong), told)
        outcome = await control.delete(OWNER, [_pod(at) for at in range(4)])
        found = [outcome.deleted, outcome.gone, outcome.failed, outcome.going]
        names = [[objects.name(pod) for pod in pods] for pods in found]
        assert names == [["pod-0"], ["pod-1", "pod-2"], ["pod-3"], ["pod-0", "pod-1", "pod-2"]]
        assert (outcome.failure, outcome.unsure) == (AWAY, True)
        deleted = ("SuccessfulDelete", "Deleted pod: pod-0")
        assert told.events == [deleted, ("FailedDelete", f"Error deleting: {AWAY}")]

    virtual.run(scenario())
