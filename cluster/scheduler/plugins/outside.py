"""Plugins of others: found by entry point, built, and guarded, so that a fault in one fails the
attempt of the one pod and nothing else.

A package names its plugins in the entry point group `kubemu.scheduler.plugins`; each is a callable
of (args, handle) that gives a plugin. See docs/scheduler-plugins.md.
"""

from collections.abc import Sequence
from importlib import metadata
from typing import Any, Final

from cluster.scheduler.framework import points
from cluster.scheduler.framework.points import Plugin
from cluster.scheduler.plugins import guard, guardedcalls
from cluster.scheduler.plugins.handle import Factory, Handle

GROUP: Final = "kubemu.scheduler.plugins"
_NOT_BUILT: Final = {
    "DynamicResources": "devices (resource.k8s.io) are not looked at by this scheduler yet",
    "NodeDeclaredFeatures": "the features that nodes declare are not looked at by this scheduler",
    "GangScheduling": "groups of pods are not scheduled together by this scheduler yet",
}


class Unusable(ValueError):
    """A plugin cannot be had; the message names it and says why."""


def names() -> Sequence[str]:
    """The plugins that installed packages offer."""
    return sorted({entry.name for entry in metadata.entry_points(group=GROUP)})


def missing(name: str) -> str:
    """Why there is no plugin of others of this name; "" where there is one."""
    if list(metadata.entry_points(group=GROUP, name=name)):
        return ""
    return _NOT_BUILT.get(name) or f"no installed package offers it (entry point group {GROUP})"


def built(name: str, factory: Factory | None, args: Any, handle: Handle) -> Plugin:
    """The plugin `name`, guarded. Unusable."""
    made = factory if factory is not None else _found(name)
    try:
        plugin = made(args, guard.GuardedHandle.over(handle, name))
    except (Exception, SystemExit) as fault:
        raise Unusable(f'initializing plugin "{name}": {guard.told(fault)}') from fault
    called = getattr(plugin, "name", None)
    if called != name:
        raise Unusable(f'plugin "{name}": its name is {called!r}; both must be the same')
    if not any(isinstance(plugin, kind) for kind in points.POINTS.values()):
        known = ", ".join(points.POINTS)
        raise Unusable(f'plugin "{name}" has none of the extension points {known}')
    return guardedcalls.guarded(plugin)


def _found(name: str) -> Factory:
    entries = list(metadata.entry_points(group=GROUP, name=name))
    if not entries:
        raise Unusable(f'plugin "{name}" does not exist: {missing(name)}')
    if len({entry.value for entry in entries}) > 1:
        places = ", ".join(sorted(entry.value for entry in entries))
        raise Unusable(f'plugin "{name}" is offered more than once: {places}')
    try:
        loaded: Factory = entries[0].load()
    except (Exception, SystemExit) as fault:
        where = entries[0].value
        raise Unusable(
            f'plugin "{name}" ({where}) cannot be loaded: {guard.told(fault)}'
        ) from fault
    if not callable(loaded):
        raise Unusable(f'plugin "{name}" ({entries[0].value}) is not callable')
    return loaded
