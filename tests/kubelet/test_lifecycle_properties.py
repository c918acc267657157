"""Whatever happens to a pod, its life keeps its promises. A runtime of a few lines is enough."""

import itertools
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.kubelet import version
from cluster.kubelet.lifecycle import podspec, status
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
from cluster.kubelet.lifecycle.model import Container, Memory, Sandbox, Seen, State

HOST = status.Host(("192.168.0.1",), version.parse("1.34"))
NAMES = ("web", "aux", "setup", "log")


class Model:
    """A pod, a runtime that does what it is told, and all the invariants."""

    def __init__(self, policy: str, init: bool, sidecar: bool) -> None:
        self.now = 1000.0
        self.ids = itertools.count()
        self.boxes: dict[str, Sandbox] = {}
        self.containers: dict[str, Container] = {}
        self.memory = Memory()
        self.counts = dict.fromkeys(NAMES, -1)
        self.old: dict = {}
        self.phases: list[str] = []
        inits = [{"name": "setup", "image": "b"}] if init else []
        if sidecar:
            inits.append({"name": "log", "image": "b", "restartPolicy": "Always"})
        self.pod = {
            "metadata": {"name": "p", "namespace": "d", "uid": "u", "generation": 1},
            "spec": {
                "restartPolicy": policy,
                "containers": [{"name": "web", "image": "a"}, {"name": "aux", "image": "a"}],
                "initContainers": inits,
            },
        }

    def seen(self) -> Seen:
        order = sorted(self.boxes.values(), key=lambda one: -one.attempt)
        return Seen(
            tuple(order), tuple(sorted(self.containers.values(), key=lambda one: -one.attempt))
        )

    def settle(self) -> None:
        for _ in range(20):
            plan = decide(self.pod, self.seen(), self.memory, self.now)
            if not plan.actions:
                break
            for action in plan.actions:
                self.do(action)
                self.check()
        else:
            raise AssertionError(f"never at rest: {plan.actions}")
        again = decide(self.pod, self.seen(), self.memory, self.now)
        assert again == plan, "deciding twice gives two answers"
        assert plan.wake_at is None or plan.wake_at > self.now, "it would wake at once, for ever"
        self.plan = plan
        self.show()

    def do(self, action) -> None:
        match action:
            case CreateSandbox(attempt):
                assert all(one.attempt < attempt for one in self.boxes.values())
                assert not any(one.ready for one in self.boxes.values())
                made = Sandbox(f"box-{next(self.ids)}", attempt, True, ("10.0.0.2",))
                self.boxes[made.id] = made
                self.memory.sandbox_attempt = attempt
            case Start(spec, attempt, _, after):
                if after is not None:
                    self.memory.restarts.count(podspec.trial(spec), after, self.now)
                box = next(one.id for one in self.seen().sandboxes if one.ready)
                made = Container(
                    f"c-{next(self.ids)}", box, spec["name"], attempt, State.RUNNING, self.now,
                    spec_image=spec["image"],
                )  # fmt: skip
                assert attempt > self.counts[spec["name"]], "a restart count went back"
                self.counts[spec["name"]] = attempt
                self.containers[made.id] = made
                self.memory.attempts[spec["name"]] = attempt
            case Resume(id):
                self.containers[id] = replace(self.containers[id], state=State.RUNNING)
            case Kill(id):
                self.exit(id, 137)
            case StopSandbox(id):
                assert not any(
                    one.sandbox == id and one.state is State.RUNNING
                    for one in self.containers.values()
                ), "the network went under a running container"
                self.boxes[id] = replace(self.boxes[id], ready=False)
            case RemoveSandbox(id):
                del self.boxes[id]
                gone = [one for one in self.containers.values() if one.sandbox == id]
                for one in gone:
                    del self.containers[one.id]
            case RemoveContainer(id):
                assert self.containers[id].state is State.EXITED
                del self.containers[id]

    def exit(self, id: str, code: int) -> None:
        one = self.containers[id]
        if one.state is State.RUNNING:
            self.containers[id] = replace(
                one, state=State.EXITED, exit_code=code, finished=self.now
            )

    def check(self) -> None:
        live = [one.name for one in self.containers.values() if one.state is State.RUNNING]
        assert len(live) == len(set(live)), f"two live containers of one name: {live}"
        boxes = [one for one in self.boxes.values() if one.ready]
        assert len(boxes) <= 1, "two ready sandboxes"

    def show(self) -> None:
        report = status.generate(
            self.pod, self.seen(), self.memory, HOST, self.now,
            waiting=self.plan.waiting, old=self.old, stopped=self.plan.stopped,
        )  # fmt: skip
        for one in report.status["containerStatuses"]:
            before = next(
                (
                    old
                    for old in self.old.get("containerStatuses", ())
                    if old["name"] == one["name"]
                ),
                {"restartCount": 0},
            )
            assert one["restartCount"] >= before["restartCount"], "a shown count went back"
            assert len(one["state"]) == 1
        self.old = report.status
        self.pod["status"] = report.status
        self.phases.append(report.status["phase"])

    # ---- what may happen ---------------------------------------------------------------------

    def happen(self, kind: str, number: int) -> None:
        running = [one.id for one in self.containers.values() if one.state is State.RUNNING]
        if kind == "exit" and running:
            self.exit(running[number % len(running)], number % 3)
        elif kind == "time":
            self.now += number % 400
        elif kind == "wake" and self.plan.wake_at is not None:
            self.now = max(self.now, self.plan.wake_at)
        elif kind == "crash":
            for one in list(self.boxes.values()):
                self.boxes[one.id] = replace(one, ready=False)
            for one in running:
                self.exit(one, 137)
        elif kind == "empty":
            self.boxes.clear()
            self.containers.clear()
        elif kind == "image":
            self.pod["spec"]["containers"][0]["image"] = f"a:{number}"
        elif kind == "forget":
            attempts = self.memory.attempts
            self.memory = Memory(attempts=dict(attempts))
        elif kind == "unstarted" and self.containers:
            newest = max(self.containers.values(), key=lambda one: one.attempt)
            if newest.state is State.RUNNING:
                self.containers[newest.id] = replace(newest, state=State.CREATED)
        self.now += 0.001


