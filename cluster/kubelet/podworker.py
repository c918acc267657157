"""Carries out what the core decides about a pod, until there is nothing left to do."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from cluster.aio import clock as clocks
from cluster.aio import rpc
from cluster.api import objects
from cluster.kubelet import criconfig, events, images
from cluster.kubelet.cri import UNREACHABLE, Cri, look, sandboxes_of
from cluster.kubelet.environment.variables import Wrong
from cluster.kubelet.figures import Figures
from cluster.kubelet.hooks import LONGEST, POST_START, Hooks
from cluster.kubelet.killing import Killer
from cluster.kubelet.lifecycle import deadlines, podspec, readiness, restartall
from cluster.kubelet.lifecycle.actions import (
    Action,
    CreateSandbox,
    Kill,
    Plan,
    RemoveContainer,
    RemoveSandbox,
    Reset,
    Resize,
    Resume,
    Start,
    StopSandbox,
)
from cluster.kubelet.lifecycle.decide import decide
from cluster.kubelet.lifecycle.model import RETRY_PERIOD, Seen, Waiting
from cluster.kubelet.pods import Pod
from cluster.kubelet.provisions import Provisions
from cluster.kubelet.pullgate import PullGate
from cluster.pb.cri.v1 import api_pb2 as pb

MAX_ROUNDS: Final = 32


class Restless(RuntimeError):
    """A pod that is never at rest: deciding and doing do not converge. A fault of the kubelet."""


class PodWorker:
    """Works on the pods of one node. One call a pod at a time; calls may be cancelled."""

    def __init__(
        self,
        cri: Cri,
        clock: clocks.Clock,
        speaker: events.Speaker,
        hooks: Hooks,
        *,
        provisions: Provisions,
        logs: str = "/var/log/pods",
        gate: PullGate | None = None,
        figures: Figures | None = None,
        guarded: bool = False,
    ) -> None:
        self._figures = figures or Figures()
        self._hooks = hooks
        self._provisions = provisions
        self._killer = Killer(cri, clock, speaker, hooks)
        self._logs = logs
        self._cri = cri
        self._clock = clock
        self._speaker = speaker
        self.on_restarting: Callable[[Pod], Awaitable[None]] = _ignore
        """Awaited when all containers of a pod are on their way to start anew."""
        self.images = images.Images(
            cri,
            clock,
            speaker,
            provisions.pull_credentials,
            gate=gate or PullGate(1),
            figures=self._figures,
            guarded=guarded,
        )

    async def settle(self, pod: Pod) -> Plan:
        """Decide and do until there is nothing to do; the last plan says when to look again.

        rpc.Failure where the runtime cannot be asked. What cannot be made is no failure: it is
        remembered in `pod.memory`, and tried again.
        """
        if pod.stale:
            await self._search(pod)
        elif pod.event_at > pod.seen.at:
            await self._look(pod, [one.id for one in pod.seen.sandboxes])
        await self._provisions.adopt(pod)
        for _ in range(MAX_ROUNDS):
            self._judge(pod)
            plan = decide(pod.object, pod.seen, pod.memory, self._clock.now())
            self._note_waiting(pod, plan)
            if not plan.actions:
                return plan
            if _begins(plan.actions) and not await self._provisions.ready(pod):
                continue  # deciding again tells when to look at its volumes
            if plan.restarting:
                await self.on_restarting(pod)
            # Until it has been looked at again, nobody knows: this work may be cancelled.
            pod.stale = True
            await self._carry_out(pod, plan.actions)
            await self._look(pod, pod.sandbox_ids)
        raise Restless(f"pod {pod.key} ({pod.uid}) is not at rest")

    def _judge(self, pod: Pod) -> None:
        """End a pod whose time on the node is over."""
        memory, obj = pod.memory, pod.object
        if memory.verdict is not None or podspec.finished(obj) or objects.deleting(obj):
            return
        if self._clock.now() >= deadlines.at(obj, memory.begun) and memory.rejection is None:
            memory.verdict = deadlines.EXCEEDED
            self._speaker.deadline_exceeded(obj)

    async def _search(self, pod: Pod) -> None:
        """Ask for whatever the runtime has of the pod."""
        pod.searching = True
        await self._look(pod, await sandboxes_of(self._cri, pod.uid))
        pod.searching = False

    async def _look(self, pod: Pod, ids: Sequence[str]) -> None:
        """Ask for these sandboxes and what is in them."""
        heard = pod.event_at
        found = await look(self._cri, ids)
        # Having nothing is news as of what was heard: else the pod is looked at for ever.
        pod.seen = found if found.sandboxes else Seen(at=heard)
        pod.sandbox_ids = [one.id for one in pod.seen.sandboxes]
        if pod.seen.sandbox is not None:
            pod.addresses = pod.seen.sandbox.addresses
        pod.stale = False

    def _note_waiting(self, pod: Pod, plan: Plan) -> None:
        """Say that a back-off begins; it is said once for each.

        What is tried again shows how it failed until it does not, as by the kubelet's reason cache.
        """
        tried = {one.spec["name"] for one in plan.actions if isinstance(one, Start)}
        before = pod.waiting
        kept = {name: why for name, why in before.items() if name in tried}
        pod.waiting = {**kept, **plan.waiting}
        for name, why in plan.waiting.items():
            if before.get(name) == why:
                continue
            if why.reason == "CrashLoopBackOff":
                init = self._is_init(pod, name)
                self._speaker.crash_backoff(pod.object, name, podspec.title(pod.object), init=init)
            elif why.reason == "ImagePullBackOff":
                image = self._image(pod, name)
                self._speaker.pull_backoff(pod.object, name, image, init=self._is_init(pod, name))

    async def _carry_out(self, pod: Pod, actions: Sequence[Action]) -> None:
        kills = [action for action in actions if isinstance(action, Kill)]
        if kills:
            await self._killer.kill(pod, kills)
        for action in actions:
            if not isinstance(action, Kill) and not await self._do(pod, action):
                return

    async def _do(self, pod: Pod, action: Action) -> bool:
        """Carry out one action; False where the rest of the plan makes no sense without it."""
        match action:
            case CreateSandbox():
                return await self._create_sandbox(pod, action)
            case Start():
                await self._start(pod, action)
            case Resume():
                await self._resume(pod, action.id, action.name)
            case Resize():
                await self._resize(pod, action)
            case StopSandbox(id):
                await self._cri.stop_pod_sandbox(pb.StopPodSandboxRequest(pod_sandbox_id=id))
            case RemoveSandbox(id):
                await self._cri.remove_pod_sandbox(pb.RemovePodSandboxRequest(pod_sandbox_id=id))
            case RemoveContainer(id):
                await self._cri.remove_container(pb.RemoveContainerRequest(container_id=id))
            case Reset():
                await self._reset(pod, action)
        return True

    async def _reset(self, pod: Pod, action: Reset) -> None:
        """Forget a container that is to start as if it had never run."""
        memory, name = pod.memory, action.name
        await self._cri.remove_container(pb.RemoveContainerRequest(container_id=action.id))
        memory.afresh[name] = None
        memory.failures.pop(name, None)
        memory.retry.pop(name, None)
        if action.cause is not None:
            memory.restarts.count(restartall.TRIAL, action.cause, self._clock.now())

    async def _create_sandbox(self, pod: Pod, action: CreateSandbox) -> bool:
        if action.attempt:
            self._speaker.sandbox_changed(pod.object)
        self._figures.count("kubelet_started_pods_total")
        try:
            config = self._provisions.sandbox(pod, action.attempt, self._logs)
            handler = await self._provisions.handler(pod)
        except ValueError as error:
            pod.memory.sandbox_retry = self._clock.now() + RETRY_PERIOD
            self._speaker.sandbox_failed(pod.object, str(error))
            self._figures.count("kubelet_started_pods_errors_total")
            return False
        try:
            request = pb.RunPodSandboxRequest(config=config, runtime_handler=handler)
            answer = await self._cri.run_pod_sandbox(request)
        except rpc.Failure as failure:
            if failure.code in UNREACHABLE:
                raise
            pod.memory.sandbox_retry = self._clock.now() + RETRY_PERIOD
            self._speaker.sandbox_failed(pod.object, failure.text)
            self._figures.count("kubelet_started_pods_errors_total")
            return False
        pod.memory.sandbox_attempt = action.attempt
        pod.sandbox_ids = [answer.pod_sandbox_id, *pod.sandbox_ids]
        pod.sandbox_config = config
        asked = pb.PodSandboxStatusRequest(pod_sandbox_id=answer.pod_sandbox_id)
        network = (await self._cri.pod_sandbox_status(asked)).status.network
        more = (one.ip for one in network.additional_ips)
        pod.addresses = (network.ip, *more) if network.ip else ()
        pod.memory.addresses = self._provisions.addresses(pod)
        return True

    async def _start(self, pod: Pod, action: Start) -> None:
        name = action.spec["name"]
        if action.after is not None:
            trial = podspec.trial(action.spec)
            pod.memory.restarts.count(trial, action.after, self._clock.now())
        self._figures.count("kubelet_started_containers_total", _kind(pod, name, init=action.init))
        if not await self.images.ensure(pod, action.spec, init=action.init):
            self._not_started(pod, name, "ErrImagePull", init=action.init)
            return
        try:
            readiness.seconds(pod.object, name)
        except ValueError as error:
            self._held(pod, name, "CreateContainerConfigError", str(error), init=action.init)
            return
        created = await self._create(pod, action)
        if created:
            self._speaker.created(pod.object, name, init=action.init)
            await self._resume(pod, created, name)

    async def _create(self, pod: Pod, action: Start) -> str:
        """The id of the new container; "" where it could not be made."""
        name = action.spec["name"]
        try:
            config = await self._provisions.container(pod, action)
        except Wrong as wrong:
            reason = "CreateContainerConfigError"
            self._held(pod, name, reason, str(wrong), init=action.init)
            return ""
        box = self._sandbox_now(pod)
        request = pb.CreateContainerRequest(
            pod_sandbox_id=pod.sandbox_ids[0], config=config, sandbox_config=box
        )
        try:
            answer = await self._cri.create_container(request)
        except rpc.Failure as failure:
            if failure.code in UNREACHABLE:
                raise
            self._held(pod, name, "CreateContainerError", failure.message, init=action.init)
            return ""
        pod.memory.attempts[name] = action.attempt
        pod.memory.afresh.pop(name, None)
        if pod.memory.resizing is not None:
            pod.memory.resizing.given[answer.container_id] = action.spec.get("resources") or {}
        return str(answer.container_id)

    def _sandbox_now(self, pod: Pod) -> pb.PodSandboxConfig:
        """The configuration of a pod's sandbox, with the annotations that the pod has by now."""
        config, told = pod.sandbox_config, objects.annotations(pod.object)
        if config is None:
            return criconfig.sandbox(pod.object, pod.seen.sandboxes[0].attempt, self._logs)
        if dict(config.annotations) == told:
            return config
        # A runtime in this process may hold the one that it was given: it is not changed.
        changed = pb.PodSandboxConfig()
        changed.CopyFrom(config)
        changed.annotations.clear()
        changed.annotations.update(told)
        pod.sandbox_config = changed
        return changed

    async def _resize(self, pod: Pod, action: Resize) -> None:
        """Give a running container other resources."""
        resizing = pod.memory.resizing
        if resizing is None:
            return
        linux = criconfig.resources(action.resources)
        self._provisions.quota(linux)
        request = pb.UpdateContainerResourcesRequest(container_id=action.id, linux=linux)
        try:
            await self._cri.update_container_resources(request)
        except rpc.Failure as failure:
            if failure.code in UNREACHABLE:
                raise
            resizing.failed[action.id] = (action.resources, failure.message)
            return
        resizing.failed.pop(action.id, None)
        resizing.given[action.id] = action.resources

    async def _resume(self, pod: Pod, container: str, name: str) -> None:
        init = self._is_init(pod, name)
        try:
            await self._cri.start_container(pb.StartContainerRequest(container_id=container))
        except rpc.Failure as failure:
            if failure.code in UNREACHABLE:
                raise
            self._held(pod, name, "RunContainerError", failure.message, init=init)
            return
        self._speaker.started(pod.object, name, init=init)
        if await self._post_start(pod, container, name, init=init):
            pod.memory.failures.pop(name, None)
        pod.memory.retry.pop(name, None)

    async def _post_start(self, pod: Pod, container: str, name: str, *, init: bool) -> bool:
        """Run a container's hook; one whose hook fails is ended. Whether all is well."""
        spec = next(one for one in podspec.every(pod.object) if one["name"] == name)
        if not (spec.get("lifecycle") or {}).get(POST_START):
            return True
        failure = await self._hooks.run(pod, spec, container, POST_START, LONGEST)
        if not failure:
            return True
        self._speaker.hook_failed(pod.object, name, "FailedPostStartHook", init=init)
        pod.memory.failures[name] = Waiting("PostStartHookError", failure)
        grace = podspec.grace(pod.object)
        await self._killer.kill(pod, [Kill(container, name, grace, "FailedPostStartHook")])
        return False

    def _held(self, pod: Pod, name: str, reason: str, message: str, *, init: bool) -> None:
        """A container could not be made or started: say so, and try again later."""
        self._not_started(pod, name, reason, init=init)
        pod.memory.failures[name] = Waiting(reason, message)
        pod.memory.retry[name] = self._clock.now() + RETRY_PERIOD
        self._speaker.failed(pod.object, name, message, init=init)

    def _not_started(self, pod: Pod, name: str, reason: str, *, init: bool) -> None:
        kind = _kind(pod, name, init=init)
        self._figures.count("kubelet_started_containers_errors_total", kind, reason)

    @staticmethod
    def _is_init(pod: Pod, name: str) -> bool:
        return podspec.is_init(pod.object, name)

    @staticmethod
    def _image(pod: Pod, name: str) -> str:
        return str((podspec.find(pod.object, name) or {}).get("image") or "")


async def _ignore(_pod: Pod) -> None:
    return


def _kind(pod: Pod, name: str, *, init: bool) -> str:
    """What metrics call the kind of a container."""
    if any(one["name"] == name for one in podspec.ephemeral_containers(pod.object)):
        return "ephemeral_container"
    return "init_container" if init else "container"


def _begins(actions: Sequence[Action]) -> bool:
    """Whether something is started, for which the pod's volumes have to be there."""
    return any(isinstance(action, CreateSandbox | Start) for action in actions)
