"""The pods of a DaemonSet: each is for one node, and its affinity says so to the scheduler."""

from collections.abc import Sequence
from typing import Any, Final

from cluster.api import nodeselectors, objects
from cluster.api.operations import Operation
from cluster.api.strategies.workloads import TEMPLATE_GENERATION
from cluster.controllers import podtemplate
from cluster.controllers.daemonset import placement

REVISION_LABEL: Final = "controller-revision-hash"
GENERATION_LABEL: Final = "pod-template-generation"


def creations(
    daemon_set: objects.Object,
    reference: objects.Object,
    hashed: str,
    nodes: Sequence[str],
) -> list[Operation]:
    """The creation of a pod for each node (by name), of the present template, whose hash is given.

    `reference` makes the DaemonSet their controller.
    """
    template = objects.spec(daemon_set).get("template") or {}
    spec = dict(objects.spec(template))
    spec["tolerations"] = placement.with_daemon_tolerations(spec)
    made_of = {**template, "spec": spec}
    labels = _labels(daemon_set, hashed)
    return [
        podtemplate.creation(
            reference,
            objects.namespace(daemon_set),
            made_of,
            generate_name=f"{objects.name(daemon_set)}-",
            labels=labels,
            change=lambda pod, node=node: _bind(pod["spec"], node),  # type: ignore[misc]
        )
        for node in nodes
    ]


def target(pod: objects.Object) -> str:
    """The node that a pod is on, or for which it was made; "" where nothing tells."""
    spec = objects.spec(pod)
    bound: str = spec.get("nodeName") or ""
    if bound:
        return bound
    required = nodeselectors.node_affinity(spec).get(nodeselectors.REQUIRED) or {}
    for term in required.get("nodeSelectorTerms") or ():
        for field in term.get("matchFields") or ():
            if field.get("key") == nodeselectors.NAME_FIELD and field.get("operator") == "In":
                values = field.get("values") or [""]
                return values[0] if len(values) == 1 else ""
    return ""


def hash_of(obj: objects.Object) -> str:
    """The hash of the template that a pod was made of, or that a revision holds."""
    return objects.labels(obj).get(REVISION_LABEL) or ""


def _labels(daemon_set: objects.Object, hashed: str) -> dict[str, str]:
    labels = {REVISION_LABEL: hashed}
    generation = objects.annotations(daemon_set).get(TEMPLATE_GENERATION, "")
    if generation.isascii() and generation.isdigit() and len(generation) < 19:
        labels[GENERATION_LABEL] = str(int(generation))
    return labels


def _bind(spec: dict[str, Any], node: str) -> None:
    """Require that node and nothing else; what is preferred stays."""
    field = {"key": nodeselectors.NAME_FIELD, "operator": "In", "values": [node]}
    required = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    affinity = spec.get("affinity") or {}
    of_node = {**(affinity.get("nodeAffinity") or {}), nodeselectors.REQUIRED: required}
    spec["affinity"] = {**affinity, "nodeAffinity": of_node}
