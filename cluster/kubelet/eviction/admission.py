"""Which pods a node under pressure takes. Pure. Source: Admit of the eviction manager."""

from cluster.api import objects, qos, tolerations
from cluster.api.objects import Object
from cluster.kubelet.eviction import messages, signals
from cluster.kubelet.eviction.picture import critical
from cluster.kubelet.lifecycle.model import Rejection

_TAINT = "node.kubernetes.io/memory-pressure"


def judge(pod: Object, conditions: tuple[str, ...], *, static: bool = False) -> Rejection | None:
    """Why a pod is not taken by a node under these pressures, or None."""
    if not conditions or critical(pod, static=static):
        return None
    if conditions == (signals.MEMORY_PRESSURE,) and _bears_memory(pod):
        return None
    return Rejection(messages.REASON, messages.of_conditions(conditions))


def _bears_memory(pod: Object) -> bool:
    spec = objects.spec(pod)
    if qos.of(spec) != "BestEffort":
        return True
    effect = tolerations.NO_SCHEDULE
    return any(
        tolerations.tolerates(one, _TAINT, "", effect) for one in spec.get("tolerations") or ()
    )
