"""What a plugin is given when it is built: the scheduler's state, and the ways out of it."""

import random as randomness
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from cluster.scheduler.framework.points import Plugin
from cluster.scheduler.nodes.cache import Cache, Listener
from cluster.scheduler.nodes.podindex import PodIndex
from cluster.scheduler.nodes.table import NodeTable
from cluster.scheduler.plugins.defaultbinder import Binder
from cluster.scheduler.preemption.budgets import Budgets
from cluster.scheduler.volumes.binding import Writer
from cluster.scheduler.volumes.usage import VolumeUsage


class Api(Binder, Writer, Protocol):
    """What the plugins of the house need of a client."""


def newest(_minor: int) -> bool:
    """Whether the newest Kubernetes is that of 1.(this) or newer: it is."""
    return True


@dataclass
class Handle:
    """One for all profiles of a scheduler. `emulates`: whether the version emulated is Kubernetes
    1.(this) or newer. `random` None: whoever would choose by chance takes the first.
    """

    cache: Cache
    client: Api
    random: randomness.Random | None = None
    emulates: Callable[[int], bool] = newest
    budgets: Budgets = field(default_factory=Budgets)
    preempting: dict[str, None] = field(default_factory=dict)
    """The uids of the pods whose victims are being evicted."""

    @property
    def nodes(self) -> NodeTable:
        """All nodes, a row each."""
        return self.cache.table

    def listen(self, listener: Listener) -> None:
        """Tell a listener of all nodes and pods that are there, and from now on of each change."""
        self.cache.listen(listener)

    @cached_property
    def index(self) -> PodIndex:
        """Pods by namespace and labels."""
        return PodIndex(self.cache)

    @cached_property
    def used_volumes(self) -> VolumeUsage:
        """Volumes by node."""
        used = VolumeUsage()
        self.cache.listen(used)
        return used


Factory = Callable[[Any, Handle], Plugin]
"""Builds a plugin of its arguments (None where the configuration has none) and the handle."""
Factories = Mapping[str, Factory]
