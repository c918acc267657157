"""TaintNodesByCondition: a new node takes no pods until it has said that it is ready."""

from typing import ClassVar

from cluster.apiserver.admission.plugin import Act, Plugin, Request

NOT_READY = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}


class TaintNodesByCondition(Plugin):
    """Taints new nodes as not ready; the node life cycle controller takes the taint away."""

    name: ClassVar[str] = "TaintNodesByCondition"
    resources: ClassVar[tuple[str, ...]] = ("nodes",)

    def mutate(self, request: Request) -> None:
        """Complete spec.taints of a new node."""
        if request.act is not Act.CREATE:
            return
        spec = request.object.setdefault("spec", {})
        taints = spec.get("taints") or []
        if any(
            taint.get("key") == NOT_READY["key"] and taint.get("effect") == NOT_READY["effect"]
            for taint in taints
        ):
            return
        spec["taints"] = [*taints, dict(NOT_READY)]
