"""Kinds other than pods and workloads."""

import ipaddress
from collections.abc import Callable, Mapping
from typing import Final

from cluster.api import quantity
from cluster.api.objects import Object
from cluster.api.warnings import podspecs

_BETA_CLASS: Final = "volume.beta.kubernetes.io/storage-class"
_PV_PLUGINS: Final = {
    "photonPersistentDisk": "deprecated in v1.11, non-functional in v1.16+",
    "scaleIO": "deprecated in v1.16, non-functional in v1.22+",
    "flocker": "deprecated in v1.22, non-functional in v1.25+",
    "storageos": "deprecated in v1.22, non-functional in v1.25+",
    "quobyte": "deprecated in v1.22, non-functional in v1.25+",
    "glusterfs": "deprecated in v1.25, non-functional in v1.26+",
    "cephfs": "deprecated in v1.28, non-functional in v1.31+",
    "rbd": "deprecated in v1.28, non-functional in v1.31+",
}


def node(new: Object, old: Object | None) -> list[str]:
    """A node that is configured in ways that do nothing any more."""
    if old is not None and old.get("spec") == new.get("spec"):
        return []
    spec = new.get("spec") or {}
    found: list[str] = []
    if spec.get("externalID"):
        found.append("spec.externalID: this field is deprecated, and is unused by Kubernetes")
    return found


def volume(new: Object, old: Object | None) -> list[str]:
    """A volume of a kind that is no more."""
    if old is not None and old.get("spec") == new.get("spec"):
        return []
    spec = new.get("spec") or {}
    found = [f"spec.{source}: {text}" for source, text in _PV_PLUGINS.items() if source in spec]
    if spec.get("persistentVolumeReclaimPolicy") == "Recycle":
        text = (
            "The Recycle reclaim policy is deprecated. Instead, the recommended approach is to "
            "use dynamic provisioning."
        )
        found.append(f"spec.persistentVolumeReclaimPolicy: {text}")
    annotations = new["metadata"].get("annotations") or {}
    if _BETA_CLASS in annotations:
        text = 'deprecated since v1.8; use "storageClassName" attribute instead'
        found.append(f"metadata.annotations[{_BETA_CLASS}]: {text}")
    required = (spec.get("nodeAffinity") or {}).get("required") or {}
    for index, term in enumerate(required.get("nodeSelectorTerms") or ()):
        at = f"spec.nodeAffinity.required.nodeSelectorTerms[{index}]"
        for place, expression in enumerate(term.get("matchExpressions") or ()):
            key = expression.get("key") or ""
            if key in podspecs.NODE_LABELS:
                told = podspecs.NODE_LABELS[key]
                found.append(f"{at}.matchExpressions[{place}].key: {key} is {told}")
    return found


def claim(new: Object, old: Object | None) -> list[str]:
    """A claim of less than a byte's worth of precision, or by the old annotation."""
    if old is not None and old.get("spec") == new.get("spec"):
        return []
    found: list[str] = []
    annotations = new["metadata"].get("annotations") or {}
    if _BETA_CLASS in annotations:
        text = 'deprecated since v1.8; use "storageClassName" attribute instead'
        found.append(f"metadata.annotations[{_BETA_CLASS}]: {text}")
    resources = (new.get("spec") or {}).get("resources") or {}
    for side in ("requests", "limits"):
        amount = (resources.get(side) or {}).get("storage")
        if amount is not None and quantity.milli(amount) % 1000:
            text = f'fractional byte value "{amount}" is invalid, must be an integer'
            found.append(f"spec.resources.{side}[storage]: {text}")
    return found


def service(new: Object, old: Object | None) -> list[str]:
    """A service with addresses that are written oddly, or with what has gone out of use."""
    if old is not None and old.get("spec") == new.get("spec"):
        return []
    spec = new.get("spec") or {}
    found: list[str] = []
    for index, address in enumerate(spec.get("externalIPs") or ()):
        found += _address(f"spec.externalIPs[{index}]", address)
    if address := spec.get("loadBalancerIP"):
        found += _address("spec.loadBalancerIP", address)
    headless = spec.get("clusterIP") == "None"
    if headless and spec.get("sessionAffinity") not in (None, "None"):
        text = "SessionAffinity is ignored for headless services"
        found.append(f"spec.SessionAffinity: {text}")
    return found


def _address(path: str, text: str) -> list[str]:
    """IPv6 addresses have one recommended form."""
    try:
        canonical = str(ipaddress.ip_address(text))
    except ValueError:
        return []
    if canonical == text:
        return []
    told = f'IPv6 address "{text}" should be in RFC 5952 canonical format ("{canonical}")'
    return [f"{path}: {told}"]


BY_RESOURCE: Final[Mapping[str, Callable[[Object, Object | None], list[str]]]] = {
    "nodes": node,
    "persistentvolumeclaims": claim,
    "persistentvolumes": volume,
    "services": service,
}
