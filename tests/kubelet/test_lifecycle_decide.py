"""Tables of the pure core: what a pod needs done, state by state."""

import pytest

from cluster.kubelet.lifecycle.actions import (
    CreateSandbox,
    Kill,
    RemoveContainer,
    RemoveSandbox,
    Resume,
    Start,
    StopSandbox,
)
from cluster.kubelet.lifecycle.decide import decide
from cluster.kubelet.lifecycle.model import (
    NOTHING,
    Container,
    Memory,
    Rejection,
    Sandbox,
    Seen,
    State,
    Waiting,
)

NOW = 1000.0
BOX = Sandbox("box-0", 0, True, ("10.0.0.2",))


def pod(policy="Always", containers=("web",), init=(), deleting=None, phase=""):
    meta = {"name": "p", "namespace": "default", "uid": "u-1"}
    if deleting is not None:
        meta |= {"deletionTimestamp": "x", "deletionGracePeriodSeconds": deleting}
    return {
        "metadata": meta,
        "spec": {
            "restartPolicy": policy,
            "containers": [{"name": name, "image": "nginx"} for name in containers],
            "initContainers": [
                spec if isinstance(spec, dict) else {"name": spec, "image": "busybox"}
                for spec in init
            ],
        },
        "status": {"phase": phase} if phase else {},
    }


def box(attempt=0, *, ready=True):
    return Sandbox(f"box-{attempt}", attempt, ready, ("10.0.0.2",))


def running(name="web", attempt=0, sandbox="box-0", image="nginx"):
    return Container(
        f"{name}-{attempt}", sandbox, name, attempt, State.RUNNING, 900.0, spec_image=image
    )


def exited(name="web", attempt=0, code=1, at=NOW, sandbox="box-0"):
    return Container(f"{name}-{attempt}", sandbox, name, attempt, State.EXITED, 900.0, at, code)


def created(name="web"):
    return Container(f"{name}-0", "box-0", name, 0, State.CREATED)


def seen(*containers, boxes=(BOX,)):
    return Seen(tuple(boxes), tuple(sorted(containers, key=lambda one: -one.attempt)))


def shape(plan):
    """The plan, short: names of actions with what tells them apart."""
    short = []
    for action in plan.actions:
        match action:
            case Start(spec, attempt):
                short.append(f"start {spec['name']} {attempt}")
            case Kill(id, _, grace):
                short.append(f"kill {id} {grace}")
            case CreateSandbox(attempt):
                short.append(f"sandbox {attempt}")
            case StopSandbox(id):
                short.append(f"stop {id}")
            case RemoveSandbox(id):
                short.append(f"remove {id}")
            case RemoveContainer(id):
                short.append(f"forget {id}")
            case Resume(id):
                short.append(f"resume {id}")
    return short


SIDECAR = {"name": "log", "image": "busybox", "restartPolicy": "Always"}

