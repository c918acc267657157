"""Records as the messages of CRI."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime import images, usage
from cluster.runtime.records import Container, Event, Sandbox, State

_LARGEST: Final = 2**64 - 1
READY_AFTER: Final = "kubemu.dev/ready-after"
"""The annotation of a status that says how long after its start a container is ready."""
VARIES: Final = "kubemu.dev/varies"
"""And the one that says that what it uses changes by itself."""


def sandbox_state(sandbox: Sandbox) -> Any:
    """SANDBOX_READY or SANDBOX_NOTREADY: an enum value of protobuf, which is an int."""
    return pb.SANDBOX_READY if sandbox.ready else pb.SANDBOX_NOTREADY


def sandbox_status(sandbox: Sandbox) -> pb.PodSandboxStatus:
    """The long form."""
    config = sandbox.config
    network = pb.PodSandboxNetworkStatus(
        ip=sandbox.addresses[0] if sandbox.addresses else "",
        additional_ips=[pb.PodIP(ip=address) for address in sandbox.addresses[1:]],
    )
    return pb.PodSandboxStatus(
        id=sandbox.id,
        metadata=config.metadata,
        state=sandbox_state(sandbox),
        created_at=sandbox.created_at,
        network=network,
        labels=config.labels,
        annotations=config.annotations,
        runtime_handler=sandbox.handler,
    )


def sandbox_summary(sandbox: Sandbox) -> pb.PodSandbox:
    """The short form that lists have: shared, not to be changed."""
    state, known = sandbox_state(sandbox), sandbox.summary
    if known is not None and known.state == state:
        return known
    sandbox.summary = pb.PodSandbox(
        id=sandbox.id,
        metadata=sandbox.config.metadata,
        state=state,
        created_at=sandbox.created_at,
        labels=sandbox.config.labels,
        annotations=sandbox.config.annotations,
        runtime_handler=sandbox.handler,
    )
    return sandbox.summary


def container_status(container: Container) -> pb.ContainerStatus:
    """The long form."""
    config = container.config
    found = pb.ContainerStatus(
        id=container.id,
        metadata=config.metadata,
        state=_enum(container.state),
        created_at=container.created_at,
        started_at=container.started_at,
        finished_at=container.finished_at,
        exit_code=container.exit_code,
        image=pb.ImageSpec(image=container.image.name),
        image_ref=_image_ref(container),
        image_id=_image_id(container),
        reason=_reason(container),
        message=container.message,
        labels=config.labels,
        annotations=config.annotations,
        mounts=config.mounts,
        log_path=log_path(container),
    )
    if container.user is not None:
        uid, gid, groups = container.user
        linux = pb.LinuxContainerUser(uid=uid, gid=gid, supplemental_groups=groups)
        found.user.linux.CopyFrom(linux)
    # It may be its image's script that says so, which its pod does not know.
    told = container.script
    if told.ready_after > 0:
        found.annotations[READY_AFTER] = f"{told.ready_after:f}s"
    if any(curve is not None and not curve.constant for curve in (told.memory, told.storage)):
        found.annotations[VARIES] = "true"
    return found


def container_summary(container: Container) -> pb.Container:
    """The short form that lists have: shared, not to be changed."""
    state, known = _enum(container.state), container.summary
    if known is not None and known.state == state:
        return known
    container.summary = pb.Container(
        id=container.id,
        pod_sandbox_id=container.sandbox.id,
        metadata=container.config.metadata,
        image=container.config.image,
        image_ref=_image_ref(container),
        image_id=_image_id(container),
        state=state,
        created_at=container.created_at,
        labels=container.config.labels,
        annotations=container.config.annotations,
    )
    return container.summary


def container_stats(container: Container, now: int) -> pb.ContainerStats:
    """What a container uses at `now` (nanoseconds since the epoch); nothing unless it runs."""
    config = container.config
    stats = pb.ContainerStats(
        attributes=pb.ContainerAttributes(
            id=container.id,
            metadata=config.metadata,
            labels=config.labels,
            annotations=config.annotations,
        )
    )
    if container.state is State.RUNNING:
        age = max(now - container.started_at, 0) / 1e9
        meter = container.machine.kernel.meter if container.machine is not None else None
        worked = (0, 0) if meter is None else meter.read(now / 1e9)
        used = usage.of(container.script, container.resources, age, worked)
        stats.cpu.timestamp = stats.memory.timestamp = now
        stats.cpu.usage_nano_cores.value = used.cpu
        stats.cpu.usage_core_nano_seconds.value = min(used.total, _LARGEST)
        for memory in (
            stats.memory.working_set_bytes, stats.memory.usage_bytes, stats.memory.rss_bytes,
        ):  # fmt: skip
            memory.value = used.memory
        layer = stats.writable_layer
        layer.timestamp, layer.used_bytes.value = now, used.storage
        limit = container.resources.memory_limit_in_bytes
        if limit > 0:
            stats.memory.available_bytes.value = limit - used.memory
    return stats


def event(happened: Event) -> pb.ContainerEventResponse:
    """An event, with all that is so now of its sandbox."""
    sandbox = happened.sandbox
    return pb.ContainerEventResponse(
        container_id=happened.container,
        container_event_type=_enum(happened.change),
        created_at=happened.at,
        pod_sandbox_status=sandbox_status(sandbox),
        containers_statuses=[container_status(one) for one in sandbox.containers.values()],
    )


def log_path(container: Container) -> str:
    """Where the log of a container is, as the kubelet named it; "" where it named none."""
    folder, name = container.sandbox.config.log_directory, container.config.log_path
    return f"{folder}/{name}" if folder and name else ""


def _image_ref(container: Container) -> str:
    pulled = container.pulled
    if pulled is not None:
        return f"{container.image.repository}@{pulled.digest}"
    return image_ref(container.image)


def _image_id(container: Container) -> str:
    pulled = container.pulled
    return pulled.id if pulled is not None else images.image_id(container.image)


@lru_cache(4096)
def image_ref(reference: images.Reference) -> str:
    """`docker.io/library/nginx@sha256:…`."""
    return f"{reference.repository}@{images.digest(reference)}"


def selected(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether the labels hold all that a filter wants: a plain dict, asked for every object."""
    for key, value in wanted.items():  # noqa: SIM110  (a generator costs several times as much)
        if labels.get(key) != value:
            return False
    return True


def _enum(value: int) -> Any:
    """Protobuf takes plain numbers for its enums; its type stubs do not say so."""
    return int(value)


def _reason(container: Container) -> str:
    if container.state is not State.EXITED:
        return ""
    if container.reason:
        return container.reason
    return "Completed" if container.exit_code == 0 else "Error"
