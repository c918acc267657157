"""Names of ControllerRevisions: the owner's name and a hash of the data, as Kubernetes makes them.

32-bit FNV-1 over the data's JSON and the digits of the collision count, its decimal digits written
in an alphabet without vowels (pkg/controller/history, apimachinery's rand.SafeEncodeString).
"""

from cluster.controllers.deployment import hashing

LABEL = "controller.kubernetes.io/hash"

_OFFSET, _PRIME, _MASK = 2166136261, 16777619, 0xFFFFFFFF
_LONGEST_PREFIX = 223
"""Of the owner's name, so that name, dash and hash stay under the 253 characters of a name."""


def fnv1(data: bytes) -> int:
    """32-bit FNV-1: multiplied first (FNV-1a, which pod-template-hash uses, mixes first)."""
    value = _OFFSET
    for byte in data:
        value = ((value * _PRIME) & _MASK) ^ byte
    return value


def hashed(encoded: bytes, collisions: int | None) -> str:
    """The hash of a revision's encoded data; `collisions` is the owner's status.collisionCount."""
    probe = b"" if collisions is None else str(collisions).encode()
    return hashing.safe_encoded(str(fnv1(encoded + probe)))


def name(owner: str, value: str) -> str:
    """The name of the revision of this hash that belongs to the object named `owner`."""
    return f"{owner[:_LONGEST_PREFIX]}-{value}"
