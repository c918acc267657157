"""Answers in protobuf form: what is JSON inside, for clients that want messages. Pure.

Only who asks for it pays: the stored bytes are JSON, and each object is decoded and encoded anew.
"""

from collections.abc import Sequence
from typing import Any

from cluster.api import errors
from cluster.api.protobuf import encoder, messages
from cluster.api.resources import Resource
from cluster.apiserver import codec
from cluster.apiserver.rest.negotiation import Form
from cluster.apiserver.watchcache.entry import Entry

WATCH = f"{messages.MEDIA_TYPE};stream=watch"
"""The content type of a watch in this form."""


def known(row: Resource) -> bool:
    """Whether the objects of a row have messages: those of custom resources have none."""
    return row.custom is None and messages.named(row.api_version, row.kind) is not None


def one(json: bytes) -> bytes:
    """Any object of a kind that it names. errors.NotAcceptable."""
    try:
        return encoder.encode(codec.decode(json))
    except encoder.Unencodable as error:
        raise _not_acceptable(error) from error


def items(row: Resource, form: Form, entries: Sequence[Entry]) -> list[bytes]:
    """The messages of a list's items, without envelopes. errors.NotAcceptable."""
    try:
        if form.shape:
            version = f"meta.k8s.io/{form.version}"
            return [
                encoder.body(version, "PartialObjectMetadata", codec.decode(entry.json))
                for entry in entries
            ]
        return [
            encoder.body(row.api_version, row.kind, codec.decode(entry.json)) for entry in entries
        ]
    except encoder.Unencodable as error:
        raise _not_acceptable(error) from error


def listed(row: Resource, form: Form, metadata: dict[str, Any], found: Sequence[bytes]) -> bytes:
    """A list of encoded items. errors.NotAcceptable."""
    version, kind = row.api_version, row.list_kind
    if form.shape:
        version, kind = f"meta.k8s.io/{form.version}", "PartialObjectMetadataList"
    try:
        body = encoder.list_body(version, kind, metadata, found)
    except encoder.Unencodable as error:
        raise _not_acceptable(error) from error
    return encoder.enveloped(version, kind, body)


def event(type: str, json: bytes) -> bytes:
    """An event of a watch, in its frame. `json` names its kind."""
    return encoder.watch_event(type, one(json))


def _not_acceptable(error: encoder.Unencodable) -> errors.NotAcceptable:
    return errors.NotAcceptable(f"{error}: ask for application/json")
