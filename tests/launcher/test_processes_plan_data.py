"""Plans as data: they survive a file, and tell in what order to stop."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.launcher import processes
from cluster.launcher.processes import Plan, Process


def process(name: str, *after: str) -> Process:
    return Process(name, name, (name, "--flag=ä"), f"/tmp/{name}.log", env={"A": "b"}, after=after)


def test_a_plan_survives_being_written_and_read() -> None:
    plan = Plan("demo", "/c.sock", "/n.sock", (process("a"), process("b", "a")))
    assert processes.decode(plan.encode()) == plan


def test_those_that_others_depend_on_are_stopped_last() -> None:
    names = [
        [each.name for each in found]
        for found in processes.rounds(
            [
                process("api"),
                process("run", "api"),
                process("let", "api", "run"),
                process("s", "api"),
            ]
        )
    ]
    assert names == [["let", "s"], ["run"], ["api"]]


def test_a_circle_is_an_error_that_names_it() -> None:
    with pytest.raises(ValueError, match="depend on each other: a, b"):
        processes.rounds([process("a", "b"), process("b", "a")])


@given(st.lists(st.integers(0, 20), max_size=20))
def test_every_process_is_stopped_once_and_before_what_it_depends_on(targets: list[int]) -> None:
    made = [
        process(str(number), *([str(target)] if target < number else []))
        for number, target in enumerate(targets)
    ]
    order = [each.name for found in processes.rounds(made) for each in found]
    assert sorted(order) == sorted(each.name for each in made)
    for each in made:
        for dependency in each.after:
            assert order.index(each.name) < order.index(dependency)
