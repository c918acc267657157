"""The plugins of a server, in order, and the ones that each resource concerns."""

from collections.abc import Sequence
from typing import NamedTuple

from cluster.apiserver.admission.plugin import Plugin, Request
from cluster.apiserver.watchcache.cache import WatchCache


class _Concerned(NamedTuple):
    """The plugins that a resource concerns: all of them, and those that have a part in a step."""

    plugins: tuple[Plugin, ...]
    mutate: tuple[Plugin, ...]
    complete: tuple[Plugin, ...]
    validate: tuple[Plugin, ...]


class Chain:
    """Runs the plugins that a request concerns, in order; the first refusal ends it."""

    def __init__(self, plugins: Sequence[Plugin] = ()) -> None:
        self._plugins = tuple(plugins)
        self._concerned: dict[str, _Concerned] = {}

    @property
    def plugins(self) -> tuple[Plugin, ...]:
        """All of them, in order."""
        return self._plugins

    def open(self, cache: WatchCache) -> None:
        """The cache is filled."""
        for plugin in self._plugins:
            plugin.open(cache)

    def mutate(self, request: Request) -> None:
        """Before validation: plugins may change the object. errors.StatusError, outside.Ask."""
        plugins = self._of(request.row.id).mutate
        for plugin in plugins:
            plugin.mutate(request)
        rounds = request.rounds
        if rounds is not None and rounds.wanted:
            rounds.again = True
            for plugin in plugins:
                plugin.mutate(request)

    def complete(self, request: Request) -> None:
        """After validation: plugins fill in what only the server knows. errors.StatusError."""
        for plugin in self._of(request.row.id).complete:
            plugin.complete(request)

    def validate(self, request: Request) -> None:
        """At the end: plugins may refuse the object as it would be stored. errors.StatusError,
        outside.Ask.
        """
        for plugin in self._of(request.row.id).validate:
            plugin.validate(request)

    def heeds_renewals(self, resource: str) -> bool:
        """Whether a plugin wants to see every renewal of a lease."""
        for plugin in self._of(resource).plugins:  # noqa: SIM110  (asked at every renewal)
            if plugin.heeds_renewals():
                return True
        return False

    def _of(self, resource: str) -> _Concerned:
        found = self._concerned.get(resource)
        if found is None:
            plugins = tuple(
                plugin
                for plugin in self._plugins
                if not plugin.resources or resource in plugin.resources
            )
            found = self._concerned[resource] = _Concerned(
                plugins,
                tuple(one for one in plugins if type(one).mutate is not Plugin.mutate),
                tuple(one for one in plugins if type(one).complete is not Plugin.complete),
                tuple(one for one in plugins if type(one).validate is not Plugin.validate),
            )
        return found
