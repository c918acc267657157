"""Lifecycle hooks: what a container asks to be done after its start and before its end.

Source: pkg/kubelet/lifecycle/handlers.go. An HTTP hook is done once it was answered, whatever the
status; a failure is told in words that are for the container's status only.
"""

import asyncio
from typing import Final

from cluster.aio import rpc
from cluster.api import objects
from cluster.kubelet import cri as cris
from cluster.kubelet.cri import Cri
from cluster.kubelet.lifecycle import podspec
from cluster.kubelet.pods import Pod
from cluster.kubelet.probes.asking import Answer, Asker, Place, Result
from cluster.kubelet.version import Version

LONGEST: Final = 86400.0
"""Seconds after which a hook without a deadline of its own is given up."""
POST_START, PRE_STOP = "postStart", "preStop"


class Hooks:
    """The hooks of one node's containers. `addresses` are the node's."""

    def __init__(self, cri: Cri, version: Version, addresses: tuple[str, ...]) -> None:
        self._cri = cri
        self._asker = Asker(cri, version.probe_agent)
        self._addresses = addresses

    async def run(
        self, pod: Pod, spec: objects.Object, container: str, which: str, seconds: float
    ) -> str:
        """Run a hook, for `seconds` at most; why it failed, "" where it did not or is not there."""
        hook = (spec.get("lifecycle") or {}).get(which)
        if not hook:
            return ""
        try:
            async with asyncio.timeout(seconds):
                answer = await self._carry_out(pod, spec, container, hook, seconds)
        except TimeoutError:
            answer = Answer(Result.FAILURE, f"{which} hook not completed within its time")
        except rpc.Failure as failure:
            answer = Answer(Result.ERROR, failure.text)
        return "" if answer.good else _told(pod, spec, hook, answer)

    async def _carry_out(
        self,
        pod: Pod,
        spec: objects.Object,
        container: str,
        hook: objects.Object,
        seconds: float,
    ) -> Answer:
        if hook.get("sleep") is not None:
            await asyncio.sleep(float(hook["sleep"].get("seconds") or 0))
            return Answer(Result.SUCCESS)
        if hook.get("tcpSocket") is not None:
            return Answer(Result.ERROR, _invalid(hook["tcpSocket"]))
        place = await self._place(pod, spec, container)
        answer = await self._asker.ask(place, hook, seconds)
        if hook.get("httpGet") is not None and answer.output.startswith("HTTP probe failed"):
            return Answer(Result.SUCCESS)
        return answer

    async def _place(self, pod: Pod, spec: objects.Object, container: str) -> Place:
        """Where the container is: its sandbox may be newer than what was seen last."""
        if podspec.host_network(pod.object):
            addresses = self._addresses
        else:
            seen = await cris.look(self._cri, pod.sandbox_ids[:1])
            addresses = seen.sandboxes[0].addresses if seen.sandboxes else ()
        return Place(container, pod.sandbox_ids[0], (addresses or ("127.0.0.1",))[0], spec)


def _invalid(socket: objects.Object) -> str:
    """What a kubelet says of a handler that is for probes alone: the API takes it all the same."""
    shown = f"&TCPSocketAction{{Port:{socket.get('port')},Host:{socket.get('host') or ''},}}"
    handler = f"&LifecycleHandler{{Exec:nil,HTTPGet:nil,TCPSocket:{shown},Sleep:nil,}}"
    return f"Cannot run handler: invalid handler: {handler}"


def _told(pod: Pod, spec: objects.Object, hook: objects.Object, answer: Answer) -> str:
    where = f'for Container "{spec["name"]}" in Pod "{objects.key(pod.object)}" failed'
    if hook.get("exec") is not None:
        command = " ".join(hook["exec"].get("command") or ())
        return f'Exec lifecycle hook ([{command}]) {where} - error: message: "{answer.output}"'
    if hook.get("httpGet") is not None:
        path = hook["httpGet"].get("path") or "/"
        return f"HTTP lifecycle hook ({path}) {where} - error: {answer.output}"
    if hook.get("tcpSocket") is not None:
        return answer.output
    return f"lifecycle hook {where} - error: {answer.output}"
