"""What the pods of a node refer to, read from the watch cache when it is asked for.

A node's pods are some hundred at most, and what each refers to is kept as long as the pod does not
change, so an answer costs microseconds; and writing a pod costs nothing.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from cluster.api import loads, objects, selectors
from cluster.api.objects import Object
from cluster.api.persistentvolumes import local
from cluster.apiserver.watchcache.cache import WatchCache
from cluster.apiserver.watchcache.entry import Entry
from cluster.apiserver.watchcache.selection import Selection

Reference = tuple[str, str, str]
"""Plural, namespace and name."""
_MIRROR: Final = "kubernetes.io/config.mirror"
_NODES_KEPT: Final = 4096


class NodeReferences:
    """The relationships between nodes and objects."""

    def __init__(self, cache: WatchCache) -> None:
        self._cache = cache
        self._known: dict[str, dict[str, tuple[int, frozenset[Reference]]]] = {}

    def related(self, node: str, plural: str, namespace: str, name: str) -> bool:
        """Whether the object is one that a pod of the node refers to, or the node's own."""
        if plural == "persistentvolumes":
            return self._volume(node, name)
        if plural == "volumeattachments":
            return self._says_node("volumeattachments.storage.k8s.io", node, name)
        if plural == "resourceslices":
            return self._says_node("resourceslices.resource.k8s.io", node, name)
        if plural == "pods":
            pod = self._cache.get("pods", namespace, name)
            return pod is not None and pod.field("spec.nodeName") == node
        wanted = (plural, namespace, name)
        if any(wanted in references for references in self._of(node)):
            return True
        return plural == "secrets" and self._volume_secret(node, namespace, name)

    def holds(self, node: str, name: str) -> bool:
        """Whether a PersistentVolume is one that kubemu's provisioner put on the node."""
        volume = self._cache.get("persistentvolumes", "", name)
        return volume is not None and local.is_on(volume.document(), node)

    def gone(self, name: str) -> bool:
        """Whether a name may have been such a volume's: all there is to learn is that."""
        return name.startswith("pvc-") and self._cache.get("persistentvolumes", "", name) is None

    def _volume(self, node: str, name: str) -> bool:
        volume = self._cache.get("persistentvolumes", "", name)
        claim = objects.spec(volume.document()).get("claimRef") if volume is not None else None
        if not claim:
            return False
        wanted = ("persistentvolumeclaims", claim.get("namespace", ""), claim.get("name", ""))
        return any(wanted in references for references in self._of(node))

    def _volume_secret(self, node: str, namespace: str, name: str) -> bool:
        """Whether a volume that is claimed by a pod of the node needs the secret."""
        for references in self._of(node):
            for plural, space, claim in references:
                if plural != "persistentvolumeclaims":
                    continue
                held = self._cache.get(plural, space, claim)
                volume = objects.spec(held.document()).get("volumeName") if held else None
                entry = self._cache.get("persistentvolumes", "", volume) if volume else None
                if entry and (namespace, name) in _secrets_of(entry.document(), space):
                    return True
        return False

    def _says_node(self, resource: str, node: str, name: str) -> bool:
        entry = self._cache.get(resource, "", name)
        return entry is not None and objects.spec(entry.document()).get("nodeName") == node

    def _of(self, node: str) -> Iterator[frozenset[Reference]]:
        """The references of each pod of a node."""
        if len(self._known) >= _NODES_KEPT and node not in self._known:
            self._known.clear()
        before = self._known.get(node, {})
        pods = self._cache.of("pods")
        chosen = selectors.parse_fields(f"spec.nodeName={node}", pods.shape.row)
        now: dict[str, tuple[int, frozenset[Reference]]] = {}
        for entry in pods.select(Selection("", selectors.EVERYTHING, chosen)):
            held = before.get(entry.key)
            if held is None or held[0] != entry.revision:
                held = (entry.revision, _references(entry))
            now[entry.key] = held
        self._known[node] = now
        return (references for _, references in now.values())


def _references(entry: Entry) -> frozenset[Reference]:
    pod = entry.document()
    if _MIRROR in objects.annotations(pod):
        return frozenset()  # its kubelet wrote it itself
    return frozenset((plural, entry.namespace, name) for plural, name in references(pod) if name)


def references(pod: Object) -> Iterator[tuple[str, str]]:
    """The plural and the name of each object that a pod refers to, in its own namespace."""
    spec = objects.spec(pod)
    load = loads.source(pod)
    if load is not None:
        yield load.resource.partition(".")[0], load.name
    yield "serviceaccounts", spec.get("serviceAccountName") or ""
    for secret in spec.get("imagePullSecrets") or ():
        yield "secrets", secret.get("name", "")
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(field) or ():
            yield from _of_container(container)
    for volume in spec.get("volumes") or ():
        yield from _of_volume(objects.name(pod), volume)
    for claim in spec.get("resourceClaims") or ():
        yield "resourceclaims", claim.get("resourceClaimName") or ""
    for claim in objects.status(pod).get("resourceClaimStatuses") or ():
        yield "resourceclaims", claim.get("resourceClaimName") or ""


def _of_container(container: Object) -> Iterator[tuple[str, str]]:
    for variable in container.get("env") or ():
        source = variable.get("valueFrom") or {}
        yield "secrets", (source.get("secretKeyRef") or {}).get("name", "")
        yield "configmaps", (source.get("configMapKeyRef") or {}).get("name", "")
    for source in container.get("envFrom") or ():
        yield "secrets", (source.get("secretRef") or {}).get("name", "")
        yield "configmaps", (source.get("configMapRef") or {}).get("name", "")


def _of_volume(pod: str, volume: Object) -> Iterator[tuple[str, str]]:
    if "ephemeral" in volume:
        yield "persistentvolumeclaims", f"{pod}-{volume.get('name', '')}"
    claim = volume.get("persistentVolumeClaim") or {}
    yield "persistentvolumeclaims", claim.get("claimName", "")
    yield "configmaps", (volume.get("configMap") or {}).get("name", "")
    for source in (volume.get("projected") or {}).get("sources") or ():
        yield "secrets", (source.get("secret") or {}).get("name", "")
        yield "configmaps", (source.get("configMap") or {}).get("name", "")
    for _, name in _source_secrets(volume, ""):
        yield "secrets", name


def _secrets_of(volume: Object, claim_namespace: str) -> set[tuple[str, str]]:
    """Namespace and name of each secret that a PersistentVolume needs."""
    return set(_source_secrets(objects.spec(volume), claim_namespace))


def _source_secrets(holder: Mapping[str, Any], namespace: str) -> Iterator[tuple[str, str]]:
    """The secrets of whatever volume source is set."""
    for source in holder.values():
        if not isinstance(source, Mapping):
            continue
        if isinstance(source.get("secretName"), str):
            yield source.get("secretNamespace") or namespace, source["secretName"]
        for field, value in source.items():
            if field.endswith("ecretRef") and isinstance(value, Mapping) and value.get("name"):
                yield value.get("namespace") or namespace, value["name"]
