"""Services of a compose project: what they are, and by which docker commands they are hurt."""

import json

import pytest

from cluster.aio import virtual
from cluster.chaos import compose
from cluster.chaos.acts import Act
from cluster.chaos.compose import commands, member
from cluster.chaos.targets import Member
from cluster.chaos.world import Unable


@pytest.mark.parametrize(
    ("service", "state", "found"),
    [
        ("kubelet-2", "running", Member("kubelet-2", "kubelet", "node-2")),
        ("kube-proxy-10", "exited", Member("kube-proxy-10", "kube-proxy", "node-10", False)),
        ("runtime-1", "paused", Member("runtime-1", "runtime", "node-1", True, True)),
        ("apiserver", "running", Member("apiserver", "apiserver")),
        ("scheduler-2", "running", Member("scheduler-2", "scheduler")),
        ("etcd-1", "restarting", Member("etcd-1", "etcd", "", False)),
        ("init", "exited", None),
        ("node-1", "running", None),
        ("prometheus", "running", None),
    ],
)
def test_a_service_is_a_process_of_the_cluster_by_its_name(service, state, found) -> None:
    assert member(service, state) == found


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (Act("stop", "x"), [["stop", "c"]]),
        (Act("start", "x"), [["start", "c"]]),
        (Act("restart", "x"), [["restart", "c"]]),
        (Act("pause", "x"), [["pause", "c"]]),
        (Act("resume", "x"), [["unpause", "c"]]),
        (Act("kill", "x"), [["kill", "c"], ["start", "c"]]),
        (
            Act("slow", "x", cpu=0.25, seconds=9.0),
            [["update", "--cpu-period", "100000", "--cpu-quota", "25000", "c"]],
        ),
        (
            Act("slow", "x", cpu=0.001, seconds=9.0),  # docker takes no less than a hundredth
            [["update", "--cpu-period", "100000", "--cpu-quota", "1000", "c"]],
        ),
        # 0 would be "as it is" for docker.
        (Act("slow", "x"), [["update", "--cpu-quota", "-1", "c"]]),
    ],
)
def test_an_act_is_these_docker_commands(act, told) -> None:
    assert [list(one) for one in commands(act, "c")] == told


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (Act("slow", "scheduler", cpu=0.25), "update --cpus 0.25 c"),
        (Act("slow", "scheduler"), "update --cpus 2 c"),
    ],
)
def test_a_container_with_a_limit_in_cpus_is_slow_and_quick_again_by_that(
    act, told, monkeypatch
) -> None:
    asked = []

    async def docker(*arguments, given=b""):
        asked.append(" ".join(arguments))
        if "--cpu-quota" in arguments:
            raise Unable(
                "docker: Error response from daemon: Conflicting options: CPU Quota cannot be "
                "updated as NanoCPUs has already been set"
            )
        if arguments[0] == "ps":
            labels = "com.docker.compose.service=scheduler,com.docker.compose.project=p"
            return json.dumps({"ID": "c", "State": "running", "Labels": labels}).encode()
        return b"2\n"

    monkeypatch.setattr(compose, "docker", docker)
    virtual.run(compose.ComposeWorld("/p", None, None).do(act))
    assert asked[-1] == told


def test_clocks_cannot_be_set_there() -> None:
    with pytest.raises(Unable, match="does not know how to skew"):
        commands(Act("skew", "x", offset=1.0), "c")
