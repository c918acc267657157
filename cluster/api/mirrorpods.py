"""Mirror pods: what they may not refer to, and how static pods are marked. Pure."""

from collections.abc import Iterator
from typing import Any, Final

from cluster.api import objects
from cluster.api.objects import Object

MIRROR: Final = "kubernetes.io/config.mirror"
"""Annotation of a mirror pod: the hash of the static pod that it shows."""
HASH: Final = "kubernetes.io/config.hash"
SOURCE: Final = "kubernetes.io/config.source"
"""Annotation: api, file or http; absent, the pod is the API's."""
SEEN: Final = "kubernetes.io/config.seen"


def is_mirror(pod: Object) -> bool:
    """Whether the pod only shows a static pod."""
    return MIRROR in objects.annotations(pod)


def referred(spec: Object) -> str:
    """The first kind of object that a pod's spec refers to, as messages call it; "": none."""
    if spec.get("serviceAccountName"):
        return "a service account"
    sources = list(_sources(spec))
    if any(each.get("secret") is not None for each in sources) or spec.get("imagePullSecrets"):
        return "secrets"
    variables = list(_variables(spec))
    if any(each.get("secretKeyRef") or each.get("secretRef") for each in variables):
        return "secrets"
    if any(each.get("configMap") is not None for each in sources):
        return "configmaps"
    if any(each.get("configMapKeyRef") or each.get("configMapRef") for each in variables):
        return "configmaps"
    if any(each.get("clusterTrustBundle") is not None for each in sources):
        return "clustertrustbundles"
    if any(each.get("persistentVolumeClaim") is not None for each in sources):
        return "persistentvolumeclaims"
    return ""


def _sources(spec: Object) -> Iterator[Any]:
    for volume in spec.get("volumes") or ():
        yield volume
        yield from (volume.get("projected") or {}).get("sources") or ()


def _variables(spec: Object) -> Iterator[Any]:
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(kind) or ():
            yield from container.get("envFrom") or ()
            for variable in container.get("env") or ():
                yield variable.get("valueFrom") or {}
