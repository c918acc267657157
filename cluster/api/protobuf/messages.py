"""The table of messages: fields.json, the facts of the wire format, read when first needed."""

import functools
from pathlib import Path
from typing import Final

import msgspec

MEDIA_TYPE: Final = "application/vnd.kubernetes.protobuf"
MAGIC: Final = b"k8s\0"

Field = tuple[str, str, str]
"""The name in JSON, the type, and the shape.

Shapes: `optional` (what is there was meant), `zero` (an empty value is none), `always` (zero is a
value), `repeated`, `map`, and `inline` (a struct whose fields belong to its parent).
"""
Fields = dict[str, Field]

_SAME_AS = {"policy.v1beta1.Eviction": "policy.v1.Eviction"}
"""What client-go before 0.22 sends, and Kubernetes takes to this day."""


@functools.cache
def table() -> dict[str, Fields]:
    """The fields of each message by their numbers. Messages are named `apps.v1.Deployment`."""
    text = Path(__file__).with_name("fields.json").read_bytes()
    return msgspec.json.decode(text, type=dict[str, Fields])


@functools.lru_cache(1024)
def named(api_version: str, kind: str) -> str | None:
    """The message of a kind; None where there is none, as with custom resources.

    Kinds that every group has (DeleteOptions, Status, PartialObjectMetadata) are of meta/v1.
    """
    group, _, version = api_version.rpartition("/")
    if "." not in group or group.endswith(".k8s.io"):
        name = f"{group.partition('.')[0] or 'core'}.{version}.{kind}"
        name = _SAME_AS.get(name, name)
        if name in table():
            return name
    common = f"meta.v1.{kind}"
    return common if common in table() else None
