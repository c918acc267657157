"""Which pod and container a request means, and why it cannot be had, in the kubelet's words."""

from collections.abc import Mapping
from typing import Any

from cluster.api import errors, objects
from cluster.kubelet.agent import NodeAgent
from cluster.kubelet.cri import Cri, look, sandboxes_of
from cluster.kubelet.lifecycle.model import Container, Sandbox, State
from cluster.kubelet.pods import Pod


def agent(agents: Mapping[str, NodeAgent], node: str) -> NodeAgent:
    """The agent of a node; where there is only one, "" will do. errors.NotFound."""
    found = agents.get(node)
    if found is None and not node and len(agents) == 1:
        found = next(iter(agents.values()))
    if found is None:
        raise errors.NotFound(f'node "{node}" is not served by this kubelet')
    return found


def pod(agent: NodeAgent, namespace: str, name: str, uid: str) -> Pod:
    """A pod of a node, by its uid or its name. errors.NotFound."""
    if uid:
        found = agent.pods.get(uid) or agent.static.of_mirror(f"{namespace}/{name}", uid)
        if found is not None and found.key == f"{namespace}/{name}":
            return found
    else:
        for one in agent.pods.values():
            if one.key == f"{namespace}/{name}":
                return one
    raise errors.NotFound("pod does not exist")


async def running(cri: Cri, pod: Pod, name: str) -> Container:
    """The running container of a name. errors.InternalError, as findContainer has it; rpc.Failure.

    The runtime is asked where nothing is known of one: it may just have been started.
    """
    found = pod.seen.newest(name)
    if found is None or found.state is not State.RUNNING:
        found = (await look(cri, await sandboxes_of(cri, pod.uid))).newest(name)
    if found is None or found.state is not State.RUNNING:
        raise errors.InternalError(f'container not found ("{name}")')
    return found


async def sandbox(cri: Cri, pod: Pod) -> Sandbox:
    """The sandbox that a pod lives in. errors.NotFound, rpc.Failure."""
    found = pod.seen.sandbox or (await look(cri, await sandboxes_of(cri, pod.uid))).sandbox
    if found is None:
        raise errors.NotFound("pod does not exist")
    return found


def logged(pod: Pod, name: str, *, previous: bool) -> str:
    """The id of the container whose log is meant. errors.BadRequest, as the kubelet has it."""
    title = f'container "{name}" in pod "{objects.name(pod.object)}"'
    status = _status(pod, name)
    if status is None:
        raise errors.BadRequest(f"{title} is not available")
    state = status.get("state") or {}
    last = (status.get("lastState") or {}).get("terminated") or {}
    if previous:
        if not last.get("containerID"):
            raise errors.BadRequest(f"previous terminated {title} not found")
        return _id(last)
    if "running" in state:
        return _id(status)
    ended = state.get("terminated")
    if ended is not None and ended.get("containerID"):
        return _id(ended)
    if last.get("containerID"):
        return _id(last)
    if ended is not None or last:
        raise errors.BadRequest(f"{title} is terminated")
    raise errors.BadRequest(f"{title} is waiting to start{_why(state.get('waiting') or {})}")


def _why(waiting: Mapping[str, Any]) -> str:
    reason = waiting.get("reason")
    if reason == "ErrImagePull":
        return ": image can't be pulled"
    if reason == "ImagePullBackOff":
        return ": trying and failing to pull image"
    return f": {reason}" if reason else " - no logs yet"


def _status(pod: Pod, name: str) -> dict[str, Any] | None:
    shown = pod.status or objects.status(pod.object)
    for field in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"):
        for one in shown.get(field) or ():
            if one["name"] == name:
                return dict(one)
    return None


def _id(status: Mapping[str, Any]) -> str:
    return str(status.get("containerID") or "").rpartition("://")[2]
