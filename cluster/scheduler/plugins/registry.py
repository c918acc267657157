"""All plugins of the house by name, and how a profile is built of its settings."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from cluster.scheduler.configuration import settings as configured
from cluster.scheduler.configuration.settings import ProfileSettings
from cluster.scheduler.framework.points import POINTS, Plugin
from cluster.scheduler.framework.profile import Profile, Weighted
from cluster.scheduler.framework.profiles import Profiles
from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.plugins import outside
from cluster.scheduler.plugins.balancedallocation import NodeResourcesBalancedAllocation
from cluster.scheduler.plugins.defaultbinder import DefaultBinder
from cluster.scheduler.plugins.defaultpreemption import DefaultPreemption
from cluster.scheduler.plugins.handle import Api, Factories, Factory, Handle, newest
from cluster.scheduler.plugins.imagelocality import ImageLocality
from cluster.scheduler.plugins.interpodaffinity import InterPodAffinity, InterPodAffinityArgs
from cluster.scheduler.plugins.nodeaffinity import NodeAffinity
from cluster.scheduler.plugins.nodename import NodeName
from cluster.scheduler.plugins.nodeports import NodePorts
from cluster.scheduler.plugins.noderesources import NodeResourcesFit
from cluster.scheduler.plugins.nodeunschedulable import NodeUnschedulable
from cluster.scheduler.plugins.nodevolumelimits import NodeVolumeLimits
from cluster.scheduler.plugins.podtopologyspread import PodTopologySpread
from cluster.scheduler.plugins.prioritysort import PrioritySort
from cluster.scheduler.plugins.schedulinggates import SchedulingGates
from cluster.scheduler.plugins.spreadconstraints import PodTopologySpreadArgs
from cluster.scheduler.plugins.tainttoleration import TaintToleration
from cluster.scheduler.plugins.volumebinding import VolumeBinding
from cluster.scheduler.plugins.volumerestrictions import VolumeRestrictions
from cluster.scheduler.plugins.volumezone import VolumeZone
from cluster.scheduler.volumes.binding import TIMEOUT


def _preemption(args: Any, handle: Handle) -> Plugin:
    return DefaultPreemption(
        handle.cache, budgets=handle.budgets, random=handle.random, args=args,
        preempting=handle.preempting,
    )  # fmt: skip


BUILT_IN: Final[Mapping[str, Factory]] = {
    "SchedulingGates": lambda _args, _handle: SchedulingGates(),
    "PrioritySort": lambda _args, _handle: PrioritySort(),
    "NodeUnschedulable": lambda _args, _handle: NodeUnschedulable(),
    "NodeName": lambda _args, _handle: NodeName(),
    "TaintToleration": lambda _args, handle: TaintToleration(names_taints=not handle.emulates(34)),
    "NodeAffinity": lambda args, _handle: NodeAffinity(args),
    "NodePorts": lambda _args, handle: NodePorts(handle.cache),
    "NodeResourcesFit": lambda args, _handle: NodeResourcesFit(args),
    "VolumeRestrictions": lambda _args, handle: VolumeRestrictions(
        handle.cache, handle.used_volumes
    ),
    "NodeVolumeLimits": lambda _args, handle: NodeVolumeLimits(handle.cache, handle.used_volumes),
    "VolumeBinding": lambda args, handle: VolumeBinding(
        handle.cache, handle.client, timeout=TIMEOUT if args is None else args
    ),
    "VolumeZone": lambda _args, handle: VolumeZone(handle.cache),
    "PodTopologySpread": lambda args, handle: PodTopologySpread(
        handle.index, handle.cache.workloads, args or PodTopologySpreadArgs()
    ),
    "InterPodAffinity": lambda args, handle: InterPodAffinity(
        handle.cache, handle.index, args or InterPodAffinityArgs()
    ),
    "DefaultPreemption": _preemption,
    "NodeResourcesBalancedAllocation": lambda args, handle: NodeResourcesBalancedAllocation(
        args, compares=handle.emulates(36)
    ),
    "ImageLocality": lambda _args, handle: ImageLocality(handle.cache),
    "DefaultBinder": lambda _args, handle: DefaultBinder(handle.client),
}


def profiles(
    wanted: tuple[ProfileSettings, ...], handle: Handle, others: Factories | None = None
) -> Profiles:
    """The profiles of a scheduler. `others`: plugins that are not found by entry point.

    outside.Unusable, ValueError: a profile cannot be built; the message says which, and why.
    """
    return Profiles([profile(one, handle, others) for one in wanted])


def profile(wanted: ProfileSettings, handle: Handle, others: Factories | None = None) -> Profile:
    """One profile. outside.Unusable, ValueError."""
    multi = wanted.multi_point()
    found = {
        name: _plugin(name, wanted, handle, others or {}) for name in wanted.needed(list(POINTS))
    }
    order = {}
    for point, kind in POINTS.items():
        here = wanted.at(point)
        for name, _ in here.enabled:
            if not isinstance(found[name], kind):
                raise outside.Unusable(
                    f"profile {wanted.scheduler_name}: "
                    f'plugin "{name}" does not extend {kind.__name__}Plugin plugin'
                )
        able = [name for name, plugin in found.items() if isinstance(plugin, kind)]
        order[point] = configured.expanded(here, multi, able)
    weights = configured.weights(wanted.at("score"), multi)
    weighted = [
        Weighted(plugin, weights.get(name, 0) if name in order["score"] else 0)
        for name, plugin in found.items()
    ]
    return Profile(weighted, scheduler_name=wanted.scheduler_name, order=order)


def default_profile(
    scheduler_name: str,
    cache: Cache,
    client: Api,
    *,
    emulates: Callable[[int], bool] = newest,
) -> Profile:
    """The profile that runs where nothing else is configured."""
    handle = Handle(cache, client, emulates=emulates)
    return profile(ProfileSettings(scheduler_name), handle)


def _plugin(name: str, wanted: ProfileSettings, handle: Handle, others: Factories) -> Plugin:
    args = wanted.args.get(name)
    built_in = BUILT_IN.get(name)
    if built_in is not None:
        return built_in(args, handle)
    return outside.built(name, others.get(name), args, handle)
