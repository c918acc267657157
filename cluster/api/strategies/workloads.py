"""The group `apps`, and ReplicationController and PodTemplate (pkg/registry/{apps,core})."""

from collections.abc import Mapping
from typing import Final

from cluster.api import metadata
from cluster.api.objects import Object
from cluster.api.strategies.strategy import Strategy

TEMPLATE_GENERATION: Final = "deprecated.daemonset.template.generation"
"""The annotation in which apps/v1 keeps how often a DaemonSet's template has changed."""
_DAEMON_STATUS: Final = {
    "currentNumberScheduled": 0, "desiredNumberScheduled": 0, "numberMisscheduled": 0,
    "numberReady": 0,
}  # fmt: skip


def new_daemon_set(obj: Object) -> None:
    """Its template is the first."""
    _tell(obj, max(_template_generation(obj), 1))


def changed_daemon_set(old: Object, new: Object) -> None:
    """Templates are counted by the server alone."""
    before, after = old.get("spec") or {}, new.get("spec") or {}
    changed = before.get("template") != after.get("template")
    _tell(new, _template_generation(old) + changed)


def _template_generation(obj: Object) -> int:
    said = (obj["metadata"].get("annotations") or {}).get(TEMPLATE_GENERATION, "")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 19 else 0


def _tell(obj: Object, generation: int) -> None:
    annotations = obj["metadata"].get("annotations") or {}
    obj["metadata"]["annotations"] = annotations | {TEMPLATE_GENERATION: str(generation)}


BY_RESOURCE: Final[Mapping[str, Strategy]] = {
    "controllerrevisions.apps": Strategy(),
    "daemonsets.apps": Strategy(
        empty_status=_DAEMON_STATUS, on_create=new_daemon_set, on_update=changed_daemon_set
    ),
    "deployments.apps": Strategy(status_keeps=("labels",)),
    "podtemplates": Strategy(generations=True),
    # What Go writes of an empty status is not nothing.
    "replicasets.apps": Strategy(empty_status={"replicas": 0}),
    "replicationcontrollers": Strategy(empty_status={"replicas": 0}, orphans=True),
    "statefulsets.apps": Strategy(
        name_rule=metadata.dns1123_label, empty_status={"replicas": 0, "availableReplicas": 0}
    ),
}
