"""Pods made from a workload's template: what ReplicaSets, StatefulSets, DaemonSets and Jobs share.

Source: GetPodFromTemplate of kube-controller-manager: labels, annotations and finalizers are the
template's; the rest of its metadata is not taken.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from cluster.api import objects
from cluster.api.operations import Operation, Verb

Change = Callable[[dict[str, Any]], None]
"""Changes a pod that was made; it may replace what is in the pod, never change it within."""

_encode = msgspec.json.Encoder().encode


def pod(
    owner: objects.Object,
    namespace: str,
    template: objects.Object,
    *,
    name: str = "",
    generate_name: str = "",
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """A pod of `template`, controlled by the reference `owner`.

    `labels` and `annotations` are added to the template's. Its spec is the template's own object:
    copy before changing anything within.
    """
    own = objects.meta(template)
    metadata: dict[str, Any] = {"name": name} if name else {"generateName": generate_name}
    metadata["namespace"] = namespace
    metadata["labels"] = {**(own.get("labels") or {}), **(labels or {})}
    noted = {**(own.get("annotations") or {}), **(annotations or {})}
    if noted:
        metadata["annotations"] = noted
    if own.get("finalizers"):
        metadata["finalizers"] = own["finalizers"]
    metadata["ownerReferences"] = [owner]
    spec = template.get("spec") or {}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def creation(
    owner: objects.Object,
    namespace: str,
    template: objects.Object,
    *,
    name: str = "",
    generate_name: str = "",
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    change: Change | None = None,
) -> Operation:
    """The creation of `pod`; a `generate_name` is completed by the API server.

    `change` is called with the pod before it is encoded.
    """
    made = pod(
        owner, namespace, template, name=name, generate_name=generate_name,
        labels=labels, annotations=annotations,
    )  # fmt: skip
    made["spec"] = dict(made["spec"])
    if change is not None:
        change(made)
    return Operation(Verb.CREATE, "pods", namespace, body=_encode(made))
