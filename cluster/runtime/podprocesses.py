"""Which containers of a pod see each other's processes, and what a signal does to one that is no
coroutine.
"""

import signal
from collections.abc import Callable, Mapping
from typing import Final

from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime import script
from cluster.runtime.machine import Machine
from cluster.runtime.records import Container, State
from cluster.runtime.vos.pids import Pids

Made = Callable[[Container], Machine]
_ENDING: Final = (int(signal.SIGINT), int(signal.SIGQUIT), int(signal.SIGTERM))


def join(
    container: Container, machine: Machine, containers: Mapping[str, Container], made: Made
) -> None:
    """Have a new machine see the processes that its container's configuration says it sees."""
    security = container.config.linux.security_context
    if not security.HasField("namespace_options"):
        return
    options = security.namespace_options
    if options.pid == pb.POD:
        machine.kernel.share(_of_pod(container, made))
    elif options.pid == pb.TARGET:
        target = containers.get(options.target_id)
        if target is not None and target is not container and target.state is State.RUNNING:
            machine.kernel.share(made(target).kernel.pids)


def shares(container: Container) -> bool:
    """Whether the main process of a container is not the first one that it sees: signals that it
    has no handler for end it then.
    """
    if not container.config.HasField("linux"):
        return False
    security = container.config.linux.security_context
    seen = (pb.POD, pb.TARGET)
    return security.HasField("namespace_options") and security.namespace_options.pid in seen


def seen(container: Container) -> list[Container]:
    """The containers whose processes one sees, itself last."""
    if not shares(container):
        return [container]
    every = container.sandbox.containers.values()
    others = [one for one in every if one is not container and one.state is State.RUNNING]
    return [*others, container]


def _of_pod(container: Container, made: Made) -> Pids:
    siblings = container.sandbox.containers
    for one in siblings.values():
        if one is not container and one.machine is not None and one.machine.kernel.pids.pause:
            return one.machine.kernel.pids
    found = Pids(pause=True)

    def look() -> None:
        for one in list(siblings.values()):
            if one.state is State.RUNNING and one.machine is None:
                made(one)

    found.look = look
    return found


def ending(container: Container, number: int) -> int | None:
    """What a main process that is no coroutine, and not the first one, ends with by a signal; None
    where it goes on: it reads its configuration anew when it begins.
    """
    told = container.script
    if number == int(signal.SIGKILL):
        return script.KILLED
    if number not in _ENDING:
        return None
    return told.stop_code if told.stop_after == 0 else 128 + number
