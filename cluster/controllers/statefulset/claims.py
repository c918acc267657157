"""The claims of a StatefulSet's pods: made from its templates, never changed by them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cluster.api import objects
from cluster.controllers import ownership
from cluster.controllers.statefulset import identity, retention
from cluster.controllers.statefulset.settings import Settings

Lookup = Callable[[str], objects.Object | None]
"""The claim of a name in the StatefulSet's namespace, or None."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Claims to make before a pod is made, and what stands in the way of that."""

    create: Sequence[objects.Object] = ()
    problems: Sequence[str] = ()


class Claims:
    """What is asked about the claims of one StatefulSet."""

    def __init__(self, stateful_set: objects.Object, settings: Settings, lookup: Lookup) -> None:
        self._set = stateful_set
        self._name = objects.name(stateful_set)
        self._settings = settings
        self._lookup = lookup
        self._templates: Sequence[objects.Object] = (
            objects.spec(stateful_set).get("volumeClaimTemplates") or ()
        )
        self._selected: Mapping[str, str] = (objects.spec(stateful_set).get("selector") or {}).get(
            "matchLabels"
        ) or {}

    def missing(self, ordinal: int) -> Missing:
        """What the pod of an ordinal lacks."""
        if not self._templates:
            return _NOTHING
        create: list[objects.Object] = []
        problems: list[str] = []
        for template in self._templates:
            name = identity.claim_name(objects.name(template), self._name, ordinal)
            present = self._lookup(name)
            if present is None:
                create.append(self._made(template, name, ordinal))
            elif objects.deleting(present):
                problems.append(f"pvc {name} is being deleted")
        return Missing(create, problems)

    def misowned(self, ordinal: int, pod: objects.Object) -> list[objects.Object]:
        """The claims of a pod whose owners are not those that the retention policy wants."""
        changed = []
        for present in self._present(ordinal):
            owners = retention.corrected(
                present, self._set, pod, self._settings, scaled=not self._settings.wants(ordinal)
            )
            if owners is not None:
                metadata = {**objects.meta(present), "ownerReferences": owners}
                changed.append({**present, "metadata": metadata})
        return changed

    def stale(self, ordinal: int) -> bool:
        """Whether a claim goes with an earlier pod of this ordinal: the next pod waits for that."""
        return self._settings.delete_when_scaled and any(
            retention.names_another(present, "v1", "Pod", identity.pod_name(self._name, ordinal))
            for present in self._present(ordinal)
        )

    def mounted(self, pod: objects.Object, ordinal: int) -> bool:
        """Whether a pod's volumes are its claims."""
        if not self._templates:
            return True
        wanted = identity.volumes(self._name, self._templates, ordinal)
        return identity.has_volumes(pod, wanted)

    def volumes(self, ordinal: int) -> list[dict[str, Any]]:
        """The volumes that the pod of an ordinal has for its claims."""
        return identity.volumes(self._name, self._templates, ordinal)

    def _present(self, ordinal: int) -> list[objects.Object]:
        names = (
            identity.claim_name(objects.name(template), self._name, ordinal)
            for template in self._templates
        )
        return [found for found in map(self._lookup, names) if found is not None]

    def _made(self, template: objects.Object, name: str, ordinal: int) -> objects.Object:
        own = objects.meta(template)
        metadata = {
            **own,
            "name": name,
            "namespace": objects.namespace(self._set),
            "labels": {**(own.get("labels") or {}), **self._selected},
        }
        if self._settings.delete_with_set and self._settings.wants(ordinal):
            owner = ownership.reference(self._set, "apps/v1", "StatefulSet")
            metadata["ownerReferences"] = [owner]
        made = {key: value for key, value in template.items() if key != "status"}
        return {**made, "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata}


_NOTHING = Missing()
