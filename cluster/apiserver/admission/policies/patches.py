"""What a mutation makes of an object: an apply configuration merged in, or a JSON patch applied.

Source: k8s.io/apiserver pkg/admission/plugin/policy/mutating/patch. Fields that a mutation sets are
nobody's: it takes part in no ownership.
"""

from collections.abc import Iterator
from typing import Any

from cluster.api import cel, decoding, defaults, errors, patching
from cluster.api.cel import mutation
from cluster.api.managedfields import checking, merging, types, walking
from cluster.api.objects import Object
from cluster.api.operations import JSON_PATCH
from cluster.api.resources import Resource
from cluster.apiserver import codec, ownership
from cluster.apiserver.admission.matching.evaluation import Failed


def patched(kind: str, value: Any, present: Object, row: Resource, version: str) -> Object:
    """The object with a mutation carried out, decoded and with its defaults. Failed,
    errors.StatusError.
    """
    if kind == "JSONPatch":
        made = _json_patched(value, present, row, version)
        if made is present:
            return present
        validation = "Strict"
    else:
        made = _applied(value, present, row, version)
        validation = "Ignore"
    try:
        new, _ = decoding.decoded(row, made, version, validation)
    except errors.StatusError as error:
        raise errors.InternalError(f"Internal error occurred: {error.message}") from None
    defaults.apply(row, new, version)
    return new


def _applied(value: Any, present: Object, row: Resource, version: str) -> Object:
    try:
        config = mutation.checked_object(value)
    except cel.EvaluationError as error:
        raise Failed(f"type mismatch: {error}") from None
    config |= {"apiVersion": row.api_version, "kind": row.kind}
    kind = ownership.of_row(row, version)
    try:
        found = checking.complaints(kind, config)
        if found:
            why = f"failed to convert patch object to typed object: {checking.joined(found)}"
            raise Failed(f"error applying patch: {why}")
        atoms = [*_atoms(kind, config, "")]
        if atoms:
            why = f"may not mutate atomic arrays, maps or structs: {', '.join(atoms)}"
            raise Failed(f"error applying patch: invalid ApplyConfiguration: {why}")
        merged: Object = merging.merged(kind, present, config)
    except (walking.Unkeyed, RecursionError) as error:
        raise Failed(f"error applying patch: failed to merge patch: {error}") from None
    return merged


def _atoms(kind: types.Type, value: Any, path: str) -> Iterator[str]:
    """The paths of what a configuration would replace as a whole."""
    if isinstance(value, dict):
        if kind.shape == "map" and kind.atomic:
            yield path
        for name, item in value.items():
            field = kind.fields.get(name) if kind.shape == "map" else None
            if field is not None:
                yield from _atoms(field.type, item, f"{path}.{name}")
    elif isinstance(value, list) and kind.shape == "list":
        if kind.atomic:
            yield path
        for index, item in enumerate(value):
            yield from _atoms(kind.element or types.DEDUCED, item, f"{path}[{index}]")


def _json_patched(value: Any, present: Object, row: Resource, version: str) -> Object:
    try:
        steps = [_step(each) for each in value]
    except cel.EvaluationError as error:
        why = (
            f"JSONPath valueExpression evaluated to a type that could not marshal to JSON: {error}"
        )
        raise Failed(why) from None
    try:
        return patching.patched(row, present, codec.document(steps), JSON_PATCH, version)
    except errors.StatusError as error:
        cause = error.__cause__
        if type(cause).__name__ == "JsonPatchTestFailed":
            return present  # a patch whose test fails is not applied, and nothing is wrong with it
        raise Failed(f"JSONPath: {cause or error.message}") from None


def _step(found: Any) -> Object:
    step: Object = mutation.to_json(found)
    return {key: item for key, item in step.items() if key != "from" or item}
