"""Conversion webhooks: custom objects in another version, by whoever the definition names.

Protocol and words: apiextensions-apiserver pkg/apiserver/conversion/webhook_converter.go, and
https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definition-versioning/
"""

from collections.abc import Sequence
from random import Random
from typing import Any

from cluster.api import errors, json_text, objectmeta, objects
from cluster.api.objects import Object
from cluster.api.resources import Resource
from cluster.apiserver import codec
from cluster.apiserver.outbound import clientconfig
from cluster.apiserver.outbound.protocol import Caller, Unreachable
from cluster.apiserver.registry import Registry

DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"
SECONDS = 30.0
"""How long a webhook may take: the timeout that kube-apiserver gives."""
TOGETHER = 500
"""Objects of one review: a list of many is converted in parts."""
_SUPPORTED = ("v1", "v1beta1")
_MAY_CHANGE = ("labels", "annotations")


class _Failed(Exception):
    """The webhook did not convert; the message says why."""


class Converting:
    """Asks conversion webhooks. Set its `converted` as `registry.views.webhooks`."""

    def __init__(self, registry: Registry, caller: Caller, random: Random) -> None:
        self._registry = registry
        self._caller = caller
        self._random = random

    async def converted(self, row: Resource, documents: Sequence[Object]) -> Sequence[Object]:
        """Objects in the version of `row`, in order. errors.InternalError, as in Kubernetes."""
        found = list(documents)
        others = [at for at, obj in enumerate(found) if obj.get("apiVersion") != row.api_version]
        for start in range(0, len(others), TOGETHER):
            places = others[start : start + TOGETHER]
            asked = [found[at] for at in places]
            try:
                answered = await self._asked(row, asked)
            except _Failed as error:
                version = asked[0].get("apiVersion")
                raise errors.InternalError(
                    f"Internal error occurred: conversion webhook for {version}, Kind={row.kind} "
                    f"failed: {error}"
                ) from None
            for at, obj in zip(places, answered, strict=True):
                found[at] = obj
        return found

    async def _asked(self, row: Resource, asked: Sequence[Object]) -> Sequence[Object]:
        entry = self._registry.cache.get(DEFINITIONS, "", row.id)
        if entry is None:
            raise errors.NotFound("the server could not find the requested resource")
        said = objects.spec(entry.document()).get("conversion") or {}
        webhook = said.get("webhook") or {}
        versions = webhook.get("conversionReviewVersions") or ()
        version = next((each for each in versions if each in _SUPPORTED), "")
        if not version:
            raise _Failed("no supported conversion review version")
        uid = objectmeta.new_uid(self._random)
        review = {
            "kind": "ConversionReview",
            "apiVersion": f"apiextensions.k8s.io/{version}",
            "request": {"uid": uid, "desiredAPIVersion": row.api_version, "objects": asked},
        }
        try:
            config = webhook.get("clientConfig") or {}
            request = clientconfig.outgoing(config, codec.document(review))
            answer = await self._caller.call(request, SECONDS)
        except (ValueError, Unreachable) as error:
            raise _Failed(str(error)) from None
        if answer.status != 200:
            raise _Failed(f"the server responded with status {answer.status}")
        return _checked(row, asked, uid, _response(answer.body))


def _response(body: bytes) -> Object:
    try:
        found = json_text.decoded(body)
    except json_text.Malformed as error:
        raise _Failed(f"the response is no JSON: {error}") from None
    response = found.get("response") if isinstance(found, dict) else None
    if not isinstance(response, dict):
        raise _Failed("no response provided")
    return response


def _checked(
    row: Resource, asked: Sequence[Object], uid: str, response: Object
) -> Sequence[Object]:
    """What the webhook made of the objects, if it is what it may make."""
    if response.get("uid") != uid:
        raise _Failed(f'expected response.uid="{uid}", got "{response.get("uid") or ""}"')
    result = response.get("result")
    result = result if isinstance(result, dict) else {}
    if result.get("status") != "Success":
        raise _Failed(str(result.get("message") or "unexpected status"))
    made = response.get("convertedObjects")
    if not isinstance(made, list) or len(made) != len(asked):
        count = len(made) if isinstance(made, list) else 0
        raise _Failed(f"webhook returned {count} objects, expected {len(asked)}")
    return [
        _taken(row, at, old, new) for at, (old, new) in enumerate(zip(asked, made, strict=True))
    ]


def _taken(row: Resource, at: int, old: Object, new: Any) -> Object:
    """One converted object; of its metadata only labels and annotations may be new."""
    if not isinstance(new, dict) or new.get("apiVersion") != row.api_version:
        found = new.get("apiVersion") if isinstance(new, dict) else None
        raise _Failed(
            f"invalid converted object at index {at}: invalid groupVersion (expected "
            f"{row.api_version}, received {found})"
        )
    if new.get("kind") != row.kind:
        raise _Failed(
            f"invalid converted object at index {at}: invalid kind (expected {row.kind}, "
            f"received {new.get('kind')})"
        )
    meta = new.get("metadata")
    if not isinstance(meta, dict):
        raise _Failed(f"invalid metadata of converted object at index {at}: missing metadata")
    kept = dict(objects.meta(old))
    for field in ("name", "namespace", "uid"):
        if (meta.get(field) or "") != (kept.get(field) or ""):
            raise _Failed(
                f"invalid metadata of converted object at index {at}: {field} must not change"
            )
    for field in _MAY_CHANGE:
        kept.pop(field, None)
        value = meta.get(field)
        if isinstance(value, dict) and all(isinstance(text, str) for text in value.values()):
            kept[field] = value
    head = {"apiVersion": row.api_version, "kind": row.kind, "metadata": kept}
    found = head | {key: value for key, value in new.items() if key not in head}
    return row.custom.pruned(found) if row.custom is not None else found
