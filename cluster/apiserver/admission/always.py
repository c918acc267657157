"""AlwaysAdmit and AlwaysDeny: plugins for tests of clusters, deprecated in Kubernetes."""

from typing import ClassVar

from cluster.apiserver.admission.plugin import Plugin, Request


class AlwaysAdmit(Plugin):
    """Refuses nothing."""

    name: ClassVar[str] = "AlwaysAdmit"


class AlwaysDeny(Plugin):
    """Refuses everything."""

    name: ClassVar[str] = "AlwaysDeny"

    def mutate(self, request: Request) -> None:
        """errors.Forbidden."""
        raise request.forbidden("admission control is denying all modifications")

    def validate(self, request: Request) -> None:
        """errors.Forbidden."""
        self.mutate(request)
