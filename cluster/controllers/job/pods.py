"""The pods that a job asks for, and the writes that end them."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from cluster.api import objects
from cluster.api.objects import Object
from cluster.api.operations import STRATEGIC_PATCH, Operation, Verb
from cluster.controllers import ownership, podtemplate
from cluster.controllers.job import fields, perindex

_encode = msgspec.json.Encoder().encode

MAX_PREFIX = 58
"""Characters of a generateName that the API server keeps (names.MaxGeneratedNameLength)."""


def reference(job: Object) -> Object:
    """The ownerReference of its pods."""
    return ownership.reference(job, "batch/v1", "Job")


def creations(job: Object, count: int) -> list[Operation]:
    """The creations of `count` pods that have no index."""
    operation = podtemplate.creation(
        reference(job),
        objects.namespace(job),
        objects.spec(job).get("template") or {},
        generate_name=f"{objects.name(job)}-",
        change=_track,
    )
    return [operation] * count


def indexed_creations(
    job: Object, indexes: Sequence[int], replaced: Mapping[int, Object]
) -> list[Operation]:
    """The creations of the pods of these indexes. `replaced` are the pods that failed last."""
    template = _with_variable(objects.spec(job).get("template") or {})
    owner, per_index = reference(job), fields.per_index(job)
    made = []
    for index in indexes:
        noted = {fields.COMPLETION_INDEX: str(index)}
        if per_index:
            noted |= perindex.annotations(job, replaced.get(index))
        made.append(
            podtemplate.creation(
                owner,
                objects.namespace(job),
                template,
                generate_name=generate_name(objects.name(job), index),
                labels={fields.COMPLETION_INDEX: str(index)},
                annotations=noted,
                change=_numbered(f"{objects.name(job)}-{index}"),
            )
        )
    return made


def generate_name(job: str, index: int) -> str:
    """`JOB-INDEX-`, the job's name cut so that the index is not."""
    tail = f"-{index}-"
    return job[: MAX_PREFIX - len(tail)] + tail


def untracking(pod: Object) -> Operation:
    """Remove the tracking finalizer from this very pod."""
    patch = {
        "metadata": {
            "uid": objects.uid(pod),
            "$deleteFromPrimitiveList/finalizers": [fields.TRACKING],
        }
    }
    return Operation(
        Verb.PATCH,
        "pods",
        objects.namespace(pod),
        objects.name(pod),
        body=_encode(patch),
        patch_type=STRATEGIC_PATCH,
        want_object=False,
    )


def _track(pod: dict[str, Any]) -> None:
    own = pod["metadata"].get("finalizers") or []
    if fields.TRACKING not in own:
        pod["metadata"]["finalizers"] = [*own, fields.TRACKING]


def _numbered(hostname: str) -> podtemplate.Change:
    def change(pod: dict[str, Any]) -> None:
        _track(pod)
        pod["spec"]["hostname"] = hostname

    return change


def _with_variable(template: Object) -> Object:
    """The template with the environment variable of the index in every container."""
    spec = dict(objects.spec(template))
    for field in ("initContainers", "containers"):
        if spec.get(field):
            spec[field] = [_knowing_its_index(container) for container in spec[field]]
    return {**template, "spec": spec}


def _knowing_its_index(container: dict[str, Any]) -> dict[str, Any]:
    env = container.get("env") or []
    if any(variable.get("name") == fields.INDEX_VARIABLE for variable in env):
        return container
    path = f"metadata.labels['{fields.COMPLETION_INDEX}']"
    variable = {
        "name": fields.INDEX_VARIABLE,
        "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}},
    }
    return {**container, "env": [*env, variable]}
