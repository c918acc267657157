"""What the answers of the metrics APIs say. Pure.

They may come from servers of somebody else's: what cannot be read is no reading.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from cluster.api import durations, errors, quantity, timestamps
from cluster.api.objects import Object
from cluster.controllers.podautoscaler import questions
from cluster.controllers.podautoscaler.model import Sample, Unavailable
from cluster.controllers.podautoscaler.questions import Question

_TITLES: Final = {
    questions.RESOURCE: "resource", questions.CUSTOM: "custom", questions.EXTERNAL: "external",
}  # fmt: skip
_NOTHING: Final = "the server could not find the requested resource"
_BUSY: Final = "the server is currently unable to handle the request"
WRONG: Final = (KeyError, TypeError, AttributeError, ValueError, OverflowError)
"""What reading a document that is not what it should be raises."""


def unread(question: Question, failure: errors.StatusError) -> Unavailable:
    """Why a question was not answered, as client-go words it."""
    why = failure.message
    if isinstance(failure, errors.NotFound) and why == _NOTHING:
        if question.group == questions.CUSTOM:
            why = f"no custom metrics API ({questions.CUSTOM}) registered"
        else:
            why = f"{_NOTHING} (get {question.shown})"
    elif isinstance(failure, errors.ServiceUnavailable):
        why = f"{_BUSY} (get {question.shown})"
    return Unavailable(f"unable to fetch metrics from {_TITLES[question.group]} metrics API: {why}")


def nothing(question: Question) -> Unavailable:
    """An answer with nothing in it."""
    return Unavailable(f"no metrics returned from {_TITLES[question.group]} metrics API")


def unreadable(question: Question, error: Exception) -> Unavailable:
    """An answer that is none."""
    why = f"the answer cannot be read: {type(error).__name__}: {error}"
    return Unavailable(f"unable to fetch metrics from {_TITLES[question.group]} metrics API: {why}")


def by_pod(document: Object) -> Mapping[str, Object]:
    """The PodMetrics of a list, by pod name."""
    return {str(item["metadata"]["name"]): item for item in document.get("items") or ()}


def resource(
    known: Mapping[str, Object], pods: Iterable[str], resource: str, container: str
) -> Mapping[str, Sample]:
    """What these pods use of a resource, or one of their containers alone. Unavailable."""
    found: dict[str, Sample] = {}
    measured = [(name, known[name]) for name in pods if name in known]
    if not measured:
        raise Unavailable("no metrics returned from resource metrics API")
    for name, item in measured:
        usage = _container(item, container, resource) if container else _whole(item, resource)
        if usage is not None:
            found[name] = Sample(
                usage, timestamps.decode(item["timestamp"]), durations.parse(item["window"])
            )
    return found


def _whole(item: Object, resource: str) -> int | None:
    total = None
    for one in item.get("containers") or ():
        amount = (one.get("usage") or {}).get(resource)
        if amount is None:
            return None
        total = (total or 0) + quantity.milli(amount)
    return total


def _container(item: Object, container: str, resource: str) -> int | None:
    for one in item.get("containers") or ():
        if one.get("name") == container:
            amount = (one.get("usage") or {}).get(resource)
            return quantity.milli(amount) if amount is not None else None
    meta = item["metadata"]
    pod = f"{meta.get('namespace', '')}/{meta['name']}"
    why = f"container {container} not present in metrics for pod {pod}"
    raise Unavailable(f"failed to get container metrics: {why}")


def of_pods(document: Object) -> Mapping[str, Sample]:
    """A metric of pods."""
    return {
        str(item["describedObject"]["name"]): Sample(quantity.milli(item["value"]))
        for item in document.get("items") or ()
    }


def values(document: Object) -> list[int]:
    """The values of an object's or an external metric."""
    items: Iterable[Any] = document.get("items") or ()
    return [quantity.milli(item["value"]) for item in items]
