"""The agent of one node: keeps its pods as the API wants them and the runtime has them.

It owns no task of its own: pod work runs in `Workers`, statuses leave by the `StatusWriter`, and
several agents can share both.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import structlog

from cluster.aio import clock as clocks
from cluster.aio import rpc
from cluster.api import mirrorpods, objects, quantity, timestamps
from cluster.client import cause
from cluster.client.informer import Change
from cluster.kubelet import events, pods, podworker
from cluster.kubelet.config import Config
from cluster.kubelet.cri import Cri, Lister, look
from cluster.kubelet.diskuse import DiskUse
from cluster.kubelet.eviction import admission as pressures
from cluster.kubelet.figures import Figures
from cluster.kubelet.hooks import Hooks
from cluster.kubelet.lifecycle import admission, podspec, probes, resizing
from cluster.kubelet.lifecycle import status as statuses
from cluster.kubelet.lifecycle.actions import Plan
from cluster.kubelet.lifecycle.backoffs import Backoffs
from cluster.kubelet.lifecycle.model import Seen, Verdict
from cluster.kubelet.measuredcri import measured
from cluster.kubelet.pods import Pod
from cluster.kubelet.probes import asking, prober
from cluster.kubelet.provisions import Provisions, Shared
from cluster.kubelet.pullgate import PullGate
from cluster.kubelet.staticpods.mirrors import is_mirror_of
from cluster.kubelet.statuswriter import StatusWriter
from cluster.kubelet.volumes.disk import Disk
from cluster.kubelet.workers import Workers
from cluster.pb.cri.v1 import api_pb2 as pb

_RECONCILE_PERIOD: Final = 10.0
"""At most so often is a status written again that somebody else changed."""
_UNREACHABLE_RETRY: Final = 5.0


class NodeAgent:
    """The pods of one node, by uid. `workers` must call `work` for the uids that it wakes."""

    def __init__(
        self,
        config: Config,
        cri: Cri,
        *,
        clock: clocks.Clock,
        workers: Workers,
        writer: StatusWriter,
        recorder: events.Recorder,
        spawn: prober.Spawn,
        shared: Shared,
        disk: Disk | None = None,
    ) -> None:
        self.config = config
        self.figures = Figures()
        """What is counted, for /metrics."""
        cri = self.cri = measured(cri, self.figures)
        self._lister = Lister(cri)
        self.began = clock.now()
        """When it was built, in seconds since the epoch."""
        self.pods: dict[str, Pod] = {}
        self._found: dict[str, tuple[Seen, pb.PodSandbox]] = {}
        self._open = False
        self._clock = clock
        self._workers = workers
        self._writer = writer
        self._host = statuses.Host(config.addresses, config.version)
        self._speaker = events.Speaker(recorder, config.version, normal=config.normal_events)
        self._provisions = Provisions(
            config, cri, shared, self._speaker, find=self.pods.get, disk=disk
        )
        self._worker = podworker.PodWorker(
            cri, clock, self._speaker, Hooks(cri, config.version, config.addresses),
            provisions=self._provisions, logs=config.pod_logs_dir, figures=self.figures,
            gate=PullGate(config.parallel_pulls, config.registry_pull_qps, config.registry_burst),
        )  # fmt: skip
        self._prober = prober.Prober(
            asking.Asker(cri, config.version.probe_agent), clock, self._speaker, spawn,
            addresses=config.addresses, on_change=self._on_verdict,
        )  # fmt: skip
        allocatable = config.allocatable
        self._capacity = admission.Amounts(
            quantity.milli(allocatable["cpu"]),
            quantity.value(allocatable["memory"]),
            quantity.value(allocatable["ephemeral-storage"]),
            config.pod_limit,
        )
        self.images = self._worker.images
        self.probe_results = self._prober.results
        self.disk_use = DiskUse(self._provisions.keeper, config.pod_logs_dir)
        self.pressures: tuple[str, ...] = ()
        """What the node is short of: conditions of the Node."""
        self.on_stir: Callable[[], None] = _ignore
        """Told when what its pods use may have changed."""
        self._used = admission.Amounts()
        self._admitted: dict[str, admission.Amounts] = {}
        self._static: dict[str, Pod] = {}
        self._held: dict[str, objects.Object] = {}
        """Static pods that wait until the one of their name is gone."""
        self._mirrors: dict[str, objects.Object] = {}
        self.on_static: Callable[[str], None] = _not_told
        """Told the name of a static pod or mirror of which something changed."""
        self._deferred: dict[str, Pod] = {}
        """Pods that wait for room to grow."""
        self._log = structlog.get_logger().bind(component="kubelet", node=config.node_name)

    def close(self) -> None:
        """The kubelet ends: leave no timer behind."""
        self._prober.close()

    # ---- from the API ------------------------------------------------------------------------

    def on_pod(self, change: Change) -> None:
        """Hear of a pod of this node: the handler of an informer."""
        obj = change.object
        if mirrorpods.is_mirror(obj):
            self._on_mirror(obj, change.new)
            return
        pod = self.pods.get(objects.uid(obj))
        if change.new is None:
            if pod is not None:
                self._removed(pod, obj, change.revision)
        elif pod is None:
            self._added(change.new, change.revision)
        else:
            self._changed(pod, change.new, change.revision)

    def on_gone(self, pod: Pod) -> None:
        """Hear that the API has no such pod any more, before the informer says so."""
        if pod.static:
            self.on_static(pod.key)
        elif not pod.memory.removed:
            self._removed(pod, pod.object, pod.cause)

    def adopt_orphans(self) -> None:
        """End what the runtime has of pods that the API does not have. Call it once synced."""
        for uid, (seen, sandbox) in self._found.items():
            if uid not in self.pods:
                pod = Pod(uid, pods.stand_in(sandbox), seen)
                pod.sandbox_ids = [one.id for one in seen.sandboxes]
                pod.memory.removed = True
                self.pods[uid] = pod
                self._workers.wake(uid)
                self._hold(pod)
        self._found = {}
        self._provisions.keeper.collect(self.pods)

    # ---- from manifests ----------------------------------------------------------------------

    def set_static(self, manifests: list[objects.Object]) -> None:
        """Hear of all static pods of this node; those that are not among them any more end."""
        wanted = {objects.key(one): one for one in manifests}
        for name, pod in list(self._static.items()):
            if name not in wanted or objects.uid(wanted[name]) != pod.uid:
                del self._static[name]
                self._removed(pod, pod.object, 0)
        self._held = {}
        for name, obj in wanted.items():
            known = self._static.get(name)
            if known is not None:
                kept = {**obj, "status": objects.status(known.object)}
                if objects.spec(obj) != objects.spec(known.object):
                    self._changed(known, kept, 0)
            elif self._leaving(name):
                self._held[name] = obj
            else:
                self._begin_static(name, obj)
            self.on_static(name)

    def names_of_static(self) -> list[str]:
        """The names of static pods and of mirrors, as `namespace/name`."""
        return list({**self._static, **self._held, **self._mirrors})

    def static_of(self, name: str) -> tuple[objects.Object | None, objects.Object | None]:
        """The static pod of a name, until all of it has ended, and the mirror of that name."""
        pod = self._static.get(name) or self._leaving(name)
        return (pod.object if pod is not None else None), self._mirrors.get(name)

    def of_mirror(self, name: str, uid: str) -> Pod | None:
        """The static pod whose mirror has a name and an uid."""
        pod = self._static.get(name)
        shown = pod.mirror if pod is not None else None
        return pod if shown is not None and objects.uid(shown) == uid else None

    def _leaving(self, name: str) -> Pod | None:
        """The static pod that had a name and still is on its way out."""
        for pod in self.pods.values():
            if pod.memory.removed and pod.key == name:
                return pod
        return None

    def _begin_static(self, name: str, obj: objects.Object) -> None:
        mirror = self._mirrors.get(name)
        if mirror is not None and is_mirror_of(mirror, obj):
            obj = {**obj, "status": objects.status(mirror)}
        else:
            mirror = None
        self._static[name] = self._added(obj, 0, static=True, mirror=mirror)

    def _hold(self, leaving: Pod) -> None:
        """A static pod waits that has the name of one that is still leaving."""
        pod = self._static.get(leaving.key)
        if pod is not None and not pod.seen.sandboxes and not self._workers.busy(pod.uid):
            del self._static[leaving.key]
            self.pods.pop(pod.uid, None)
            self._release(pod.uid)
            self._held[leaving.key] = pod.object

    def _on_mirror(self, obj: objects.Object, new: objects.Object | None) -> None:
        name = objects.key(obj)
        if new is None:
            self._mirrors.pop(name, None)
        else:
            self._mirrors[name] = new
        pod = self._static.get(name)
        if pod is not None and new is not None and is_mirror_of(new, pod.object):
            pod.mirror = new
            pod.object = {**pod.object, "status": objects.status(new)}
            self._reconcile(pod)
        elif pod is not None:
            pod.mirror = pod.written = None
        self.on_static(name)

    def _added(
        self,
        obj: objects.Object,
        revision: int,
        *,
        static: bool = False,
        mirror: objects.Object | None = None,
    ) -> Pod:
        uid = objects.uid(obj)
        pod = Pod(uid, obj, cause=revision, static=static, mirror=mirror)
        pod.memory.restarts = Backoffs(*self.config.restart_delays)
        found = self._found.pop(uid, None)
        if found is not None:
            pod.seen = found[0]
            pod.sandbox_ids = [one.id for one in pod.seen.sandboxes]
        pods.seed(pod)
        pod.memory.begun = _began(obj) or self._clock.now()
        pod.memory.probing = probes.of(obj)
        if pod.memory.probing is not None:
            pod.memory.probing.recall(objects.status(obj), pod.seen)
        self.pods[uid] = pod
        if not podspec.finished(obj):
            self._admit(pod, known=found is not None or "startTime" in objects.status(obj))
            if self.config.version.resizes:
                pod.memory.resizing = resizing.recall(obj)
                self._allot(pod)
        self._workers.wake(uid)
        return pod

    def _changed(self, pod: Pod, new: objects.Object, revision: int) -> None:
        old, pod.object = pod.object, new
        before, after = objects.meta(old), objects.meta(new)
        if before.get("deletionTimestamp") != after.get("deletionTimestamp") or before.get(
            "deletionGracePeriodSeconds"
        ) != after.get("deletionGracePeriodSeconds"):
            pod.cause = revision
            self._workers.interrupt(pod.uid)
        elif _asks_more(old, new):
            self._provisions.keeper.pod_changed(pod)
            pod.cause = revision
            self._resize(pod, old)
            self._workers.wake(pod.uid)
        else:
            self._reconcile(pod)

    def _removed(self, pod: Pod, last: objects.Object, revision: int) -> None:
        pod.object = last
        pod.cause = revision
        pod.memory.removed = True
        self._writer.drop(pod)
        self._prober.drop(pod.uid)
        self._release(pod.uid)
        self._workers.interrupt(pod.uid)

    def _reconcile(self, pod: Pod) -> None:
        """The API's status changed: it is our own write that comes back, or another's."""
        if pod.status is None or _shows(objects.status(pod.object), pod.status):
            if pod.status is not None:
                pod.written = pod.status
            return
        if pod.status is not pod.written:
            self._writer.put(pod)
            return
        wait = pod.reconciled + _RECONCILE_PERIOD - self._clock.now()
        if wait > 0:
            pod.overwritten = True
            self._workers.wake_after(pod.uid, wait)
            return
        pod.reconciled = self._clock.now()
        pod.written = None
        self._writer.put(pod)

    def _admit(self, pod: Pod, *, known: bool) -> None:
        asked = admission.requests(pod.object)
        if not known and not objects.deleting(pod.object):
            verdict = pressures.judge(pod.object, self.pressures, static=pod.static)
            verdict = verdict or admission.judge(asked, self._used, self._capacity)
            if verdict is not None:
                pod.memory.rejection = verdict
                self.figures.count("kubelet_admission_rejections_total", verdict.reason)
                self._speaker.rejected(pod.object, verdict.reason, verdict.message)
                return
        self._admitted[pod.uid] = asked
        self._used = self._used + asked

    def _release(self, uid: str) -> None:
        asked = self._admitted.pop(uid, None)
        self._deferred.pop(uid, None)
        if asked is not None:
            self._used = self._used - asked
            for pod in list(self._deferred.values()):
                self._allot(pod)
                self._workers.wake(pod.uid)

    def _resize(self, pod: Pod, old: objects.Object) -> None:
        """A pod changed: its containers may ask for other resources."""
        if not self.config.version.resizes or pod.uid not in self._admitted:
            return
        if resizing.resources(old) != resizing.resources(pod.object):
            if pod.memory.resizing is None:
                running = {one.id: one.name for one in pod.seen.containers}
                pod.memory.resizing = resizing.begin(old, running)
            self._allot(pod)

    def _allot(self, pod: Pod) -> None:
        """Set aside what a pod asks for, where the node has it."""
        found, held = pod.memory.resizing, self._admitted.get(pod.uid)
        if found is None or held is None:
            return
        asked, others = admission.requests(pod.object), self._used - held
        found.pending = resizing.judge(asked, others, self._capacity)
        self._deferred.pop(pod.uid, None)
        if found.pending is None:
            found.allotment = resizing.resources(pod.object)
            self._admitted[pod.uid], self._used = asked, others + asked
        elif found.pending[0] == "Deferred":
            self._deferred[pod.uid] = pod

    # ---- from the runtime --------------------------------------------------------------------

    async def recover(self) -> None:
        """Learn what the runtime has: containers that ran before this kubelet did. rpc.Failure.

        Pods of which it has what was seen last are let alone.
        """
        by_pod, states = await self._lister.listing()
        for uid, sandboxes in by_pod.items():
            if uid not in self.pods:
                seen = await look(self.cri, [one.id for one in sandboxes])
                if seen.sandboxes:
                    self._found[uid] = seen, sandboxes[0]
        # The API may have told of pods meanwhile: those are looked at again too.
        for pod in self.pods.values():
            self._found.pop(pod.uid, None)
            if pod.stale or pod.seen.states != states.get(pod.uid, frozenset()):
                pod.stale = True
                self._workers.wake(pod.uid)

    def on_event(self, uid: str, at: int) -> None:
        """Hear that the runtime has news of a pod, as of its time `at` (nanoseconds)."""
        pod = self.pods.get(uid)
        if pod is None:
            return
        pod.event_at = max(pod.event_at, at)
        if at > pod.seen.at and not self._workers.busy(uid):
            self._workers.wake(uid)

    def set_runtime(self, name: str) -> None:
        """Hear what the runtime is called: ids of its containers begin with it."""
        self._host = replace(self._host, scheme=f"{name}://")

    def set_open(self, is_open: bool) -> None:
        """Say whether the runtime can be worked with; pods wait until it can."""
        if is_open and not self._open:
            for uid in self.pods:
                self._workers.wake(uid)
        self._open = is_open

    def end(self, pod: Pod, verdict: Verdict) -> None:
        """End a pod of the node's own accord: it fails once nothing of it runs."""
        if pod.memory.verdict is not None or pod.memory.removed:
            return
        pod.memory.verdict = verdict
        self._speaker.evicted(pod.object, verdict.reason, verdict.message)
        self._workers.interrupt(pod.uid)

    # ---- work --------------------------------------------------------------------------------

    async def work(self, uid: str) -> None:
        """Do what a pod needs, and publish what came of it."""
        pod = self.pods.get(uid)
        if pod is None or not self._open:
            return
        loop = asyncio.get_running_loop()
        interim = loop.call_later(self.config.interim_status_delay, self._publish_interim, pod)
        began, kind = loop.time(), "sync" if pod.status is not None else "create"
        try:
            with cause.because(pod.cause):
                plan = await self._worker.settle(pod)
        except rpc.Failure as failure:
            if failure.code not in podworker.UNREACHABLE:
                raise
            pod.stale = True
            self._log.warning("runtime not reached", pod=pod.key, error=failure.text)
            self._workers.wake_after(uid, _UNREACHABLE_RETRY)
            return
        finally:
            interim.cancel()
        took = loop.time() - began
        self.figures.observe("kubelet_pod_worker_duration_seconds", took, kind)
        self._settled(pod, plan)

    def _settled(self, pod: Pod, plan: Plan) -> None:
        if pod.memory.removed:
            if plan.gone:
                self._provisions.keeper.forget(pod.uid)
                self.pods.pop(pod.uid, None)
                self._succeeded(pod.key)
            return
        self._prober.follow(pod)
        wake_at = self._publish(pod, plan)
        if plan.stopped:
            self._provisions.keeper.forget(pod.uid)
        if plan.stopped and objects.deleting(pod.object):
            pod.finalize = True
            self._writer.put(pod)
        if pod.event_at > pod.seen.at:
            self._workers.wake(pod.uid)
        times = [at for at in (wake_at, plan.wake_at) if at is not None]
        if times:
            self._workers.wake_after(pod.uid, min(times) - self._clock.now())

    def _succeeded(self, name: str) -> None:
        """A pod is gone: the static pod that waited for its name begins."""
        held = self._held.pop(name, None)
        if held is not None:
            self._begin_static(name, held)
        if held is not None or name in self._mirrors:
            self.on_static(name)

    def _publish(self, pod: Pod, plan: Plan) -> float | None:
        """Have the pod's status written where it changed; when it changes by itself."""
        report = statuses.generate(
            pod.object,
            pod.seen,
            pod.memory,
            self._host,
            self._clock.now(),
            waiting=plan.waiting,
            old=pod.status,
            stopped=plan.stopped,
        )
        if report.status != pod.status:
            if report.status["phase"] == "Running" and pod.phase == "Pending":
                took = max(self._clock.now() - pod.memory.begun, 0.0)
                self.figures.observe("kubelet_pod_start_duration_seconds", took)
            pod.status = report.status
            self.on_stir()
        if report.status["phase"] in ("Succeeded", "Failed"):
            self._release(pod.uid)
        if pod.written is None and _shows(objects.status(pod.object), report.status):
            pod.written = pod.status
        if pod.status != pod.written:
            self._writer.put(pod)
        elif pod.overwritten:
            pod.overwritten = False
            self._reconcile(pod)
        return report.wake_at

    def _on_verdict(self, pod: Pod) -> None:
        """A probe changed its mind: that may end a container, and shows in the status."""
        if self._workers.busy(pod.uid):
            self._publish_interim(pod)
        self._workers.wake(pod.uid)

    def _publish_interim(self, pod: Pod) -> None:
        """The work takes its time: show how far it is."""
        if not pod.memory.removed and not pod.searching:
            self._publish(pod, Plan(waiting=pod.waiting))


def _ignore() -> None:
    return


def _not_told(_name: str) -> None:
    return


def _began(pod: objects.Object) -> float:
    """When a kubelet took the pod; 0 where none did."""
    try:
        return timestamps.decode(objects.status(pod).get("startTime") or "")
    except ValueError:
        return 0.0


def _asks_more(old: objects.Object, new: objects.Object) -> bool:
    """Whether the pod changed in anything that the kubelet acts upon."""
    before, after = objects.meta(old), objects.meta(new)
    return (
        before.get("generation") != after.get("generation")
        or before.get("annotations") != after.get("annotations")
        or before.get("labels") != after.get("labels")
        or ("generation" not in after and objects.spec(old) != objects.spec(new))
        or podspec.ephemeral_containers(old) != podspec.ephemeral_containers(new)
        or bool(objects.spec(new).get("readinessGates"))
    )


def _shows(actual: objects.Object, wanted: objects.Object) -> bool:
    """Whether the API's status has everything that we want it to have."""
    return all(actual.get(key) == value for key, value in wanted.items())
