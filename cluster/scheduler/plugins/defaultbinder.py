"""DefaultBinder: binds a pod by the API's binding subresource."""

from typing import Protocol

from cluster.api import errors, objects
from cluster.scheduler.framework.status import SUCCESS, Code, Status
from cluster.scheduler.pods import PodInfo


class Binder(Protocol):
    """What it needs of a client."""

    async def bind(self, namespace: str, name: str, uid: str, node: str) -> None:
        """Bind a pod to a node. errors.StatusError."""
        ...


class DefaultBinder:
    """Binds every pod."""

    name = "DefaultBinder"

    def __init__(self, client: Binder) -> None:
        self._client = client

    async def bind(self, pod: PodInfo, node: str) -> Status:
        """Success, or the API's error."""
        obj = pod.object
        try:
            await self._client.bind(objects.namespace(obj), objects.name(obj), pod.uid, node)
        except errors.StatusError as error:
            return Status(Code.ERROR, (error.message,), self.name)
        return SUCCESS
