"""A profile: which plugins run at which extension point, in which order, with which weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from cluster.scheduler.framework import points
from cluster.scheduler.framework.events import Event, Hint
from cluster.scheduler.framework.status import SUCCESS, Status
from cluster.scheduler.pods import PodInfo

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Weighted:
    """A plugin with the weight of its score (0: its score does not count)."""

    plugin: points.Plugin
    weight: int = 0


class Profile:
    """Plugins sorted by extension point.

    Filters that read only the node run before those that read usage, and these before those that
    read the cluster; within one kind the given order holds. ValueError unless exactly one plugin
    sorts the queue and one at least binds.
    """

    def __init__(self, plugins: Sequence[Weighted], *, scheduler_name: str) -> None:
        self.scheduler_name = scheduler_name
        found = [weighted.plugin for weighted in plugins]
        self._refuse_twins(found)
        self.pre_enqueue = [one for one in found if isinstance(one, points.PreEnqueue)]
        self.queue_sort = self._only_sort(found)
        self.pre_filters = [one for one in found if isinstance(one, points.PreFilter)]
        self.filters = sorted(
            [one for one in found if isinstance(one, points.Filter)],
            key=lambda plugin: plugin.reads,
        )
        self.post_filters = [one for one in found if isinstance(one, points.PostFilter)]
        self.pre_scores = [one for one in found if isinstance(one, points.PreScore)]
        scoring = [weighted for weighted in plugins if weighted.weight]
        counted = [weighted.plugin for weighted in scoring]
        self.scores = [one for one in counted if isinstance(one, points.Score)]
        self.normalizers = {
            one.name: one for one in self.scores if isinstance(one, points.NormalizeScore)
        }
        self.weights = {weighted.plugin.name: weighted.weight for weighted in scoring}
        self.reserves = [one for one in found if isinstance(one, points.Reserve)]
        self.permits = [one for one in found if isinstance(one, points.Permit)]
        self.pre_binds = [one for one in found if isinstance(one, points.PreBind)]
        self.binds = [one for one in found if isinstance(one, points.Bind)]
        if not self.binds:
            raise ValueError("a scheduler profile needs a plugin that binds pods")
        self.hints: dict[str, Mapping[Event, Hint]] = {
            plugin.name: plugin.hints
            for plugin in [one for one in found if isinstance(one, points.Requeueing)]
        }
        self._signers = self._find_signers()

    def signature(self, pod: PodInfo) -> bytes | None:
        """Equal for pods that are alike to every plugin; None where a plugin cannot say."""
        if self._signers is None:
            return None
        signed = [signer.sign(pod) for signer in self._signers]
        return None if points.UNIQUE in signed else _encode(signed)

    def admit(self, pod: PodInfo) -> Status:
        """Whether the pod may enter the queue (PreEnqueue)."""
        for plugin in self.pre_enqueue:
            status = plugin.pre_enqueue(pod)
            if not status.ok:
                return Status(status.code, status.reasons, plugin.name)
        return SUCCESS

    def sort_key(self, pod: PodInfo, since: float) -> tuple[Any, ...]:
        """The pod's place in the active queue: the smallest goes first."""
        return self.queue_sort.sort_key(pod, since)

    def _find_signers(self) -> list[points.Signing] | None:
        """The plugins whose signatures count; None where one that decides cannot sign."""
        deciding: dict[str, points.Plugin] = {
            plugin.name: plugin
            for kind in (self.pre_filters, self.filters, self.pre_scores, self.scores)
            for plugin in kind
        }
        signers = [one for one in deciding.values() if isinstance(one, points.Signing)]
        return signers if len(signers) == len(deciding) else None

    @staticmethod
    def _only_sort(plugins: Sequence[points.Plugin]) -> points.QueueSort:
        sorts = [one for one in plugins if isinstance(one, points.QueueSort)]
        if len(sorts) != 1:
            raise ValueError(
                f"a scheduler profile needs exactly one queue sort plugin, not {len(sorts)}"
            )
        return sorts[0]

    @staticmethod
    def _refuse_twins(plugins: Sequence[points.Plugin]) -> None:
        names = points.names(plugins)
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"plugin {name} is in the scheduler profile twice")
