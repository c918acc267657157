"""The status that a pod shows, from what the runtime has of it."""

import pytest

from cluster.api import timestamps
from cluster.kubelet import version
from cluster.kubelet.lifecycle import status
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

NOW = 1_790_000_000.0
HOST = status.Host(("192.168.0.1",), version.parse("v1.34.0"))
BOX = Sandbox("box", 0, True, ("10.0.0.2",))


def pod(policy="Always", containers=("web",), init=(), old=None, **fields):
    meta = {"name": "p", "namespace": "d", "uid": "u", "generation": 3}
    meta |= fields.pop("meta", {})
    return {
        "metadata": meta,
        "spec": {
            "restartPolicy": policy,
            "containers": [{"name": name, "image": "nginx"} for name in containers],
            "initContainers": [{"name": name, "image": "b"} for name in init],
            **fields,
        },
        "status": old or {},
    }


def one(name="web", state=State.RUNNING, attempt=0, code=0, started=NOW - 60):
    finished = NOW if state is State.EXITED else 0.0
    return Container(
        f"id-{name}-{attempt}", "box", name, attempt, state, started, finished, code,
        image="docker.io/library/nginx:1", image_ref="docker.io/library/nginx@sha256:1",
    )  # fmt: skip


def seen(*containers, boxes=(BOX,)):
    return Seen(tuple(boxes), tuple(containers))


def shown(spec, state, **options):
    return status.generate(spec, state, Memory(), HOST, NOW, **options).status


def conditions(found):
    return {one["type"]: (one["status"], one.get("reason", "")) for one in found["conditions"]}


PHASES = {
    "nothing yet": (pod(), NOTHING, False, "Pending"),
    "made, not started": (pod(), seen(one(state=State.CREATED)), False, "Pending"),
    "initializing": (pod(init=("i",)), seen(one("i")), False, "Pending"),
    "init failed, again": (pod(init=("i",)), seen(one("i", State.EXITED, 0, 1)), False, "Pending"),
    "init failed for good": (
        pod("Never", init=("i",)), seen(one("i", State.EXITED, 0, 1)), True, "Failed",
    ),
    "running": (pod(), seen(one()), False, "Running"),
    "one of two running": (
        pod(containers=("web", "aux")), seen(one(), one("aux", State.EXITED)), False, "Running",
    ),
    "one of two not begun": (pod(containers=("web", "aux")), seen(one()), False, "Pending"),
    "ended, to be started again": (pod(), seen(one(state=State.EXITED, code=1)), False, "Running"),
    "ended well": (pod("Never"), seen(one(state=State.EXITED)), True, "Succeeded"),
    "ended badly": (pod("Never"), seen(one(state=State.EXITED, code=2)), True, "Failed"),
    "failed, to be tried again": (
        pod("OnFailure"), seen(one(state=State.EXITED, code=2)), False, "Running",
    ),
    "one good, one bad": (
        pod("Never", containers=("web", "aux")),
        seen(one(state=State.EXITED), one("aux", State.EXITED, 0, 1)),
        True,
        "Failed",
    ),
    "deleted, all ended well": (pod(), seen(one(state=State.EXITED)), True, "Succeeded"),
    "deleted, killed": (pod(), seen(one(state=State.EXITED, code=137)), True, "Failed"),
    "deleted before it began": (pod(), NOTHING, True, "Pending"),
    "finished for good": (pod(old={"phase": "Failed"}), seen(one()), False, "Failed"),
}  # fmt: skip


@pytest.mark.parametrize("case", PHASES)
def test_the_phase(case):
    spec, state, stopped, expected = PHASES[case]
    assert shown(spec, state, stopped=stopped)["phase"] == expected


def test_a_running_pod_in_full():
    found = shown(pod(), seen(one()))
    stamp = timestamps.encode(NOW)
    condition = {"status": "True", "lastTransitionTime": stamp, "observedGeneration": 3}
    kinds = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    assert found == {
        "phase": "Running",
        "observedGeneration": 3,
        "conditions": [{"type": kind} | condition for kind in kinds],
        "startTime": stamp,
        "hostIP": "192.168.0.1",
        "hostIPs": [{"ip": "192.168.0.1"}],
        "podIP": "10.0.0.2",
        "podIPs": [{"ip": "10.0.0.2"}],
        "containerStatuses": [
            {
                "name": "web",
                "state": {"running": {"startedAt": timestamps.encode(NOW - 60)}},
                "lastState": {},
                "ready": True,
                "restartCount": 0,
                "image": "docker.io/library/nginx:1",
                "imageID": "docker.io/library/nginx@sha256:1",
                "containerID": "kubemu://id-web-0",
                "started": True,
                "resources": {},
            }
        ],
        "qosClass": "BestEffort",
    }


