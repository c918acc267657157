"""One trial: a workload in a lab, under one RuntimeClass. Everything is drawn from the seed."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from cluster.api import conditions, errors, objects, podrequests
from cluster.api.objects import Object
from cluster.kubelet import config as kubelet
from cluster.lab.comparing import density, figures, tracking, workload
from cluster.lab.lab import Lab
from cluster.lab.world import Cluster
from cluster.scheduler.config import Config as SchedulerConfig

CLASSES: Final = "runtimeclasses.node.k8s.io"
_RECOVERED_WITHIN: Final = 900.0
"""Seconds: more than twice what a node has to be silent for until its pods are made elsewhere."""
_PROBLEMS: Final = 3


class Unknown(ValueError):
    """There is no RuntimeClass of this name; the message says which there are."""


class Refused(ValueError):
    """The cluster does not take a manifest; the message says which, and why."""


@dataclass(frozen=True)
class Setting:
    """What all trials of a comparison share. `scale` 0: as many replicas as the manifest says."""

    nodes: Sequence[kubelet.Config]
    manifests: Sequence[Object]
    seed: int | str = 0
    kubernetes_version: str = ""
    scale: int = 0


def run(setting: Setting, runtime_class: str) -> figures.Figures:
    """Try the workload under a class. Unknown; what the lab raises."""
    lab = Lab(seed=setting.seed, nodes=setting.nodes, kubernetes_version=setting.kubernetes_version)

    async def story(cluster: Cluster) -> figures.Figures:
        return await _Trial(cluster, setting, runtime_class).measured()

    return lab.run(story)


class _Trial:
    def __init__(self, cluster: Cluster, setting: Setting, name: str) -> None:
        self._cluster = cluster
        self._setting = setting
        self._name = name
        others, made = workload.parted(setting.manifests)
        self._others = others
        self._workloads = [workload.under(one, name) for one in made]
        self._tracker = tracking.Tracker(cluster)

    async def measured(self) -> figures.Figures:
        await self._make_others()
        handler = self._handler()
        begin = self._cluster.now()
        for obj in self._workloads:
            await self._apply(obj)
        pods = await self._tracker.until_quiet()
        on_nodes = [pod for pod in pods if objects.spec(pod).get("nodeName")]
        ready = self._tracker.ready
        times = [at - begin for at in ready.values()]
        own = [at - self._tracker.made[uid] for uid, at in ready.items()]
        problems, room = _problems(pods), self._density(pods)
        scaling = await self._scaled()
        return figures.Figures(
            runtime_class=self._name,
            handler=handler,
            pods=len(pods),
            placed=len(on_nodes),
            ready=sum(map(tracking.done, pods)),
            requested=_requested(on_nodes),
            overhead=_overhead(on_nodes),
            startup=figures.startup(times, own),
            density=room,
            scaling=scaling,
            recovery=await self._recovered(),
            problems=problems,
        )

    async def _make_others(self) -> None:
        """What is no workload. A RuntimeClass that is there already is made anew: its handler
        cannot be changed.
        """
        for obj in self._others:
            name = objects.name(obj)
            if obj.get("kind") == "RuntimeClass" and self._cluster.get(CLASSES, name):
                await self._cluster.client.delete(CLASSES, name)
            await self._apply(obj)

    async def _apply(self, obj: Object) -> None:
        try:
            await self._cluster.apply(obj)
        except errors.StatusError as error:
            raise Refused(f"{obj['kind']} {objects.key(obj)}: {error.message}") from error

    def _handler(self) -> str:
        if self._name == workload.NONE:
            return ""
        found = self._cluster.get(CLASSES, self._name)
        if found is None:
            known = ", ".join(objects.name(one) for one in self._cluster.list(CLASSES))
            raise Unknown(
                f"there is no RuntimeClass {self._name}: there are {known}, and "
                f"{workload.NONE} stands for no class"
            )
        return str(found.get("handler") or "")

    def _density(self, pods: Sequence[Object]) -> figures.Density | None:
        """Of replicas of the largest workload, or else of pods like the first one."""
        largest = workload.largest(self._workloads)
        pods = [pod for pod in pods if largest is None or largest.owns(pod)]
        if not pods:
            return None
        settings = self._setting
        config = SchedulerConfig(kubernetes_version=settings.kubernetes_version)
        sample = min(pods, key=objects.key)
        now = self._cluster.clock.now()
        return density.of(sample, self._cluster.list, config, settings.seed, now)

    async def _scaled(self) -> figures.Change | None:
        """How long the largest workload takes from one replica to all of them."""
        found = workload.largest(self._workloads)
        wanted = self._setting.scale or (found.replicas if found else 0)
        if found is None or wanted < 2:
            return None
        await self._resize(found, 1)
        before = len(await self._tracker.until_quiet())
        known = set(self._tracker.ready)
        begin = self._cluster.now()
        await self._resize(found, wanted)
        await self._tracker.until_quiet()
        grown = [at - begin for uid, at in self._tracker.ready.items() if uid not in known]
        ready = len(grown) + min(before, 1)
        return figures.Change(wanted, ready, max(grown) if ready >= wanted else None)

    async def _resize(self, found: workload.Scaled, replicas: int) -> None:
        body = {"spec": {"replicas": replicas}}
        await self._cluster.client.patch(found.resource, found.name, body, found.namespace)

    async def _recovered(self) -> figures.Change | None:
        """How long until as many pods are Ready elsewhere after a node died."""
        ready = [pod for pod in self._tracker.observe() if conditions.is_true(pod, "Ready")]
        hosts = Counter(str(objects.spec(pod)["nodeName"]) for pod in ready)
        if not hosts or len(self._setting.nodes) < 2:
            return None
        dead = min(hosts, key=lambda name: (-hosts[name], name))
        begin = self._cluster.now()
        await self._cluster.kill_node(dead)

        def elsewhere() -> int:
            pods = self._cluster.pods(ready=True)
            return sum(objects.spec(pod).get("nodeName") != dead for pod in pods)

        def over() -> bool:
            return elsewhere() >= len(ready) or self._cluster.now() - begin >= _RECOVERED_WITHIN

        await self._cluster.until(over, within=2 * _RECOVERED_WITHIN)
        seconds, found = self._cluster.now() - begin, elsewhere()
        await self._cluster.revive_node(dead)
        return figures.Change(len(ready), found, seconds if found >= len(ready) else None)


def _requested(pods: Iterable[Object]) -> figures.Amounts:
    """With the overhead."""
    asked = [podrequests.of(pod) for pod in pods]
    return _sum(asked)


def _overhead(pods: Iterable[Object]) -> figures.Amounts:
    return _sum([podrequests.amounts(objects.spec(pod).get("overhead")) for pod in pods])


def _sum(amounts: Sequence[podrequests.Amounts]) -> figures.Amounts:
    return figures.Amounts(
        sum(one.get(podrequests.CPU, 0) for one in amounts),
        sum(one.get(podrequests.MEMORY, 0) for one in amounts),
    )


def _problems(pods: Iterable[Object]) -> list[str]:
    """Why pods are not Ready, the most frequent first."""
    found: Counter[str] = Counter()
    for pod in pods:
        if not tracking.done(pod):
            found[_problem(pod)] += 1
    return [f"{count} of them: {why}" for why, count in found.most_common(_PROBLEMS)]


def _problem(pod: Object) -> str:
    status = objects.status(pod)
    scheduled = conditions.find(pod, "PodScheduled")
    if scheduled is not None and scheduled.get("status") == "False":
        return str(scheduled.get("message") or scheduled.get("reason") or "no node")
    for one in (*(status.get("initContainerStatuses") or ()),
                *(status.get("containerStatuses") or ())):  # fmt: skip
        waiting = (one.get("state") or {}).get("waiting") or {}
        if waiting.get("reason"):
            return str(waiting["reason"])
    unready = conditions.find(pod, "Ready") or {}
    return str(status.get("reason") or unready.get("message") or status.get("phase") or "Pending")
