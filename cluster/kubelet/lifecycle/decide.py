"""What a pod needs done now. Follows computePodActions of the kubelet (pkg/kubelet/kuberuntime).

One decision gives all that can be done without seeing its outcome first: a new pod without init
containers goes from nothing to started in one plan. The shell carries it out, looks at the runtime
again and asks anew, until there is nothing to do.
"""

import math
from typing import Final

from cluster.api import durations, objects
from cluster.kubelet.lifecycle import deadlines, podspec, restartall, restarts
from cluster.kubelet.lifecycle.actions import (
    Action,
    CreateSandbox,
    Kill,
    Plan,
    RemoveContainer,
    RemoveSandbox,
    Resize,
    Resume,
    Start,
    StopSandbox,
)
from cluster.kubelet.lifecycle.model import Container, Memory, Sandbox, Seen, State, Waiting
from cluster.kubelet.lifecycle.probes import Probe

PULL_ERROR_SHOWN: Final = 3.0
"""Seconds for which ErrImagePull is shown before it becomes ImagePullBackOff."""


def decide(pod: objects.Object, seen: Seen, memory: Memory, now: float) -> Plan:
    """The plan for a pod of which the runtime has `seen`. `now`: seconds since the epoch."""
    unwanted = memory.removed or memory.rejection is not None or memory.verdict is not None
    if unwanted or objects.deleting(pod) or podspec.finished(pod):
        return _tear_down(pod, seen, memory)
    anew = restartall.plan(pod, seen, memory, now)
    if anew is not None:
        return anew
    if ended(pod, seen, memory):
        return _tear_down(pod, seen, memory)
    return _Decision(pod, seen, memory, now).plan()


def ended(pod: objects.Object, seen: Seen, memory: Memory) -> bool:
    """Whether every container has ended and none is to be started again."""
    for spec in podspec.init_containers(pod):
        container = seen.newest(spec["name"])
        if (
            container is not None
            and _failed(container)
            and not restarts.again(pod, spec, container, memory, init=True)
        ):
            return True
    for spec in podspec.containers(pod):
        container = seen.newest(spec["name"])
        if container is None:
            # What the runtime lost (it was restarted) has run: under Never it does not run again.
            if restarts.policy(pod, spec) != "Never" or not _has_run(memory, spec["name"]):
                return False
        elif container.state is not State.EXITED or restarts.again(pod, spec, container, memory):
            return False
    return True


def _has_run(memory: Memory, name: str) -> bool:
    """Whether a container of which the runtime has nothing has run, and that counts."""
    return name in memory.attempts and name not in memory.afresh


def _failed(container: Container) -> bool:
    return container.state is State.EXITED and container.exit_code != 0


def _condemned(memory: Memory, container: Container) -> Probe | None:
    """The probe that demands a container's end; where it may, the container then starts anew."""
    return memory.probing.condemned(container) if memory.probing is not None else None


def _tear_down(pod: objects.Object, seen: Seen, memory: Memory) -> Plan:
    """End what runs, then let go of the network, then, if the pod is gone, forget all."""
    grace = podspec.grace(pod)
    if memory.verdict is not None and memory.verdict.grace is not None:
        grace = min(grace, memory.verdict.grace)
    turns = _turns(pod)
    running: list[Action] = [
        Kill(one.id, one.name, grace, turn=turns.get(one.name, 0))
        for one in seen.containers
        if one.state is State.RUNNING
    ]
    if running:
        return Plan(tuple(running))
    ready: list[Action] = [StopSandbox(one.id) for one in seen.sandboxes if one.ready]
    if ready:
        return Plan(tuple(ready))
    if memory.removed and seen.sandboxes:
        return Plan(tuple(RemoveSandbox(one.id) for one in seen.sandboxes), stopped=True)
    return Plan(stopped=True, gone=not seen.sandboxes)


def _turns(pod: objects.Object) -> dict[str, int]:
    """Sidecars end after all others, the last one first (KEP-753)."""
    sidecars = [one["name"] for one in podspec.init_containers(pod) if podspec.sidecar(one)]
    return {name: turn for turn, name in enumerate(reversed(sidecars), 1)}


