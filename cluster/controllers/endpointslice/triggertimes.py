"""When what changed the endpoints of a Service happened: how long the news took is measured by it.

Source: the annotation endpoints.kubernetes.io/last-change-trigger-time, among the well-known ones.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from cluster.api import conditions, objects

ANNOTATION: Final = "endpoints.kubernetes.io/last-change-trigger-time"


@dataclass(slots=True)
class TriggerTimes:
    """What was seen of each Service. Times are those on the wire, which sort as texts."""

    _by_service: dict[str, dict[str, str]] = field(default_factory=dict)

    def next(self, service: objects.Object, pods: Iterable[objects.Object]) -> str:
        """The earliest of the changes since the last call; "" where nothing changed.

        A Service that was not known says when it was made. A pod that changed twice in between
        shows one change.
        """
        key = objects.key(service)
        times = {objects.name(pod): when for pod in pods if (when := _of_pod(pod))}
        known = self._by_service.get(key)
        self._by_service[key] = times
        if known is None:
            return str(objects.meta(service).get("creationTimestamp") or "")
        moved = (when for name, when in times.items() if when > known.get(name, ""))
        return min(moved, default="")

    def forget(self, key: str) -> None:
        """The Service is gone."""
        self._by_service.pop(key, None)


def _of_pod(pod: objects.Object) -> str:
    ready = conditions.find(pod, "Ready")
    return str(ready.get("lastTransitionTime") or "") if ready is not None else ""


def stamp(found: objects.Object, when: str) -> None:
    """Say so in a slice that is to be written; "" takes the annotation away."""
    metadata = dict(objects.meta(found))
    notes = {k: v for k, v in (metadata.get("annotations") or {}).items() if k != ANNOTATION}
    if when:
        notes[ANNOTATION] = when
    metadata.pop("annotations", None)
    if notes:
        metadata["annotations"] = notes
    found["metadata"] = metadata
