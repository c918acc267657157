"""ReplicationController and PodTemplate (core validation)."""

from typing import Final

from cluster.api import causes
from cluster.api.objects import Object
from cluster.api.validation import family, templates, values
from cluster.api.validation.values import Causes


def controller(obj: Object) -> Causes:
    """What is wrong with a ReplicationController, new or changed."""
    spec = obj.get("spec") or {}
    found = values.not_negatives("spec", spec, "minReadySeconds")
    selector = spec.get("selector") or {}
    if not selector:
        found.append(causes.required("spec.selector"))
    found += values.not_negatives("spec", spec, "replicas")
    template = spec.get("template")
    if template is None:
        return [*found, causes.required("spec.template")]
    if selector and not selector.items() <= templates.labels(template).items():
        found.append(templates.mismatch("spec.template", template))
    found += templates.template("spec.template", template)
    return found + templates.always("spec.template", template, "ReplicationController")


def controller_update(old: Object, new: Object) -> Causes:
    """What is wrong with a change of a ReplicationController."""
    return [] if old.get("spec") == new.get("spec") else controller(new)


def controller_status(old: Object, new: Object) -> Causes:
    """What is wrong with the counts in a status."""
    after = new.get("status") or {}
    counts = ("fullyLabeledReplicas", "readyReplicas", "availableReplicas")
    found = values.not_negatives("status", after, "replicas", *counts, "observedGeneration")
    found += values.at_most("status", after, "replicas", *counts)
    available = after.get("availableReplicas") or 0
    if available > (after.get("readyReplicas") or 0):
        detail = "cannot be greater than readyReplicas"
        found.append(causes.invalid("status.availableReplicas", available, detail))
    return found


def pod_template(obj: Object) -> Causes:
    """What is wrong with a PodTemplate."""
    return templates.template("template", obj.get("template") or {})


NEW: Final[family.Creates] = {
    "podtemplates": pod_template,
    "replicationcontrollers": controller,
}
UPDATE: Final[family.Updates] = {
    "podtemplates": lambda old, new: pod_template(new),
    "replicationcontrollers": controller_update,
}
STATUS: Final[family.Updates] = {"replicationcontrollers": controller_status}
OTHER: Final[family.Others] = {}
