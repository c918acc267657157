"""audit.k8s.io/v1 Event: one line of the log. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from cluster.api import identity, timestamps
from cluster.apiserver.audit.policy import API_VERSION, Asked, Verdict

_encode = msgspec.json.Encoder().encode
_OMITTED = "managedFields"


@dataclass(slots=True)
class Facts:
    """What is known of a request. Times are in seconds since the epoch.

    `asker` is who acts as the user, where somebody does. `request` and `response` are documents;
    `answer` the Status of a failure.
    """

    id: str
    uri: str
    asked: Asked
    verdict: Verdict
    received: float
    version: str = ""
    user: identity.User | None = None
    asker: identity.User | None = None
    source: str = ""
    agent: str = ""
    code: int = 0
    answer: Mapping[str, Any] | None = None
    request: Any = None
    response: Any = None
    about: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)


def event(facts: Facts, stage: str, now: float) -> bytes:
    """The event of a stage, as a line."""
    document: dict[str, Any] = {
        "kind": "Event",
        "apiVersion": API_VERSION,
        "level": facts.verdict.level.label,
        "auditID": facts.id,
        "stage": stage,
        "requestURI": facts.uri,
        "verb": facts.asked.verb,
        "user": _user(facts.asker or facts.user),
    }
    if facts.asker is not None and facts.user is not None:
        document["impersonatedUser"] = _user(facts.user)
    if facts.source:
        document["sourceIPs"] = [facts.source]
    if facts.agent:
        document["userAgent"] = facts.agent
    reference = _reference(facts)
    if reference:
        document["objectRef"] = reference
    if facts.code:
        document["responseStatus"] = _status(facts)
    for name, value in (("requestObject", facts.request), ("responseObject", facts.response)):
        if value is not None:
            omit = facts.verdict.omit_managed_fields
            document[name] = _without_managed_fields(value) if omit else value
    document["requestReceivedTimestamp"] = timestamps.encode_micro(facts.received)
    document["stageTimestamp"] = timestamps.encode_micro(now)
    if facts.annotations:
        document["annotations"] = facts.annotations
    return _encode(document) + b"\n"


def _user(user: identity.User | None) -> dict[str, Any]:
    if user is None:
        return {}
    found: dict[str, Any] = {"username": user.name}
    if user.uid:
        found["uid"] = user.uid
    if user.groups:
        found["groups"] = list(user.groups)
    if user.extra:
        found["extra"] = {key: list(values) for key, values in user.extra}
    return found


def _reference(facts: Facts) -> dict[str, str]:
    asked = facts.asked
    if not asked.resource:
        return {}
    found = {
        "resource": asked.resource,
        "namespace": asked.namespace or facts.about.get("namespace", ""),
        "name": asked.name or facts.about.get("name", ""),
        "uid": facts.about.get("uid", ""),
        "apiGroup": asked.group,
        "apiVersion": facts.version,
        "resourceVersion": facts.about.get("resourceVersion", ""),
        "subresource": asked.subresource,
    }
    return {key: value for key, value in found.items() if value}


def _status(facts: Facts) -> dict[str, Any]:
    found: dict[str, Any] = {"metadata": {}}
    for key in ("status", "message", "reason", "details"):
        value = (facts.answer or {}).get(key)
        if value:
            found[key] = value
    return found | {"code": facts.code}


def _without_managed_fields(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    found = dict(value)
    metadata = found.get("metadata")
    if isinstance(metadata, dict) and _OMITTED in metadata:
        found["metadata"] = {key: each for key, each in metadata.items() if key != _OMITTED}
    if isinstance(found.get("items"), list):
        found["items"] = [_without_managed_fields(item) for item in found["items"]]
    return found
