"""What a pod's containers may know of the pod: fields of the downward API. Pure.

Source: pkg/fieldpath. What changes while a pod runs (status.podIP, status.hostIP) is not here.
"""

import re
from typing import Final

from cluster.api import objects

_SUBSCRIPT: Final = re.compile(r"metadata\.(labels|annotations)\['(.*)'\]", re.DOTALL)


def field(pod: objects.Object, path: str) -> str | None:
    """The text of a field such as `metadata.labels['app']`; None for one that is not known.

    A label or annotation that the pod does not have is "".
    """
    subscript = _SUBSCRIPT.fullmatch(path)
    if subscript is not None:
        return str((objects.meta(pod).get(subscript[1]) or {}).get(subscript[2]) or "")
    part, _, name = path.partition(".")
    if part == "metadata" and name in ("name", "namespace", "uid"):
        return str(objects.meta(pod).get(name) or "")
    if part == "spec" and name in ("nodeName", "serviceAccountName"):
        return str(objects.spec(pod).get(name) or "")
    return None
