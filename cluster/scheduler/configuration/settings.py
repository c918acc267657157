"""What a scheduler is to run: profiles, each with its plugins by extension point. Light to import.

Merging and expansion: pkg/scheduler/apis/config/v1/default_plugins.go, framework/runtime. Plugins
named at a point come before those of multiPoint where they stand for a default one, else after.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

ALL: Final = "*"
MULTI_POINT: Final = "multiPoint"

DEFAULT_PLUGINS: Final[Mapping[str, int]] = {
    "SchedulingGates": 0,
    "PrioritySort": 0,
    "NodeUnschedulable": 0,
    "NodeName": 0,
    "TaintToleration": 3,
    "NodeAffinity": 2,
    "NodePorts": 0,
    "NodeResourcesFit": 1,
    "VolumeRestrictions": 0,
    "NodeVolumeLimits": 0,
    "VolumeBinding": 0,
    "VolumeZone": 0,
    "PodTopologySpread": 2,
    "InterPodAffinity": 2,
    "DefaultPreemption": 0,
    "NodeResourcesBalancedAllocation": 1,
    "ImageLocality": 1,
    "DefaultBinder": 0,
}
"""Kubernetes' default plugins in its order, each with the weight of its score; 0: none is said."""


@dataclass(frozen=True, slots=True)
class PluginSet:
    """Plugins that are enabled at a point, with their weights (0: not said), and disabled ones."""

    enabled: tuple[tuple[str, int], ...] = ()
    disabled: tuple[str, ...] = ()


_NONE: Final = PluginSet()
_DEFAULT: Final = PluginSet(tuple(DEFAULT_PLUGINS.items()))


@dataclass(frozen=True, slots=True)
class ProfileSettings:
    """A profile: `sets` as its file has them, by extension point; `args` by plugin: those of the
    house's plugins as they take them, those of others as plain documents.
    """

    scheduler_name: str
    sets: Mapping[str, PluginSet] = field(default_factory=dict)
    args: Mapping[str, Any] = field(default_factory=dict)

    def multi_point(self) -> PluginSet:
        """The default plugins, merged with what the file says of multiPoint."""
        return merged(_DEFAULT, self.sets.get(MULTI_POINT, _NONE))

    def at(self, point: str) -> PluginSet:
        """What the file says of one point."""
        return self.sets.get(point, _NONE)

    def needed(self, points: Sequence[str]) -> tuple[str, ...]:
        """The names of all plugins that are enabled anywhere, each once."""
        found = dict.fromkeys(name for name, _ in self.multi_point().enabled)
        for point in points:
            found |= dict.fromkeys(name for name, _ in self.at(point).enabled)
        return tuple(found)


def merged(default: PluginSet, custom: PluginSet) -> PluginSet:
    """The default plugins but for the disabled ones, then those that are added; one that is named
    again keeps its place and takes the weight said there.
    """
    renamed = dict(custom.enabled)
    kept: list[tuple[str, int]] = []
    if ALL not in custom.disabled:
        for name, weight in default.enabled:
            if name not in custom.disabled:
                kept.append((name, renamed.get(name, weight)))
    replaced = {name for name, _ in kept}
    added = [(name, weight) for name, weight in custom.enabled if name not in replaced]
    return PluginSet((*kept, *added), custom.disabled)


def expanded(here: PluginSet, multi: PluginSet, able: Sequence[str]) -> tuple[str, ...]:
    """The plugins of one point in their order. `able`: those that have the point."""
    own = [name for name, _ in here.enabled]
    if ALL in here.disabled:
        return tuple(own)
    common = [name for name, _ in multi.enabled if name in able and name not in here.disabled]
    overrides = [name for name in own if name in common]
    return tuple(_once(overrides, [one for one in common if one not in own], own))


def weights(score: PluginSet, multi: PluginSet) -> dict[str, int]:
    """The weight of each plugin's score: what its point says, else multiPoint; at least 1."""
    found: dict[str, int] = {}
    for name, weight in (*score.enabled, *multi.enabled):
        found.setdefault(name, weight or 1)
    return found


def _once(*lists: Sequence[str]) -> Iterator[str]:
    yield from dict.fromkeys(name for names in lists for name in names)
