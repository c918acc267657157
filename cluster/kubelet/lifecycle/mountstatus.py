"""What a container's status says of the volumes that it mounts. Pure.

Source: convertToAPIContainerStatuses and resolveRecursiveReadOnly of pkg/kubelet.
"""

from collections.abc import Mapping
from typing import Any, Final

from cluster.api import objects

ENABLED: Final = "Enabled"
DISABLED: Final = "Disabled"
IF_POSSIBLE: Final = "IfPossible"


def of(spec: objects.Object, *, recursive: bool = False) -> list[objects.Object]:
    """The `volumeMounts` of the status of a container; `recursive` says whether its runtime can
    make mounts read-only with all that is mounted under them.
    """
    return [_of(mount, recursive=recursive) for mount in spec.get("volumeMounts") or ()]


def refused(mount: Mapping[str, Any], *, recursive: bool = False) -> str:
    """Why a mount cannot be made as it asks to be; "" where it can."""
    if mount.get("recursiveReadOnly") != ENABLED or recursive:
        return ""
    return (
        f'volume "{mount.get("name")}" requested recursive read-only mode, '
        "but it is not supported by the runtime"
    )


def _of(mount: objects.Object, *, recursive: bool) -> objects.Object:
    shown: objects.Object = {"name": mount["name"], "mountPath": mount["mountPath"]}
    if mount.get("readOnly"):
        asked = mount.get("recursiveReadOnly") in (ENABLED, IF_POSSIBLE)
        shown["readOnly"] = True
        shown["recursiveReadOnly"] = ENABLED if asked and recursive else DISABLED
    return shown
