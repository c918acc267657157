"""What a kubelet says of its node, as events."""

from cluster.api import objects
from cluster.kubelet import events
from cluster.kubelet.config import Config


class NodeSpeaker:
    """Says what happens to a node; Normal events only where the configuration wants them."""

    def __init__(self, recorder: events.Recorder, config: Config) -> None:
        self._recorder = recorder
        self._normal = config.normal_events
        name = config.node_name
        # As with a kubelet: in its own events the node's uid is its name.
        self._node: objects.Object = {
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "uid": name},
        }  # fmt: skip

    def say(self, reason: str, message: str, *, warning: bool = False) -> None:
        """Record an event about the node."""
        if warning or self._normal:
            kind = events.WARNING if warning else events.NORMAL
            self._recorder.event(self._node, kind, reason, message)
