"""Who a pod of a StatefulSet is: its name, its ordinal, its labels, and its making.

Source: "Pod Identity" in Kubernetes' StatefulSet documentation.
"""

from typing import Any

from cluster.api import objects
from cluster.api.operations import Operation
from cluster.controllers import podtemplate

POD_NAME = "statefulset.kubernetes.io/pod-name"
POD_INDEX = "apps.kubernetes.io/pod-index"
REVISION = "controller-revision-hash"
"""Label: the name of the ControllerRevision that a pod was made from."""

MAX_ORDINAL = 2**31 - 1


def pod_name(set_name: str, ordinal: int) -> str:
    """The name of the pod of an ordinal."""
    return f"{set_name}-{ordinal}"


def split(name: str) -> tuple[str, int] | None:
    """The names of a StatefulSet and the ordinal that a pod's name is made of, or None."""
    parent, dash, digits = name.rpartition("-")
    if not dash or not digits.isascii() or not digits.isdigit() or len(digits) > 10:
        return None
    ordinal = int(digits)
    # 007 names no ordinal: the pod of ordinal 7 has another name.
    if ordinal > MAX_ORDINAL or (digits[0] == "0" and len(digits) > 1):
        return None
    return parent, ordinal


def ordinal_of(set_name: str, pod: objects.Object) -> int | None:
    """The ordinal that a pod has in the set of this name, or None where it is none of its."""
    found = split(objects.name(pod))
    return found[1] if found is not None and found[0] == set_name else None


def revision_of(pod: objects.Object) -> str:
    """The name of the ControllerRevision that the pod was made from, or ""."""
    return objects.labels(pod).get(REVISION, "")


def matches(pod: objects.Object) -> bool:
    """Whether a pod carries its name as it should."""
    return objects.labels(pod).get(POD_NAME) == objects.name(pod)


def labels(name: str, ordinal: int) -> dict[str, str]:
    """The labels that tell who a pod is."""
    return {POD_NAME: name, POD_INDEX: str(ordinal)}


def creation(
    stateful_set: objects.Object,
    owner: objects.Object,
    template: objects.Object,
    ordinal: int,
    revision: str,
) -> Operation:
    """The creation of the pod of an ordinal from the template of the revision named."""
    set_name = objects.name(stateful_set)
    name = pod_name(set_name, ordinal)
    spec = objects.spec(stateful_set)
    mounted = volumes(set_name, spec.get("volumeClaimTemplates") or (), ordinal)

    def settle(pod: dict[str, Any]) -> None:
        pod["metadata"]["generateName"] = f"{set_name}-"
        pod["spec"]["hostname"] = name
        if spec.get("serviceName"):
            pod["spec"]["subdomain"] = spec["serviceName"]
        else:
            pod["spec"].pop("subdomain", None)
        if mounted:
            pod["spec"]["volumes"] = with_volumes(pod["spec"].get("volumes") or (), mounted)

    return podtemplate.creation(
        owner,
        objects.namespace(stateful_set),
        template,
        name=name,
        labels={**labels(name, ordinal), REVISION: revision},
        change=settle,
    )


def claim_name(template: str, set_name: str, ordinal: int) -> str:
    """The name of the claim that a template makes for an ordinal."""
    return f"{template}-{set_name}-{ordinal}"


def volumes(set_name: str, templates: Any, ordinal: int) -> list[dict[str, Any]]:
    """The volumes of the pod of an ordinal that are its claims."""
    return [
        {
            "name": objects.name(template),
            "persistentVolumeClaim": {
                "claimName": claim_name(objects.name(template), set_name, ordinal)
            },
        }
        for template in templates
    ]


def with_volumes(present: Any, wanted: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """`wanted` and, of those that are present, the ones with other names."""
    names = {volume["name"] for volume in wanted}
    return [*wanted, *(volume for volume in present if volume.get("name") not in names)]


def has_volumes(pod: objects.Object, wanted: list[dict[str, Any]]) -> bool:
    """Whether a pod's volumes are the claims that they should be."""
    present = {volume.get("name"): volume for volume in objects.spec(pod).get("volumes") or ()}
    return all(
        ((present.get(volume["name"]) or {}).get("persistentVolumeClaim") or {}).get("claimName")
        == volume["persistentVolumeClaim"]["claimName"]
        for volume in wanted
    )