CASES = {
    "a new pod is started in one go": (
        pod(containers=("web", "aux")),
        NOTHING,
        ["sandbox 0", "start web 0", "start aux 0"],
    ),
    "init containers come first": (
        pod(init=("one", "two")),
        NOTHING,
        ["sandbox 0", "start one 0"],
    ),
    "the next init container follows the one before": (
        pod(init=("one", "two")),
        seen(exited("one", code=0)),
        ["start two 0"],
    ),
    "a running init container is waited for": (
        pod(init=("one", "two")),
        seen(running("one", image="busybox")),
        [],
    ),
    "a failed init container is started again": (
        pod(init=("one",)),
        seen(exited("one", code=3)),
        ["start one 1"],
    ),
    "under Never it is not, and the pod ends": (
        pod("Never", init=("one",)),
        seen(exited("one", code=3)),
        ["stop box-0"],
    ),
    "after the last init container the app starts": (
        pod(init=("one",)),
        seen(exited("one", code=0)),
        ["start web 0"],
    ),
    "a sidecar runs before the app starts": (
        pod(init=(SIDECAR,)),
        NOTHING,
        ["sandbox 0", "start log 0"],
    ),
    "beside a sidecar the app starts": (
        pod(init=(SIDECAR,)),
        seen(running("log", image="busybox")),
        ["start web 0"],
    ),
    "a sidecar that ended is started again beside the app": (
        pod(init=(SIDECAR,)),
        seen(exited("log", code=0), running()),
        ["start log 1"],
    ),
    "a running pod is at rest": (pod(), seen(running()), []),
    "Always starts again what ended well": (pod(), seen(exited(code=0)), ["start web 1"]),
    "OnFailure starts again what failed": (pod("OnFailure"), seen(exited()), ["start web 1"]),
    "OnFailure is content with what ended well": (
        pod("OnFailure", containers=("web", "aux")),
        seen(exited(code=0), running("aux")),
        [],
    ),
    "Never starts nothing again": (
        pod("Never", containers=("web", "aux")),
        seen(exited(), running("aux")),
        [],
    ),
    "when all has ended the network goes": (
        pod("OnFailure"),
        seen(exited(code=0)),
        ["stop box-0"],
    ),
    "what was made and not started is started": (pod(), seen(created()), ["resume web-0"]),
    "another image ends the container": (
        pod(),
        seen(running(image="nginx:old")),
        ["kill web-0 30"],
    ),
    "deletion ends all containers at once": (
        pod(containers=("web", "aux"), deleting=7),
        seen(running(), running("aux")),
        ["kill web-0 7", "kill aux-0 7"],
    ),
    "then the network": (pod(deleting=7), seen(exited()), ["stop box-0"]),
    "then there is nothing left to do": (
        pod(deleting=7),
        seen(exited(), boxes=[box(ready=False)]),
        [],
    ),
    "a pod deleted before it began needs nothing": (pod(deleting=30), NOTHING, []),
    "a finished pod is not begun again": (pod(phase="Failed"), NOTHING, []),
    "a lost sandbox is made anew, and the pod in it": (
        pod(),
        seen(exited(code=137), boxes=[box(ready=False)]),
        ["sandbox 1", "start web 1"],
    ),
    "init containers run again in a new sandbox": (
        pod(init=("one",)),
        seen(exited("one", code=0), exited(code=137), boxes=[box(ready=False)]),
        ["sandbox 1", "start one 1"],
    ),
    "under Never a lost sandbox ends the pod": (
        pod("Never"),
        seen(exited(code=137), boxes=[box(ready=False)]),
        [],
    ),
    "only the last ended container of a name is kept": (
        pod(),
        seen(running(attempt=3), exited(attempt=2), exited(attempt=1), exited(attempt=0)),
        ["forget web-1", "forget web-0"],
    ),
    "an old sandbox goes with the last container in it": (
        pod(),
        seen(
            running(attempt=1, sandbox="box-1"),
            boxes=[box(1), box(0, ready=False)],
        ),
        ["remove box-0"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_pod_gets_what_it_needs(case):
    spec, state, expected = CASES[case]
    assert shape(decide(spec, state, Memory(), NOW)) == expected


def test_what_the_api_does_not_have_is_forgotten_entirely():
    memory = Memory(removed=True)
    assert shape(decide(pod(), seen(running()), memory, NOW)) == ["kill web-0 30"]
    stopped = seen(exited(), boxes=[box(ready=False)])
    assert shape(decide(pod(), stopped, memory, NOW)) == ["remove box-0"]
    assert decide(pod(), NOTHING, memory, NOW).gone


def test_a_rejected_pod_is_never_begun():
    memory = Memory(rejection=Rejection("OutOfcpu", "no"))
    plan = decide(pod(), NOTHING, memory, NOW)
    assert (plan.actions, plan.stopped) == ((), True)


def test_what_the_runtime_lost_runs_again_but_not_under_never():
    memory = Memory(attempts={"web": 4})
    assert shape(decide(pod(), NOTHING, memory, NOW)) == ["sandbox 0", "start web 5"]
    assert decide(pod("Never"), NOTHING, memory, NOW).stopped


def test_a_crashing_container_waits_longer_each_time_up_to_five_minutes():
    memory = Memory()
    now, delays = 1000.0, []
    for attempt in range(9):
        state = seen(exited(attempt=attempt, at=now))
        plan = decide(pod(), state, memory, now)
        if not plan.actions:
            assert plan.wake_at is not None
            why = plan.waiting["web"]
            assert why.reason == "CrashLoopBackOff"
            delays.append(why.message.split()[1])
            now = plan.wake_at
            plan = decide(pod(), state, memory, now)
        assert shape(plan) == [f"start web {attempt + 1}"]
        memory.restarts.count("web nginx", now, now)
        now += 1
    assert delays == ["10s", "20s", "40s", "1m20s", "2m40s", "5m0s", "5m0s", "5m0s"]
    assert why.message == ("back-off 5m0s restarting failed container=web pod=p_default(u-1)")


def test_another_image_does_not_wait_for_the_failures_of_the_one_before():
    memory = Memory()
    for at in (1000.0, 1010.0, 1030.0):
        memory.restarts.count("web nginx", at, at)
    mended = pod()
    mended["spec"]["containers"][0]["image"] = "nginx:fixed"
    ended = seen(exited(at=1030.0))
    assert decide(pod(), ended, memory, 1030.0).waiting["web"].reason == "CrashLoopBackOff"
    assert shape(decide(mended, ended, memory, 1030.0)) == ["start web 1"]


def test_ten_quiet_minutes_reset_the_back_off():
    memory = Memory()
    for at in (1000.0, 1010.0, 1040.0):
        memory.restarts.count("web nginx", at, at)
    calm = 1040.0 + 601.0
    assert shape(decide(pod(), seen(exited(at=calm)), memory, calm)) == ["start web 1"]
    memory.restarts.count("web nginx", calm, calm)
    plan = decide(pod(), seen(exited(at=calm + 1)), memory, calm + 1)
    assert plan.wake_at == calm + 1 + 10


def test_a_failed_pull_is_shown_then_waited_with():
    memory = Memory()
    memory.pulls.count("nginx", NOW, NOW)
    memory.pull_errors["nginx"] = Waiting("ErrImagePull", "no such host")
    first = decide(pod(), seen(), memory, NOW + 1)
    assert first.waiting["web"] == Waiting("ErrImagePull", "no such host")
    assert first.wake_at == NOW + 3
    second = decide(pod(), seen(), memory, NOW + 3)
    assert second.waiting["web"] == Waiting(
        "ImagePullBackOff", 'Back-off pulling image "nginx": ErrImagePull: no such host'
    )
    assert second.wake_at == NOW + 10
    assert shape(decide(pod(), seen(), memory, NOW + 10)) == ["start web 0"]


def test_a_sandbox_that_could_not_be_made_is_tried_again_later():
    memory = Memory(sandbox_retry=NOW + 10)
    plan = decide(pod(), NOTHING, memory, NOW)
    assert (plan.actions, plan.wake_at) == ((), NOW + 10)
    assert shape(decide(pod(), NOTHING, memory, NOW + 10)) == ["sandbox 0", "start web 0"]