class _Decision:
    """One decision about a pod that is to run."""

    def __init__(self, pod: objects.Object, seen: Seen, memory: Memory, now: float) -> None:
        self._pod = pod
        self._seen = seen
        self._memory = memory
        self._now = now
        self._actions: list[Action] = []
        self._waiting: dict[str, Waiting] = {}
        self._wake_at: float | None = None

    def plan(self) -> Plan:
        """Work it out."""
        self._wake(deadlines.at(self._pod, self._memory.begun))
        if self._memory.volumes_retry > self._now:
            self._wake(self._memory.volumes_retry)
            return self._result()
        sandbox = self._seen.sandbox
        if sandbox is None and not self._new_sandbox():
            return self._result()
        if sandbox is not None:
            for spec in podspec.ephemeral_containers(self._pod):
                self._ephemeral(spec)
        if self._initialize(sandbox):
            for spec in podspec.containers(self._pod):
                self._regular(spec, sandbox)
        self._collect(sandbox)
        return self._result()

    def _result(self) -> Plan:
        return Plan(tuple(self._actions), self._wake_at, self._waiting)

    def _new_sandbox(self) -> bool:
        """Plan a sandbox; whether the containers can be planned along with it."""
        leftovers = [one for one in self._seen.containers if one.state is State.RUNNING]
        if leftovers:
            self._actions += [Kill(one.id, one.name, 0) for one in leftovers]
            return False
        if self._memory.sandbox_retry > self._now:
            self._wake(self._memory.sandbox_retry)
            return False
        newest = self._seen.sandboxes[0].attempt if self._seen.sandboxes else -1
        self._actions.append(CreateSandbox(max(newest, self._memory.sandbox_attempt) + 1))
        return True

    def _initialize(self, sandbox: Sandbox | None) -> bool:
        """Plan for init containers; whether the app containers may start."""
        begun = any(
            self._in(sandbox, spec["name"]) is not None for spec in podspec.containers(self._pod)
        )
        for spec in podspec.init_containers(self._pod):
            container = self._in(sandbox, spec["name"])
            if podspec.sidecar(spec):
                if not self._sidecar(spec, container) and not begun:
                    return False
            elif not begun and not self._init(spec, container):
                return False
        return True

    def _sidecar(self, spec: objects.Object, container: Container | None) -> bool:
        if container is not None and container.state is State.RUNNING:
            probing = self._memory.probing
            started = probing is None or probing.started(container)
            return self._current(spec, container, init=True) and started
        self._bring_up(spec, container, init=True)
        return False

    def _init(self, spec: objects.Object, container: Container | None) -> bool:
        if container is not None and container.state is State.EXITED and not container.exit_code:
            return True
        if container is None or container.state is not State.RUNNING:
            self._bring_up(spec, container, init=True)
        return False

    def _ephemeral(self, spec: objects.Object) -> None:
        """It runs once, in whatever state the pod is."""
        container = self._seen.newest(spec["name"])
        if container is None and spec["name"] in self._memory.attempts:
            return
        if container is None or container.state is State.CREATED:
            self._bring_up(spec, container)

    def _regular(self, spec: objects.Object, sandbox: Sandbox | None) -> None:
        container = self._in(sandbox, spec["name"])
        if container is not None and container.state is State.RUNNING:
            self._current(spec, container)
            return
        last = container or self._seen.newest(spec["name"])
        if last is not None and last.state is State.EXITED:
            if not restarts.again(self._pod, spec, last, self._memory):
                return
        elif (
            last is None
            and _has_run(self._memory, spec["name"])
            and restarts.policy(self._pod, spec) == "Never"
        ):
            return
        self._bring_up(spec, container)

    def _current(self, spec: objects.Object, container: Container, *, init: bool = False) -> bool:
        """Whether a running container is what the spec asks for, and well; if not, plan its end."""
        name, grace = container.name, podspec.grace(self._pod)
        if container.spec_image and container.spec_image != spec.get("image"):
            message = f"Container {name} definition changed, will be restarted"
            self._actions.append(Kill(container.id, name, grace, message))
            return False
        probe = _condemned(self._memory, container)
        if probe is None:
            return self._sized(spec, container)
        kind = "Init container" if init else "Container"
        message = f"{kind} {name} failed {probe.kind} probe"
        if init or restarts.policy(self._pod, spec) != "Never":
            message += ", will be restarted"
        own = grace if probe.grace is None else int(probe.grace)
        self._actions.append(Kill(container.id, name, own, message))
        return False

    def _sized(self, spec: objects.Object, container: Container) -> bool:
        """Whether a running container has what it was allotted, or can be given it in place."""
        resizing = self._memory.resizing
        change = resizing.change(spec, container.id) if resizing is not None else None
        if change is None:
            return True
        if change.restart and restarts.policy(self._pod, spec) != "Never":
            message = f"Container {container.name} resize requires restart"
            grace = podspec.grace(self._pod)
            self._actions.append(Kill(container.id, container.name, grace, message))
            return False
        self._actions.append(Resize(container.id, container.name, change.resources))
        return True

    def _bring_up(
        self, spec: objects.Object, container: Container | None, *, init: bool = False
    ) -> None:
        """Plan a start, unless a back-off says to wait."""
        name = spec["name"]
        if not self._failed_to_run(name, container) and self._held_back(name):
            return
        if container is not None and container.state is State.CREATED:
            self._actions.append(Resume(container.id, name))
            return
        last = self._seen.newest(name)
        after = last.finished if last is not None and last.state is State.EXITED else None
        if after is not None and self._crashing(spec, after):
            return
        if self._pull_failing(name, spec.get("image") or ""):
            return
        known = last.attempt if last is not None else -1
        attempt = max(known, self._memory.attempts.get(name, -1)) + 1
        resizing = self._memory.resizing
        given = spec if resizing is None else resizing.allotted(spec)
        self._actions.append(Start(given, attempt, init, after))

    def _failed_to_run(self, name: str, container: Container | None) -> bool:
        """Whether it could not be run and has ended so: that is a crash like any other."""
        why = self._memory.failures.get(name)
        return (
            container is not None
            and container.state is State.EXITED
            and why is not None
            and why.reason == "RunContainerError"
        )

    def _held_back(self, name: str) -> bool:
        until = self._memory.retry.get(name, 0.0)
        if until <= self._now:
            return False
        self._wait(name, self._memory.failures[name], until)
        return True

    def _crashing(self, spec: objects.Object, ended_at: float) -> bool:
        name, trial = spec["name"], podspec.trial(spec)
        until = self._memory.restarts.until(trial, ended_at)
        if until <= self._now:
            return False
        delay = durations.format(self._memory.restarts.delay(trial))
        title = podspec.title(self._pod)
        message = f"back-off {delay} restarting failed container={name} pod={title}"
        self._wait(name, Waiting("CrashLoopBackOff", message), until)
        return True

    def _pull_failing(self, name: str, image: str) -> bool:
        error = self._memory.pull_errors.get(image)
        if error is None:
            return False
        failed = self._memory.pulls.counted(image)
        until = self._memory.pulls.until(image, failed)
        if until <= self._now:
            return False
        if self._now < failed + PULL_ERROR_SHOWN:
            self._wait(name, error, failed + PULL_ERROR_SHOWN)
            return True
        message = f'Back-off pulling image "{image}": {error.reason}: {error.message}'
        self._wait(name, Waiting("ImagePullBackOff", message), until)
        return True

    def _wait(self, name: str, why: Waiting, until: float) -> None:
        self._waiting[name] = why
        self._wake(until)

    def _wake(self, at: float) -> None:
        if at == math.inf:
            return
        self._wake_at = at if self._wake_at is None else min(self._wake_at, at)

    def _in(self, sandbox: Sandbox | None, name: str) -> Container | None:
        """The newest container of a name in the sandbox that is in use."""
        container = self._seen.newest(name)
        if container is None or sandbox is None or container.sandbox != sandbox.id:
            return None
        return container

    def _collect(self, sandbox: Sandbox | None) -> None:
        """Forget what is older than the last ended container of each name."""
        if len(self._seen.containers) < 3 and len(self._seen.sandboxes) < 2:
            return
        kept: dict[str, int] = {}
        used: dict[str, None] = {}
        for container in self._seen.containers:
            count = kept[container.name] = kept.get(container.name, 0) + 1
            if count > 2 and container.state is State.EXITED:
                self._actions.append(RemoveContainer(container.id))
            else:
                used[container.sandbox] = None
        for old in self._seen.sandboxes:
            if sandbox is not None and old.id != sandbox.id and old.id not in used:
                step: Action = StopSandbox(old.id) if old.ready else RemoveSandbox(old.id)
                self._actions.append(step)
