"""A pod as the scheduler sees it: the object, and what is read from it again and again."""

from dataclasses import dataclass
from typing import Final

from cluster.api import objects
from cluster.scheduler import requests

DEFAULT_SCHEDULER_NAME: Final = "default-scheduler"
_TERMINAL: Final = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class PodInfo:
    """A pod and its derived facts. `object` is shared with the informer: read-only."""

    key: str
    uid: str
    object: objects.Object
    priority: int
    requests: requests.Requests

    @property
    def spec(self) -> objects.Object:
        """The pod's spec."""
        return objects.spec(self.object)

    @property
    def node_name(self) -> str:
        """The node that the pod is bound to, or ""."""
        return self.spec.get("nodeName") or ""

    @property
    def nominated_node_name(self) -> str:
        """The node that the API says was promised to the pod, or ""."""
        return objects.status(self.object).get("nominatedNodeName") or ""


def info(pod: objects.Object) -> PodInfo:
    """The facts of a pod."""
    return PodInfo(
        key=objects.key(pod),
        uid=objects.uid(pod),
        object=pod,
        priority=objects.spec(pod).get("priority") or 0,
        requests=requests.of(pod),
    )


def terminal(pod: objects.Object) -> bool:
    """Whether the pod has ended, and uses nothing any more."""
    return objects.status(pod).get("phase") in _TERMINAL


def scheduler_name(pod: objects.Object) -> str:
    """The scheduler that is responsible for the pod."""
    return objects.spec(pod).get("schedulerName") or DEFAULT_SCHEDULER_NAME
