"""In what a running cluster is said to be another."""

import pytest

from cluster.launcher import shapes
from cluster.launcher.processes import Process


def processes(**argv):
    return [Process(name, name, tuple(words.split()), "") for name, words in argv.items()]


@pytest.mark.parametrize(
    ("asked", "different"),
    [
        ({"api": "api --a=1 --secure-port=0", "sched": "sched"}, []),
        ({"api": "api --a=1 --secure-port=1", "sched": "sched"}, []),
        (
            {"api": "api --a=1 --secure-port=2", "sched": "sched"},
            ["api runs with --secure-port=1", "api runs without --secure-port=2"],
        ),
        ({"api": "api --a=1", "sched": "sched"}, ["api runs with --secure-port=1"]),
        (
            {
                "api": "api --a=1 --secure-port=0 --etcd-servers=http://127.0.0.1:9",
                "sched": "sched",
            },
            [],
        ),
        (
            {"api": "api --a=2 --secure-port=0", "sched": "sched"},
            ["api runs with --a=1", "api runs without --a=2"],
        ),
        (
            {"api": "api --a=1 --secure-port=0 --b=0", "sched": "sched"},
            ["api runs without --b=0"],
        ),
        ({"api": "--a=1 api --secure-port=1", "sched": "sched"}, ["api runs with api --a=1 --s"]),
        ({"api": "api --a=1 --secure-port=1", "sched": "sched", "node": ""}, ["node would be new"]),
        ({"api": "api --a=1 --secure-port=1"}, ["it has sched"]),
    ],
)
def test_what_is_different_is_told_but_for_ports_that_may_be_any(asked, different):
    running = processes(api="api --a=1 --secure-port=1", sched="sched")
    found = shapes.differences(running, processes(**asked))
    assert [phrase[: len(said)] for phrase, said in zip(found, different, strict=True)] == different


@pytest.mark.parametrize(
    ("port", "different"),
    [
        (0, []),
        (6443, []),
        (1, ["lb runs with --listen=127.0.0.1:6443", "lb runs without --listen=127.0.0.1:1"]),
    ],
)
def test_where_a_balancer_listens_is_a_port_too(port, different):
    asked = processes(lb=f"lb --listen=127.0.0.1:{port} --backends=127.0.0.1:0")
    running = processes(lb="lb --listen=127.0.0.1:6443 --backends=127.0.0.1:6445")
    assert shapes.differences(running, asked) == different


def test_of_many_differences_the_first_are_told():
    assert shapes.told(["a"]) == "a"
    assert shapes.told(["a", "b", "c"]) == "a, b, c"
    assert shapes.told(["a", "b", "c", "d", "e"]) == "a, b, c, and 2 more"
