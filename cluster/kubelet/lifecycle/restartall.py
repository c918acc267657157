"""Pods whose containers all start anew in place, once one of them ends as a rule of its says. Pure.

What runs is killed at once, without grace and hooks; then all containers but ephemeral ones are
forgotten, the one that gave the reason last, so that a kubelet that begins in the middle of it
finds the reason still there; and the pod starts from its first init container, in the same sandbox.
Its n-th restart in a row waits like the n-th restart of a container that crashes: else a pod whose
rule holds at once would do nothing else. Source: KEP 5532, on by default from 1.36.
"""

from typing import Final

from cluster.api import durations, objects
from cluster.kubelet.lifecycle import podspec
from cluster.kubelet.lifecycle.actions import Action, Kill, Plan, Reset
from cluster.kubelet.lifecycle.model import Container, Memory, Seen, State, Waiting

ACTION: Final = "RestartAllContainers"
CONDITION: Final = "AllContainersRestarting"
TRIAL: Final = "*"
"""What restarts of the whole pod are counted by: no container is called so."""


def possible(pod: objects.Object) -> bool:
    """Whether a rule of some container asks for it."""
    return any(
        rule.get("action") == ACTION
        for spec in _restarted(pod)
        for rule in spec.get("restartPolicyRules") or ()
    )


def action_of(spec: objects.Object, code: int) -> str:
    """What the first rule that holds for an exit code demands; "" where none holds."""
    for rule in spec.get("restartPolicyRules") or ():
        codes = rule.get("exitCodes") or {}
        listed = code in (codes.get("values") or ())
        if listed is (codes.get("operator") != "NotIn"):
            return str(rule.get("action") or "")
    return ""


def cause(pod: objects.Object, seen: Seen, memory: Memory) -> Container | None:
    """The container whose end demands it now."""
    if not memory.restarts_all or not seen.containers:
        return None
    for spec in _restarted(pod):
        newest = seen.newest(spec["name"])
        ended = newest is not None and newest.state is State.EXITED
        if newest is not None and ended and action_of(spec, newest.exit_code) == ACTION:
            return newest
    return None


def plan(pod: objects.Object, seen: Seen, memory: Memory, now: float) -> Plan | None:
    """What comes next of it; None where nothing demands it."""
    source = cause(pod, seen, memory)
    if source is None:
        return None
    until = memory.restarts.until(TRIAL, source.finished)
    if until > now:
        delay = durations.format(memory.restarts.delay(TRIAL))
        title = podspec.title(pod)
        message = f"back-off {delay} restarting failed container={source.name} pod={title}"
        waiting = {source.name: Waiting("CrashLoopBackOff", message)}
        return Plan(wake_at=until, waiting=waiting)
    running: list[Action] = [
        Kill(one.id, one.name, 0) for one in seen.containers if one.state is State.RUNNING
    ]
    if running:
        return Plan(tuple(running), restarting=True)
    names = {spec["name"] for spec in _restarted(pod)}
    ended = [one for one in seen.containers if one.name in names and one.id != source.id]
    actions: list[Action] = [Reset(one.id, one.name) for one in ended]
    actions.append(Reset(source.id, source.name, source.finished))
    return Plan(tuple(actions), restarting=True)


def shown(status: objects.Object) -> bool:
    """Whether a status tells of one that goes on."""
    return any(
        one.get("type") == CONDITION and one.get("status") == "True"
        for one in status.get("conditions") or ()
    )


def _restarted(pod: objects.Object) -> tuple[objects.Object, ...]:
    return (*podspec.init_containers(pod), *podspec.containers(pod))
