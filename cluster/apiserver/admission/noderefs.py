"""What a mirror pod refers to and may not. Pure."""

from collections.abc import Iterator
from typing import Any

from cluster.api.objects import Object


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
