"""The pod-template-hash: names a pod template, and tells whether two templates are the same.

As in Kubernetes: 32-bit FNV-1a over the template and the collision count, its decimal digits
written in an alphabet without vowels. Kubernetes hashes Go's own print of the structure, which
nothing else can repeat; here it is canonical JSON, so hashes are stable but not Kubernetes'.
"""

from typing import Any

import msgspec

from cluster.api import objects

LABEL = "pod-template-hash"

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_OFFSET, _PRIME, _MASK = 2166136261, 16777619, 0xFFFFFFFF
_canonical = msgspec.json.Encoder(order="deterministic").encode


def fnv1a(data: bytes) -> int:
    """32-bit FNV-1a."""
    value = _OFFSET
    for byte in data:
        value = ((value ^ byte) * _PRIME) & _MASK
    return value


def safe_encoded(text: str) -> str:
    """`text` with each character replaced by one that spells no words (apimachinery's rand)."""
    return "".join(_ALPHABET[ord(char) % len(_ALPHABET)] for char in text)


def template_hash(template: objects.Object, collisions: int | None) -> str:
    """The hash of a pod template, apart from its own hash label."""
    data = _canonical(without_hash(template))
    if collisions is not None:
        data += collisions.to_bytes(8, "little")
    return safe_encoded(str(fnv1a(data)))


def without_hash(template: objects.Object) -> objects.Object:
    """The template without its hash label; empty label maps and metadata are left out."""
    metadata = dict(objects.meta(template))
    labels = {k: v for k, v in (metadata.get("labels") or {}).items() if k != LABEL}
    metadata["labels"] = labels
    result: dict[str, Any] = {k: v for k, v in template.items() if k != "metadata"}
    kept = {k: v for k, v in metadata.items() if v not in (None, {}, [])}
    if kept:
        result["metadata"] = kept
    return result


def same_template(one: objects.Object, other: objects.Object) -> bool:
    """Whether two templates are the same but for the hash label."""
    return without_hash(one) == without_hash(other)


def with_hash(template: objects.Object, value: str) -> objects.Object:
    """The template with the hash label set."""
    metadata = dict(objects.meta(template))
    metadata["labels"] = {**(metadata.get("labels") or {}), LABEL: value}
    return {**template, "metadata": metadata}
