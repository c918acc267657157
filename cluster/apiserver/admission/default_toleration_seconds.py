"""DefaultTolerationSeconds: how long a pod stays on a node that is not ready or unreachable."""

from dataclasses import dataclass
from typing import Any, ClassVar

from cluster.apiserver.admission.plugin import Act, Plugin, Request


@dataclass(frozen=True, slots=True)
class TolerationSeconds:
    """How long, in seconds: kube-apiserver's --default-…-toleration-seconds."""

    not_ready: int = 300
    unreachable: int = 300


class DefaultTolerationSeconds(Plugin):
    """Adds a toleration for each of the two taints that the pod says nothing of."""

    name: ClassVar[str] = "DefaultTolerationSeconds"
    resources: ClassVar[tuple[str, ...]] = ("pods",)

    def __init__(self, seconds: TolerationSeconds) -> None:
        self._seconds = {
            "node.kubernetes.io/not-ready": seconds.not_ready,
            "node.kubernetes.io/unreachable": seconds.unreachable,
        }

    def admit(self, request: Request) -> None:
        """Complete spec.tolerations of a new pod."""
        if request.act is not Act.CREATE:
            return
        spec = request.object["spec"]
        tolerations = spec.get("tolerations") or []
        missing = [
            {
                "key": taint,
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": seconds,
            }
            for taint, seconds in self._seconds.items()
            if not any(_speaks_of(toleration, taint) for toleration in tolerations)
        ]
        if missing:
            spec["tolerations"] = [*tolerations, *missing]


def _speaks_of(toleration: dict[str, Any], taint: str) -> bool:
    if toleration.get("effect") not in (None, "", "NoExecute"):
        return False
    return toleration.get("key") in (None, "", taint)
