"""Which of a workload's pods count, which are not ready yet, and what they request. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from cluster.api import conditions, objects, quantity, timestamps
from cluster.api.objects import Object
from cluster.controllers.podautoscaler.model import Sample, Samples, Settings, Unavailable

CPU = "cpu"


@dataclass(slots=True)
class Groups:
    """How many pods count; the names of those that are not ready, that nobody has measured, and
    that are on their way out.
    """

    ready: int = 0
    unready: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)


def grouped(
    pods: Sequence[Object], samples: Samples, resource: str, settings: Settings, now: float
) -> Groups:
    """The pods in their groups. Only the use of CPU depends on how long a pod has been ready: it is
    high while a pod starts.
    """
    found = Groups()
    for pod in pods:
        name, phase = objects.name(pod), objects.status(pod).get("phase")
        if objects.deleting(pod) or phase == "Failed":
            found.ignored.append(name)
        elif phase == "Pending":
            found.unready.append(name)
        elif name not in samples:
            found.missing.append(name)
        elif resource == CPU and _starting(pod, samples[name], settings, now):
            found.unready.append(name)
        else:
            found.ready += 1
    return found


def _starting(pod: Object, sample: Sample, settings: Settings, now: float) -> bool:
    """Whether what a pod uses says nothing yet of what it will use."""
    ready = conditions.find(pod, "Ready")
    begun = objects.status(pod).get("startTime")
    if ready is None or not begun:
        return True
    start = timestamps.decode(begun)
    since = ready.get("lastTransitionTime")
    changed = timestamps.decode(since) if since else 0.0
    unready = ready.get("status") == "False"
    if start + settings.cpu_initialization_period > now:
        return unready or sample.at < changed + sample.window
    return unready and start + settings.initial_readiness_delay > changed


def ready_pods(pods: Sequence[Object]) -> int:
    """How many run and are ready. Unavailable where there are no pods at all."""
    if not pods:
        raise Unavailable("unable to calculate ready pods: " + NO_PODS)
    return sum(
        objects.status(pod).get("phase") == "Running" and conditions.is_true(pod, "Ready")
        for pod in pods
    )


NO_PODS = "no pods returned by selector while calculating replica count"


def requests(pods: Sequence[Object], container: str, resource: str) -> Mapping[str, int]:
    """What each pod requests, or its `container` alone. Unavailable where one requests nothing."""
    return {objects.name(pod): _requested(pod, container, resource) for pod in pods}


def _requested(pod: Object, container: str, resource: str) -> int:
    spec = objects.spec(pod)
    whole = ((spec.get("resources") or {}).get("requests") or {}).get(resource)
    if whole is not None and not container:
        return quantity.milli(whole)
    total = 0
    for one in _running(spec):
        if container and one.get("name") != container:
            continue
        amount = ((one.get("resources") or {}).get("requests") or {}).get(resource)
        if amount is None:
            where = f"in container {one.get('name')} of Pod {objects.name(pod)}"
            raise Unavailable(f"missing request for {resource} {where}")
        total += quantity.milli(amount)
    return total


def _running(spec: Object) -> Iterable[Object]:
    """The containers that run as long as the pod does: sidecars among them."""
    yield from spec.get("containers") or ()
    for one in spec.get("initContainers") or ():
        if one.get("restartPolicy") == "Always":
            yield one
