"""Whether an update of a pod can change what the standards say of it: few fields may change."""

from typing import Final

from cluster.api import objects
from cluster.api.objects import Object

_SECCOMP_POD: Final = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP_CONTAINER: Final = "container.seccomp.security.alpha.kubernetes.io/"


def changed(pod: Object, old: Object) -> bool:
    """Whether to look at the pod again."""
    now, before = objects.annotations(pod), objects.annotations(old)
    if now.get(_SECCOMP_POD) != before.get(_SECCOMP_POD):
        return True
    spec, held = objects.spec(pod), objects.spec(old)
    for kind in ("containers", "initContainers"):
        if len(spec.get(kind) or ()) != len(held.get(kind) or ()):
            return True
    for kind in ("containers", "initContainers", "ephemeralContainers"):
        images = {each.get("name"): each.get("image") for each in held.get(kind) or ()}
        for each in spec.get(kind) or ():
            name = each.get("name")
            if name not in images or images[name] != each.get("image"):
                return True
            key = f"{_SECCOMP_CONTAINER}{name}"
            if now.get(key) != before.get(key):
                return True
    return False
