"""When containers are ready. Until probes come, `kubemu.dev/ready-after` says it.

A running container is ready that long after its start; without the annotation, at once.
"""

from typing import Final

from cluster.api import durations, objects
from cluster.kubelet.lifecycle.model import Container, Seen, State

KEY: Final = "kubemu.dev/ready-after"


def seconds(pod: objects.Object, name: str) -> float:
    """How long after its start container `name` is ready. ValueError, with a sentence."""
    annotations = objects.annotations(pod)
    own = f"{KEY}.{name}"
    key = own if own in annotations else KEY
    text = annotations.get(key)
    if text is None:
        return 0.0
    try:
        return durations.parse(text)
    except ValueError as error:
        raise ValueError(f"annotation {key}: {error}") from error


def times(pod: objects.Object, seen: Seen) -> dict[str, float]:
    """When each running container that does not start ready is, in seconds since the epoch."""
    told = any(key.startswith(KEY) for key in objects.annotations(pod))
    if not told and not any(container.ready_after for container in seen.containers):
        return {}
    found: dict[str, float] = {}
    for container in seen.containers:
        if container.state is State.RUNNING:
            # A container whose annotation is bad was never started.
            after = seconds(pod, container.name) if told else 0.0
            found[container.name] = container.started + max(after, _of_image(container))
    return found


def _of_image(container: Container) -> float:
    """What the runtime says: its own image's script, or the cluster's."""
    try:
        return durations.parse(container.ready_after) if container.ready_after else 0.0
    except ValueError:
        return 0.0  # Of another runtime: it is nothing to us.
