"""SchedulingGates: a pod with gates waits outside the queue until they are gone."""

from cluster.scheduler.framework.status import SUCCESS, Status, unresolvable
from cluster.scheduler.pods import PodInfo


class SchedulingGates:
    """Keeps gated pods out of the queue."""

    name = "SchedulingGates"

    def pre_enqueue(self, pod: PodInfo) -> Status:
        """Success for a pod without gates."""
        gates = pod.spec.get("schedulingGates")
        if not gates:
            return SUCCESS
        names = " ".join(gate.get("name", "") for gate in gates)
        return unresolvable(f"waiting for scheduling gates: [{names}]")
