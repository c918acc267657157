"""DenyServiceExternalIPs: nobody takes over traffic to addresses outside the cluster.

Source: k8s.io/kubernetes plugin/pkg/admission/network/denyserviceexternalips.
"""

from typing import ClassVar

from cluster.api import objects
from cluster.apiserver.admission.plugin import Act, Plugin, Request


class DenyServiceExternalIPs(Plugin):
    """Refuses new values of spec.externalIPs."""

    name: ClassVar[str] = "DenyServiceExternalIPs"
    resources: ClassVar[tuple[str, ...]] = ("services",)

    def validate(self, request: Request) -> None:
        """errors.Forbidden."""
        if request.act not in (Act.CREATE, Act.UPDATE) or request.subresource:
            return
        wanted = objects.spec(request.object).get("externalIPs") or ()
        if not wanted:
            return
        held = objects.spec(request.old or {}).get("externalIPs") or ()
        if any(address not in held for address in wanted):
            raise request.forbidden("Use of external IPs is denied by admission control")
