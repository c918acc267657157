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

    def mutate(self, request: Request) -> None:
        """Complete spec.tolerations. An update has to bring what the pod was given when it was new:
        that is added here too.
        """
        if request.act not in (Act.CREATE, Act.UPDATE) or request.subresource:
            return
        spec = request.object.setdefault("spec", {})
        said = spec.get("tolerations") or []
        missing = self._missing(said)
        if missing:
            spec["tolerations"] = [*said, *missing]

    def _missing(self, tolerations: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            {
                "key": taint,
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": seconds,
            }
            for taint, seconds in self._seconds.items()
            if not any(_speaks_of(toleration, taint) for toleration in tolerations)
        ]


def _speaks_of(toleration: dict[str, Any], taint: str) -> bool:
    if toleration.get("effect") not in (None, "", "NoExecute"):
        return False
    return toleration.get("key") in (None, "", taint)
