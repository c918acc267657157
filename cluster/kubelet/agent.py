"""The agent of one node: keeps its pods as the API wants them and the runtime has them.

It owns no task of its own: pod work runs in `Workers`, statuses leave by the `StatusWriter`, and
several agents can share both.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import structlog

from cluster.aio import clock as clocks
from cluster.aio import rpc
from cluster.api import mirrorpods, objects, timestamps
from cluster.client import cause
from cluster.client.informer import Change
from cluster.kubelet import events, pods, podworker
from cluster.kubelet.allotments import Allotments
from cluster.kubelet.config import Config
from cluster.kubelet.cri import UNREACHABLE, Cri, Lister, look
from cluster.kubelet.diskuse import DiskUse
from cluster.kubelet.figures import Figures
from cluster.kubelet.hooks import Hooks
from cluster.kubelet.lifecycle import podspec, probes, restartall
from cluster.kubelet.lifecycle import status as statuses
from cluster.kubelet.lifecycle.actions import Plan
from cluster.kubelet.lifecycle.backoffs import Backoffs
from cluster.kubelet.lifecycle.model import Seen, Verdict
from cluster.kubelet.measuredcri import measured
from cluster.kubelet.pods import Pod
from cluster.kubelet.probes import asking, prober
from cluster.kubelet.provisions import Provisions, Shared
from cluster.kubelet.pullgate import PullGate
from cluster.kubelet.staticpods.names import StaticNames
from cluster.kubelet.statuswriter import StatusWriter
from cluster.kubelet.volumes.disk import Disk
from cluster.kubelet.workers import Workers
from cluster.pb.cri.v1 import api_pb2 as pb

_RECONCILE_PERIOD: Final = 10.0
"""At most so often is a status written again that somebody else changed."""
_UNREACHABLE_RETRY: Final = 5.0
_VOLUMES_SECONDS: Final = 10.0
"""After which volumes that could not be removed are tried again."""
_ANNOUNCEMENT: Final = 1.0
"""Seconds that a pod's containers wait at most until the API knows that they start anew."""
_NOTHING_LISTED: Final[frozenset[tuple[str, int]]] = frozenset()


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
            guarded=config.version.guards_images,
            provisions=self._provisions, logs=config.pod_logs_dir, figures=self.figures,
            gate=PullGate(config.parallel_pulls, config.registry_pull_qps, config.registry_burst),
        )  # fmt: skip
        self._prober = prober.Prober(
            asking.Asker(cri, config.version.probe_agent), clock, self._speaker, spawn,
            addresses=config.addresses, on_change=self._on_verdict,
        )  # fmt: skip
        self._worker.on_restarting = self._announce
        self.images = self._worker.images
        self.probe_results = self._prober.results
        self.disk_use = DiskUse(self._provisions.keeper, config.pod_logs_dir)
        self._allotments = Allotments(config, self._speaker, self.figures, workers.wake)
        self.on_stir: Callable[[], None] = _ignore
        """Told when what its pods use may have changed."""
        self.static = StaticNames(self)
        """The pods of manifests, by name."""
        self._log = structlog.get_logger().bind(component="kubelet", node=config.node_name)

    def close(self) -> None:
        """The kubelet ends: leave no timer behind."""
        self._prober.close()

    # ---- from the API ------------------------------------------------------------------------

    def on_pod(self, change: Change) -> None:
        """Hear of a pod of this node: the handler of an informer."""
        obj = change.object
        if mirrorpods.is_mirror(obj):
            self.static.on_mirror(obj, change.new)
            return
        pod = self.pods.get(objects.uid(obj))
        if change.new is None:
            if pod is not None:
                self.removed(pod, obj, change.revision)
        elif pod is None:
            self.added(change.new, change.revision)
        else:
            self.changed(pod, change.new, change.revision)

    def on_gone(self, pod: Pod) -> None:
        """Hear that the API has no such pod any more, before the informer says so."""
        if pod.static:
            self.static.on_change(pod.key)
        elif not pod.memory.removed:
            self.removed(pod, pod.object, pod.cause)

    def adopt_orphans(self) -> None:
        """End what the runtime has of pods that the API does not have. Call it once synced."""
        for uid, (seen, sandbox) in self._found.items():
            if uid not in self.pods:
                pod = Pod(uid, pods.stand_in(sandbox), seen)
                pod.sandbox_ids = [one.id for one in seen.sandboxes]
                pod.memory.removed = True
                self.pods[uid] = pod
                self._workers.wake(uid)
                self.static.hold(pod)
        self._found = {}
        self._provisions.keeper.collect(self.pods)

    # ---- about pods --------------------------------------------------------------------------

    def added(
        self,
        obj: objects.Object,
        revision: int,
        *,
        static: bool = False,
        mirror: objects.Object | None = None,
    ) -> Pod:
        """Begin a pod; `revision` is what made the kubelet look at it."""
        uid = objects.uid(obj)
        pod = Pod(uid, obj, cause=revision, static=static, mirror=mirror)
        pod.memory.restarts = Backoffs(*self.config.restart_delays)
        found = self._found.pop(uid, None)
        if found is not None:
            pod.seen = found[0]
            pod.sandbox_ids = [one.id for one in pod.seen.sandboxes]
        pods.seed(pod)
        pod.memory.restarts_all = self.config.version.restarts_all and restartall.possible(obj)
        pod.memory.begun = _began(obj) or self._clock.now()
        pod.memory.probing = probes.of(obj)
        if pod.memory.probing is not None:
            pod.memory.probing.recall(objects.status(obj), pod.seen)
        self.pods[uid] = pod
        if not podspec.finished(obj):
            known = found is not None or "startTime" in objects.status(obj)
            self._allotments.admit(pod, known=known)
            self._allotments.recall(pod)
        self._workers.wake(uid)
        return pod

    def changed(self, pod: Pod, new: objects.Object, revision: int) -> None:
        """Hear of another object of a pod."""
        old, pod.object = pod.object, new
        before, after = objects.meta(old), objects.meta(new)
        if before.get("deletionTimestamp") != after.get("deletionTimestamp") or before.get(
            "deletionGracePeriodSeconds"
        ) != after.get("deletionGracePeriodSeconds"):
            pod.cause = revision
            self._workers.interrupt(pod.uid)
        elif pods.asks_more(old, new):
            self._provisions.keeper.pod_changed(pod)
            pod.cause = revision
            self._allotments.resize(pod, old)
            self._workers.wake(pod.uid)
        else:
            self.reconcile(pod)

    def removed(self, pod: Pod, last: objects.Object, revision: int) -> None:
        """End a pod, of which `last` is all that is known."""
        pod.object = last
        pod.cause = revision
        pod.memory.removed = True
        self._writer.drop(pod)
        self._prober.drop(pod.uid)
        self._allotments.release(pod.uid)
        self._workers.interrupt(pod.uid)

    def reconcile(self, pod: Pod) -> None:
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

    def untouched(self, pod: Pod) -> bool:
        """Whether nothing has been done for a pod yet."""
        return not pod.seen.sandboxes and not self._workers.busy(pod.uid)

    def drop(self, pod: Pod) -> None:
        """Forget a pod that is untouched."""
        self._forget(pod)
        self._allotments.release(pod.uid)

    @property
    def pressures(self) -> tuple[str, ...]:
        """What the node is short of: conditions of the Node."""
        return self._allotments.pressures

    @pressures.setter
    def pressures(self, found: tuple[str, ...]) -> None:
        self._allotments.pressures = found

    # ---- from the runtime --------------------------------------------------------------------

    async def recover(self) -> None:
        """Learn what the runtime has: containers that ran before this kubelet did. rpc.Failure.

        Pods of which it has what was seen last are let alone.
        """
        by_pod, states = await self._lister.listing()
        # What was found before a restart of the runtime may be gone before its pods are known.
        for uid in [uid for uid in self._found if uid not in by_pod]:
            del self._found[uid]
        for uid, sandboxes in by_pod.items():
            if uid not in self.pods:
                seen = await look(self.cri, [one.id for one in sandboxes])
                if seen.sandboxes:
                    self._found[uid] = seen, sandboxes[0]
        # The API may have told of pods meanwhile: those are looked at again too.
        for pod in self.pods.values():
            self._found.pop(pod.uid, None)
            listed = states.get(pod.uid, _NOTHING_LISTED)
            if pod.agreed is not None and not pod.stale:
                seen, before = pod.agreed
                if seen is pod.seen and before is listed:
                    continue
            if pod.stale or pod.seen.states != listed:
                pod.stale = True
                self._workers.wake(pod.uid)
            else:
                pod.agreed = pod.seen, listed

    def on_event(self, uid: str, at: int) -> None:
        """Hear that the runtime has news of a pod, as of its time `at` (nanoseconds)."""
        pod = self.pods.get(uid)
        if pod is None:
            return
        pod.event_at = max(pod.event_at, at)
        if at > pod.seen.at and not self._workers.busy(uid):
            self._workers.wake(uid)

    @property
    def scheme(self) -> str:
        """What ids of containers begin with in statuses."""
        return self._host.scheme

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
            if failure.code not in UNREACHABLE:
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
            if plan.gone and self._let_go(pod):
                self._forget(pod)
                self.static.succeed(pod.key)
            return
        self._prober.follow(pod)
        self._allotments.settled(pod)
        wake_at = self._publish(pod, plan)
        if plan.stopped and self._let_go(pod) and objects.deleting(pod.object):
            pod.finalize = True
            self._writer.put(pod)
        if pod.event_at > pod.seen.at:
            self._workers.wake(pod.uid)
        times = [at for at in (wake_at, plan.wake_at) if at is not None]
        if times:
            self._workers.wake_after(pod.uid, min(times) - self._clock.now())

    def _forget(self, pod: Pod) -> None:
        self.pods.pop(pod.uid, None)
        self._workers.forget(pod.uid)

    def _let_go(self, pod: Pod) -> bool:
        """Remove the pod's volumes; whether they went. Until they do the pod stays, as it does in
        Kubernetes.
        """
        gone = self._provisions.keeper.let_go(pod.uid)
        if not gone:
            self._workers.wake_after(pod.uid, _VOLUMES_SECONDS)
        return gone

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
            self._allotments.release(pod.uid)
        if pod.written is None and _shows(objects.status(pod.object), report.status):
            pod.written = pod.status
        if pod.status != pod.written:
            self._writer.put(pod)
        elif pod.overwritten:
            pod.overwritten = False
            self.reconcile(pod)
        return report.wake_at

    def _on_verdict(self, pod: Pod) -> None:
        """A probe changed its mind: that may end a container, and shows in the status."""
        if self._workers.busy(pod.uid):
            self._publish_interim(pod)
        self._workers.wake(pod.uid)

    async def _announce(self, pod: Pod) -> None:
        """Show that all containers of a pod start anew before they do: whoever looks should see
        it, and a kubelet that has to go on with it finds it there.
        """
        self._publish_interim(pod)
        told = pod.told = asyncio.Event()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ANNOUNCEMENT):
                while pod.written != pod.status:
                    told.clear()
                    await told.wait()
        pod.told = None

    def _publish_interim(self, pod: Pod) -> None:
        """The work takes its time: show how far it is."""
        if not pod.memory.removed and not pod.searching:
            self._publish(pod, Plan(waiting=pod.waiting))


def _ignore() -> None:
    return


def _began(pod: objects.Object) -> float:
    """When a kubelet took the pod; 0 where none did."""
    try:
        return timestamps.decode(objects.status(pod).get("startTime") or "")
    except ValueError:
        return 0.0


def _shows(actual: objects.Object, wanted: objects.Object) -> bool:
    """Whether the API's status has everything that we want it to have."""
    return all(actual.get(key) == value for key, value in wanted.items())
