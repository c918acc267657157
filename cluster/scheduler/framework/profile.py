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
    read the cluster; within one kind the given order holds. `order` names the plugins of each point
    of `points.POINTS`; without it a plugin is asked at every point that it has. ValueError unless
    exactly one plugin sorts the queue and one at least binds.
    """

    def __init__(
        self,
        plugins: Sequence[Weighted],
        *,
        scheduler_name: str,
        order: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.scheduler_name = scheduler_name
        found = [weighted.plugin for weighted in plugins]
        self._refuse_twins(found)
        self._named = {plugin.name: plugin for plugin in found}
        self._order = order
        self.pre_enqueue: list[points.PreEnqueue] = self._at("preEnqueue")
        self.queue_sort = self._only_sort(self._at("queueSort"))
        self.pre_filters: list[points.PreFilter] = self._at("preFilter")
        self.filters: list[points.Filter] = sorted(
            self._at("filter"), key=lambda plugin: plugin.reads
        )
        self.post_filters: list[points.PostFilter] = self._at("postFilter")
        self.pre_scores: list[points.PreScore] = self._at("preScore")
        scoring = [weighted for weighted in plugins if weighted.weight]
        counted = {weighted.plugin.name for weighted in scoring}
        self.scores: list[points.Score] = [one for one in self._at("score") if one.name in counted]
        self.normalizers = {
            one.name: one for one in self.scores if isinstance(one, points.NormalizeScore)
        }
        self.weights = {weighted.plugin.name: weighted.weight for weighted in scoring}
        self.reserves: list[points.Reserve] = self._at("reserve")
        self.permits: list[points.Permit] = self._at("permit")
        self.pre_binds: list[points.PreBind] = self._at("preBind")
        self.binds: list[points.Bind] = self._at("bind")
        self.post_binds: list[points.PostBind] = self._at("postBind")
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

    def hints_of(self, _pod: PodInfo) -> Mapping[str, Mapping[Event, Hint]]:
        """The hints of the plugins that judge this pod, by plugin."""
        return self.hints

    def _at(self, point: str) -> list[Any]:
        """The plugins of a point, in their order there."""
        kind = points.POINTS[point]
        named = self._named if self._order is None else self._order.get(point, ())
        return [one for name in named if isinstance(one := self._named[name], kind)]

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
    def _only_sort(sorts: Sequence[points.QueueSort]) -> points.QueueSort:
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
