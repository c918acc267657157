"""Which pods use a PersistentVolumeClaim, found without a search."""

from collections.abc import Mapping, Sequence
from typing import Final

from cluster.api import objects
from cluster.api.persistentvolumes import facts
from cluster.client import indexer

CLAIM_USERS: Final = "claims"
"""Index of pods: `claims_of`. Ask for the pods with INDEX to have it."""


def claims_of(pod: objects.Object) -> list[str]:
    """The keys of the claims that a pod uses."""
    if not any("persistentVolumeClaim" in v or "ephemeral" in v for v in volumes_of(pod)):
        return []
    space = objects.namespace(pod)
    return [f"{space}/{use.claim}" for use in facts.uses(pod)]


def volumes_of(pod: objects.Object) -> Sequence[objects.Object]:
    """spec.volumes of a pod."""
    return objects.spec(pod).get("volumes") or ()


INDEX: Final[Mapping[str, indexer.IndexFunction]] = {CLAIM_USERS: claims_of}
