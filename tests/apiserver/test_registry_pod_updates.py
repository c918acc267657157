"""Updates of pods by manifests that do not say what admission added."""

import pytest
import registry_world as rw

from cluster.aio import virtual
from cluster.api import errors


def run(test):
    async def main():
        async with rw.world() as world:
            await test(world)

    virtual.run(main())


def _silent(made, *fields):
    """The pod as its author would send it again: without the fields that admission filled in."""
    spec = {field: value for field, value in made["spec"].items() if field not in fields}
    return made | {"spec": spec}


def test_a_silent_update_keeps_tolerations_and_priority():
    async def test(world):
        made = await world.create("pods", rw.pod())
        silent = _silent(made, "tolerations", "priority", "preemptionPolicy")
        silent["metadata"] = made["metadata"] | {"labels": {"new": "label"}}
        now = await world.update("pods", silent)
        assert now["spec"] == made["spec"]
        assert now["metadata"]["labels"] == {"new": "label"}

    run(test)


@pytest.mark.parametrize("odd", ["x", 5, ["x"], {"a": "b"}])
def test_odd_tolerations_are_left_to_the_rules(odd):
    async def test(world):
        made = await world.create("pods", rw.pod())
        made["spec"]["tolerations"] = odd
        with pytest.raises(errors.BadRequest, match="json: cannot unmarshal"):
            await world.update("pods", made)

    run(test)


def test_a_priority_cannot_be_changed():
    async def test(world):
        made = await world.create("pods", rw.pod())
        made["spec"]["priority"] = 7
        with pytest.raises(errors.Invalid, match="pod updates may not change fields"):
            await world.update("pods", made)

    run(test)


@pytest.mark.parametrize("gates", [[{"name": "example.com/a"}], [], None])
def test_a_pod_with_gates_says_from_the_start_that_they_are_in_the_way(gates):
    async def test(world):
        wanted = rw.pod()
        if gates is not None:
            wanted["spec"]["schedulingGates"] = gates
        told = (await world.create("pods", wanted))["status"].get("conditions", [])
        assert [(one["type"], one["status"], one["reason"]) for one in told] == (
            [("PodScheduled", "False", "SchedulingGated")] if gates else []
        )

    run(test)
