"""The default set of plugins, in Kubernetes' order and with its weights."""

from collections.abc import Callable
from typing import Protocol

from cluster.scheduler.framework.profile import Profile, Weighted
from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.nodes.podindex import PodIndex
from cluster.scheduler.plugins.balancedallocation import NodeResourcesBalancedAllocation
from cluster.scheduler.plugins.defaultbinder import Binder, DefaultBinder
from cluster.scheduler.plugins.defaultpreemption import DefaultPreemption
from cluster.scheduler.plugins.imagelocality import ImageLocality
from cluster.scheduler.plugins.interpodaffinity import InterPodAffinity
from cluster.scheduler.plugins.nodeaffinity import NodeAffinity
from cluster.scheduler.plugins.nodename import NodeName
from cluster.scheduler.plugins.nodeports import NodePorts
from cluster.scheduler.plugins.noderesources import NodeResourcesFit
from cluster.scheduler.plugins.nodeunschedulable import NodeUnschedulable
from cluster.scheduler.plugins.nodevolumelimits import NodeVolumeLimits
from cluster.scheduler.plugins.podtopologyspread import PodTopologySpread
from cluster.scheduler.plugins.prioritysort import PrioritySort
from cluster.scheduler.plugins.schedulinggates import SchedulingGates
from cluster.scheduler.plugins.tainttoleration import TaintToleration
from cluster.scheduler.plugins.volumebinding import VolumeBinding
from cluster.scheduler.plugins.volumerestrictions import VolumeRestrictions
from cluster.scheduler.plugins.volumezone import VolumeZone
from cluster.scheduler.volumes.binding import Writer
from cluster.scheduler.volumes.usage import VolumeUsage


class Api(Binder, Writer, Protocol):
    """What the plugins need of a client."""


def _newest(_minor: int) -> bool:
    return True


def default_profile(
    scheduler_name: str,
    cache: Cache,
    client: Api,
    *,
    preemption: DefaultPreemption | None = None,
    emulates: Callable[[int], bool] = _newest,
) -> Profile:
    """The profile that runs where nothing else is configured.

    `emulates`: whether the version emulated is Kubernetes 1.(this) or newer.
    """
    index = PodIndex(cache)
    used = VolumeUsage()
    cache.listen(used)
    return Profile(
        [
            Weighted(SchedulingGates()),
            Weighted(PrioritySort()),
            Weighted(NodeUnschedulable()),
            Weighted(NodeName()),
            Weighted(TaintToleration(names_taints=not emulates(34)), 3),
            Weighted(NodeAffinity(), 2),
            Weighted(NodePorts(cache)),
            Weighted(NodeResourcesFit(), 1),
            Weighted(VolumeRestrictions(cache, used)),
            Weighted(NodeVolumeLimits(cache, used)),
            Weighted(VolumeBinding(cache, client)),
            Weighted(VolumeZone(cache)),
            Weighted(PodTopologySpread(index, cache.workloads), 2),
            Weighted(InterPodAffinity(cache, index), 2),
            Weighted(preemption or DefaultPreemption(cache)),
            Weighted(NodeResourcesBalancedAllocation(compares=emulates(36)), 1),
            Weighted(ImageLocality(cache), 1),
            Weighted(DefaultBinder(client)),
        ],
        scheduler_name=scheduler_name,
    )
