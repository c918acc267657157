"""The credentials that a pod's imagePullSecrets give for an image.

Source: pkg/credentialprovider/secrets, and getPullSecretsForPod of pkg/kubelet. Reading them is the
caller's; this is pure.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any, Final

from cluster.api import dockerconfig, imagereferences, objects
from cluster.api.dockerconfig import Credentials
from cluster.api.objects import Object
from cluster.kubelet.volumes.references import SECRETS, Known, Reference

_KEYS: Final = {
    "kubernetes.io/dockerconfigjson": ".dockerconfigjson", "kubernetes.io/dockercfg": ".dockercfg",
}  # fmt: skip


def references(pod: Object) -> list[Reference]:
    """The Secrets that a pod names."""
    namespace = objects.namespace(pod)
    named = objects.spec(pod).get("imagePullSecrets") or ()
    return [Reference(SECRETS, namespace, one["name"]) for one in named if one.get("name")]


def missing(known: Known) -> str:
    """What is told of Secrets that are not there; "" where all are."""
    names = ", ".join(f"{one.name}" for one, found in known.items() if found is None)
    return (
        f"Unable to retrieve some image pull secrets ({names}); attempting to pull the image may "
        "not succeed."
        if names
        else ""
    )


def credentials(secrets: Iterable[Mapping[str, Any] | None], image: str) -> list[Credentials]:
    """Those for an image, the closest of each Secret first; what cannot be read gives none."""
    try:
        repository = imagereferences.parse(image).repository
    except ValueError:
        return []
    found: list[Credentials] = []
    for secret in secrets:
        key = _KEYS.get((secret or {}).get("type") or "")
        text = ((secret or {}).get("data") or {}).get(key) if key else None
        try:
            data = base64.b64decode(text) if isinstance(text, str) else b""
            known = dockerconfig.parse(data) if data else {}
        except (binascii.Error, ValueError):
            continue
        found += dockerconfig.chosen(known, repository)
    return list(dict.fromkeys(found))
