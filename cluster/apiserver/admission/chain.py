"""The plugins of a server, in order, and the ones that each resource concerns."""

from collections.abc import Sequence

from cluster.apiserver.admission.plugin import Plugin, Request
from cluster.apiserver.watchcache.cache import WatchCache


class Chain:
    """Runs the plugins that a request concerns, in order; the first refusal ends it."""

    def __init__(self, plugins: Sequence[Plugin] = ()) -> None:
        self._plugins = tuple(plugins)
        self._concerned: dict[str, tuple[Plugin, ...]] = {}

    def open(self, cache: WatchCache) -> None:
        """The cache is filled."""
        for plugin in self._plugins:
            plugin.open(cache)

    def review(self, request: Request) -> None:
        """Before the rules. errors.StatusError."""
        for plugin in self._of(request.row.id):
            plugin.review(request)

    def admit(self, request: Request) -> None:
        """After the rules: plugins may change the object. errors.StatusError."""
        for plugin in self._of(request.row.id):
            plugin.admit(request)

    def _of(self, resource: str) -> tuple[Plugin, ...]:
        found = self._concerned.get(resource)
        if found is None:
            found = self._concerned[resource] = tuple(
                plugin
                for plugin in self._plugins
                if not plugin.resources or resource in plugin.resources
            )
        return found