EVENTS = st.tuples(
    st.sampled_from(
        ["exit", "exit", "exit", "time", "wake", "wake", "crash", "empty", "image", "forget",
         "unstarted"]
    ),
    st.integers(0, 1000),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["Always", "OnFailure", "Never"]),
    st.booleans(),
    st.booleans(),
    st.lists(EVENTS, max_size=25),
)
def test_any_life_converges_and_can_be_ended(policy, init, sidecar, events):
    model = Model(policy, init, sidecar)
    model.settle()
    for kind, number in events:
        model.happen(kind, number)
        model.check()
        model.settle()
    finished = [phase for phase in model.phases if phase in ("Succeeded", "Failed")]
    assert len(set(finished)) <= 1
    assert not finished or model.phases.index(finished[0]) == len(model.phases) - len(finished)

    model.pod["metadata"] |= {"deletionTimestamp": "x", "deletionGracePeriodSeconds": 5}
    model.settle()
    assert model.plan.stopped
    assert not any(one.state is State.RUNNING for one in model.containers.values())
    model.memory.removed = True
    model.settle()
    assert (model.boxes, model.containers, model.plan.gone) == ({}, {}, True)


@settings(max_examples=100, deadline=None)
@given(st.lists(EVENTS, max_size=12))
def test_a_pod_under_always_comes_back_to_running(events):
    model = Model("Always", init=True, sidecar=False)
    model.settle()
    for kind, number in events:
        model.happen(kind, number)
        model.settle()
    for _ in range(12):
        setup = [
            one.id
            for one in model.containers.values()
            if one.name == "setup" and one.state is State.RUNNING
        ]
        for one in setup:
            model.exit(one, 0)
        model.happen("wake", 0)
        model.settle()
    assert model.phases[-1] == "Running"
    live = sorted(one.name for one in model.containers.values() if one.state is State.RUNNING)
    assert live == ["aux", "web"]
