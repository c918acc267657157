"""DefaultTolerationSeconds: how long a pod stays on a node that is not ready or unreachable."""

from typing import Any, ClassVar

from cluster.apiserver.admission.plugin import Act, Plugin, Request

TOLERATION_SECONDS = 300
_TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


class DefaultTolerationSeconds(Plugin):
    """Adds a toleration of 300 s for each taint that the pod says nothing of."""

    name: ClassVar[str] = "DefaultTolerationSeconds"
    resources: ClassVar[tuple[str, ...]] = ("pods",)

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
                "tolerationSeconds": TOLERATION_SECONDS,
            }
            for taint in _TAINTS
            if not any(_speaks_of(toleration, taint) for toleration in tolerations)
        ]
        if missing:
            spec["tolerations"] = [*tolerations, *missing]


def _speaks_of(toleration: dict[str, Any], taint: str) -> bool:
    if toleration.get("effect") not in (None, "", "NoExecute"):
        return False
    return toleration.get("key") in (None, "", taint)
