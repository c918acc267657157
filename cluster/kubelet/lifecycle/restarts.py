"""Whether a container that ended is started again. Pure.

A container may say it for itself: by rules on its exit code, then by a restart policy of its own,
and only then does the pod's count (ShouldContainerBeRestarted of pkg/kubelet/container).
"""

from cluster.api import objects
from cluster.kubelet.lifecycle import podspec, restartall
from cluster.kubelet.lifecycle.model import Container, Memory


def policy(pod: objects.Object, spec: objects.Object) -> str:
    """Always, OnFailure or Never, for one container."""
    return str(spec.get("restartPolicy") or podspec.restart_policy(pod))


def wanted(pod: objects.Object, spec: objects.Object, code: int, *, init: bool = False) -> bool:
    """Whether it runs again after ending with `code`; an init container that succeeded is done."""
    if init:
        if podspec.sidecar(spec):
            return True
        return code != 0 and (policy(pod, spec) != "Never" or _ruled(spec, code))
    if _ruled(spec, code):
        return True
    own = policy(pod, spec)
    return own == "Always" or (own == "OnFailure" and code != 0)


def again(
    pod: objects.Object,
    spec: objects.Object,
    container: Container,
    memory: Memory,
    *,
    init: bool = False,
) -> bool:
    """Whether a container that the runtime has as ended runs again."""
    if memory.restarts_all and restartall.action_of(spec, container.exit_code) == restartall.ACTION:
        return True
    probing = memory.probing
    if probing is not None and policy(pod, spec) != "Never" and probing.condemned(container):
        return True
    resizing = memory.resizing
    if resizing is not None and policy(pod, spec) != "Never" and resizing.ended(spec, container.id):
        return True
    return wanted(pod, spec, container.exit_code, init=init)


def _ruled(spec: objects.Object, code: int) -> bool:
    """Whether a rule of its own demands a restart after this exit code; the first one counts."""
    return restartall.action_of(spec, code) == "Restart"