MOUNTS = [
    {"name": "data", "mountPath": "/data"},
    {"name": "conf", "mountPath": "/conf", "readOnly": True, "recursiveReadOnly": "IfPossible"},
]
SHOWN = [
    {"name": "data", "mountPath": "/data"},
    {"name": "conf", "mountPath": "/conf", "readOnly": True, "recursiveReadOnly": "Disabled"},
]


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("v1.30.0", {}),
        ("v1.31.0", {"volumeMounts": SHOWN}),
        (
            "v1.33.0",
            {
                "volumeMounts": SHOWN,
                "allocatedResources": {"cpu": "1"},
                "resources": {"limits": {"cpu": "2"}, "requests": {"cpu": "1"}},
            },
        ),
    ],
)
@pytest.mark.parametrize("state", [State.RUNNING, State.EXITED])
def test_what_a_container_mounts_and_has_is_told_by_kubelets_that_do(named, expected, state):
    given = {"limits": {"cpu": "2"}, "requests": {"cpu": "1"}}
    web = {"name": "web", "image": "nginx", "volumeMounts": MOUNTS, "resources": given}
    host = status.Host(("192.168.0.1",), version.parse(named))
    wanted = pod()
    wanted["spec"]["containers"] = [web]
    found = status.generate(wanted, seen(one(state=state)), Memory(), host, NOW).status
    (only,) = found["containerStatuses"]
    keys = ("volumeMounts", "allocatedResources", "resources")
    assert {key: only[key] for key in keys if key in only} == expected


def test_a_pod_that_initializes_says_so():
    found = shown(pod(init=("i",)), seen(one("i")))
    assert found["containerStatuses"][0]["state"] == {"waiting": {"reason": "PodInitializing"}}
    assert conditions(found) == {
        "PodReadyToStartContainers": ("True", ""),
        "Initialized": ("False", "ContainersNotInitialized"),
        "Ready": ("False", "ContainersNotReady"),
        "ContainersReady": ("False", "ContainersNotReady"),
        "PodScheduled": ("True", ""),
    }
    messages = {one["type"]: one.get("message") for one in found["conditions"]}
    assert messages["Initialized"] == "containers with incomplete status: [i]"
    assert messages["Ready"] == "containers with unready status: [web]"


def test_a_new_pod_is_creating():
    found = shown(pod(), NOTHING)
    assert found["containerStatuses"][0]["state"] == {"waiting": {"reason": "ContainerCreating"}}
    assert conditions(found)["PodReadyToStartContainers"] == ("False", "")
    assert "podIP" not in found


def test_a_completed_pod_keeps_its_address_and_is_not_ready():
    old = shown(pod("Never"), seen(one()))
    stopped = Sandbox("box", 0, False, ("10.0.0.2",))
    state = seen(one(state=State.EXITED), boxes=[stopped])
    found = shown(pod("Never", old=old), state, stopped=True)
    assert (found["phase"], found["podIP"]) == ("Succeeded", "10.0.0.2")
    assert conditions(found) == {
        "PodReadyToStartContainers": ("False", ""),
        "Initialized": ("True", "PodCompleted"),
        "Ready": ("False", "PodCompleted"),
        "ContainersReady": ("False", "PodCompleted"),
        "PodScheduled": ("True", ""),
    }
    assert found["containerStatuses"][0]["state"]["terminated"]["reason"] == "Completed"


def test_a_crashing_container_shows_its_end_and_why_it_waits():
    waiting = {"web": Waiting("CrashLoopBackOff", "back-off 10s")}
    state = seen(one(state=State.EXITED, attempt=2, code=3), one(state=State.EXITED, attempt=1))
    web = shown(pod(), state, waiting=waiting)["containerStatuses"][0]
    assert web["state"] == {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}
    assert web["lastState"]["terminated"]["exitCode"] == 3
    assert (web["restartCount"], web["ready"], web["started"]) == (2, False, False)


def test_a_restarted_container_shows_the_end_of_the_one_before():
    state = seen(one(attempt=1), one(state=State.EXITED, attempt=0, code=5))
    web = shown(pod(), state)["containerStatuses"][0]
    assert web["lastState"]["terminated"]["containerID"] == "kubemu://id-web-0"
    assert web["restartCount"] == 1


