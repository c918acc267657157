"""activeDeadlineSeconds: how long a pod may be active on its node. Pure.

Source: pkg/kubelet/active_deadline.go.
"""

import math
from typing import Final

from cluster.api import objects
from cluster.kubelet.lifecycle.model import Verdict

MESSAGE: Final = "Pod was active on the node longer than the specified deadline"
EVENT: Final = "Pod was active on the node longer than specified deadline"
EXCEEDED: Final = Verdict("DeadlineExceeded", MESSAGE)


def at(pod: objects.Object, begun: float) -> float:
    """When a pod that began at `begun` has to be over; inf where it may go on."""
    seconds = objects.spec(pod).get("activeDeadlineSeconds")
    return begun + float(seconds) if seconds is not None and begun else math.inf
