"""PrioritySort: higher priority first, then whoever has waited longer."""

from cluster.scheduler.pods import PodInfo


class PrioritySort:
    """Orders the active queue."""

    name = "PrioritySort"

    def sort_key(self, pod: PodInfo, since: float) -> tuple[int, float]:
        """Priority, then the time of queueing."""
        return (-pod.priority, since)
