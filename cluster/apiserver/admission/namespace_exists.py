"""NamespaceExists: nothing is done in a namespace that there is not."""

from typing import ClassVar

from cluster.api import errors
from cluster.apiserver.admission.plugin import Plugin, Request


class NamespaceExists(Plugin):
    """Refuses what is in a missing namespace; NamespaceLifecycle refuses more."""

    name: ClassVar[str] = "NamespaceExists"

    def validate(self, request: Request) -> None:
        """errors.NotFound."""
        space = request.call.namespace
        if space and request.cache.get("namespaces", "", space) is None:
            raise errors.not_found("namespaces", space)