def test_what_the_runtime_forgot_is_shown_as_ended():
    old = shown(pod(), seen(one(attempt=2)))
    lost = shown(pod(old=old), NOTHING)["containerStatuses"][0]
    assert lost["restartCount"] == 2
    assert lost["lastState"]["terminated"]["reason"] == "ContainerStatusUnknown"
    assert lost["state"] == {"waiting": {"reason": "ContainerCreating"}}
    assert "containerID" not in lost

    again = shown(pod(old=old), seen(one(attempt=3)))["containerStatuses"][0]
    assert again["lastState"]["terminated"]["exitCode"] == 137
    never = shown(pod("Never", old=old), NOTHING, stopped=True)
    assert never["phase"] == "Failed"
    assert never["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 137


def test_what_had_ended_is_known_as_it_was_where_the_runtime_forgot_it():
    old = shown(pod("Never"), seen(one(state=State.EXITED)))
    (before,) = old["containerStatuses"]
    assert before["containerID"] == "kubemu://id-web-0"
    assert shown(pod("Never", old=old), NOTHING, stopped=True)["containerStatuses"] == [before]
    old = shown(pod(), seen(one(state=State.EXITED, code=1)))
    lost = shown(pod(old=old), NOTHING)["containerStatuses"][0]
    assert lost["containerID"] == lost["lastState"]["terminated"]["containerID"]
    anew = shown(pod(old=shown(pod(old=old), NOTHING)), seen(one(attempt=1)))
    assert anew["containerStatuses"][0]["lastState"] == lost["lastState"]


@pytest.mark.parametrize("policy", ["Always", "OnFailure", "Never"])
def test_the_ends_in_a_pod_that_has_finished_stay_where_the_runtime_forgot_them(policy):
    ended = shown(pod(policy), seen(one(state=State.EXITED)))["containerStatuses"]
    terminated = {"exitCode": 0, "reason": "Completed", "containerID": "kubemu://id-web-0"}
    before = [{**ended[0], "state": {"terminated": terminated}}]
    old = {"phase": "Failed", "reason": "Evicted", "message": "low", "containerStatuses": before}
    found = shown(pod(policy, old=old), NOTHING, stopped=True)
    assert (found["phase"], found["reason"]) == ("Failed", "Evicted")
    assert found["containerStatuses"] == before
    plan = {"web": Waiting("ContainerCreating")}
    assert shown(pod(policy, old=old), NOTHING, waiting=plan)["containerStatuses"] == before


def test_a_pod_that_has_finished_never_shows_a_container_as_one_to_come():
    old = shown(pod(), seen(one())) | {"phase": "Failed"}
    (lost,) = shown(pod(old=old), NOTHING, stopped=True)["containerStatuses"]
    assert lost["state"]["terminated"]["reason"] == "ContainerStatusUnknown"


def test_a_transition_keeps_its_time_until_the_status_changes():
    old = shown(pod(), seen(one()))
    later = status.generate(pod(old=old), seen(one()), Memory(), HOST, NOW + 60).status
    assert later == old
    ended = status.generate(
        pod(old=old), seen(one(state=State.EXITED, code=1)), Memory(), HOST, NOW + 60
    ).status
    times = {one["type"]: one["lastTransitionTime"] for one in ended["conditions"]}
    assert times["Ready"] == timestamps.encode(NOW + 60)
    assert times["Initialized"] == timestamps.encode(NOW)


def test_conditions_of_others_are_kept_and_gates_are_heeded():
    gate = {"conditionType": "example.com/up"}
    spec = pod(readinessGates=[gate])
    found = shown(spec, seen(one()))
    ready = next(one for one in found["conditions"] if one["type"] == "Ready")
    assert (ready["reason"], ready["message"]) == (
        "ReadinessGatesNotReady",
        'corresponding condition of pod readiness gate "example.com/up" does not exist.',
    )
    spec["status"] = {"conditions": [{"type": "example.com/up", "status": "True"}]}
    found = shown(spec, seen(one()))
    assert conditions(found)["Ready"] == ("True", "")
    assert conditions(found)["example.com/up"] == ("True", "")


def test_ready_after_is_waited_for():
    spec = pod(containers=("web", "aux"), meta={"annotations": {
        "kubemu.dev/ready-after": "90s", "kubemu.dev/ready-after.aux": "2m",
    }})  # fmt: skip
    state = seen(one(), one("aux"))
    report = status.generate(spec, state, Memory(), HOST, NOW)
    assert [one["ready"] for one in report.status["containerStatuses"]] == [False, False]
    assert report.wake_at == NOW + 30
    report = status.generate(spec, state, Memory(), HOST, NOW + 30)
    ready = {one["name"]: one["ready"] for one in report.status["containerStatuses"]}
    assert ready == {"web": True, "aux": False}
    assert report.wake_at == NOW + 60
    assert status.generate(spec, state, Memory(), HOST, NOW + 60).wake_at is None


def test_a_rejected_pod_has_failed():
    memory = Memory(rejection=Rejection("OutOfcpu", "no room"))
    found = status.generate(pod(), NOTHING, memory, HOST, NOW).status
    assert (found["phase"], found["reason"], found["message"]) == ("Failed", "OutOfcpu", "no room")


def test_a_pod_on_the_node_network_has_the_node_address():
    state = seen(one(), boxes=[Sandbox("box", 0, True)])
    assert shown(pod(hostNetwork=True), state)["podIP"] == "192.168.0.1"


def test_older_versions_leave_out_what_they_do_not_have():
    host = status.Host((), version.parse("1.28"))
    found = status.generate(pod(), seen(one()), Memory(), host, NOW).status
    assert "observedGeneration" not in found
    assert "PodReadyToStartContainers" not in conditions(found)
