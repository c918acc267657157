"""ServiceAccount: every pod runs as somebody. (Tokens are not mounted yet.)"""

from typing import ClassVar

from cluster.apiserver.admission.plugin import Act, Plugin, Request

DEFAULT = "default"


class ServiceAccount(Plugin):
    """Gives pods that name no service account the one called `default`."""

    name: ClassVar[str] = "ServiceAccount"
    resources: ClassVar[tuple[str, ...]] = ("pods",)

    def mutate(self, request: Request) -> None:
        """Fill in spec.serviceAccountName, and its old alias spec.serviceAccount."""
        if request.act is not Act.CREATE:
            return
        spec = request.object.setdefault("spec", {})
        account = spec.get("serviceAccountName") or spec.get("serviceAccount") or DEFAULT
        spec["serviceAccountName"] = spec["serviceAccount"] = account
