"""A pod, as the configurations of its sandbox and containers in CRI. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from cluster.api import objects, podrequests, quantity
from cluster.kubelet import cri
from cluster.kubelet.environment import expansion
from cluster.kubelet.lifecycle import hints, podspec
from cluster.pb.cri.v1 import api_pb2 as pb

INIT: Final = "kubemu.dev/init"
"""Tells a simulated runtime that a container is an init container: it is one that ends."""
JOB: Final = "kubemu.dev/job"
"""The same of one that does the work of a Job."""
RESTART_COUNT: Final = "io.kubernetes.container.restartCount"
_LONGEST_HOSTNAME: Final = 63
_LEAST_SHARES: Final = 2
_PERIOD: Final = 100_000
_LEAST_QUOTA: Final = 1000
"""MinShares, QuotaPeriod and MinQuotaPeriod of pkg/kubelet/cm."""


def sandbox(pod: objects.Object, attempt: int, logs: str = "/var/log/pods") -> pb.PodSandboxConfig:
    """The configuration of the pod's sandbox; `logs` is the folder of all pods' logs."""
    name, namespace, uid = objects.name(pod), objects.namespace(pod), objects.uid(pod)
    config = pb.PodSandboxConfig(
        metadata=pb.PodSandboxMetadata(name=name, uid=uid, namespace=namespace, attempt=attempt),
        log_directory=f"{logs}/{namespace}_{name}_{uid}",
        labels={**objects.labels(pod), **_labels(pod)},
        annotations=objects.annotations(pod),
    )
    _size(config.linux, pod)
    if podspec.host_network(pod):
        config.linux.security_context.namespace_options.network = pb.NODE
    else:
        config.hostname = (objects.spec(pod).get("hostname") or name)[:_LONGEST_HOSTNAME]
    for spec in podspec.containers(pod):
        for port in spec.get("ports") or ():
            if port.get("hostPort"):
                config.port_mappings.append(_port(port))
    return config


def _size(linux: pb.LinuxPodSandboxConfig, pod: objects.Object) -> None:
    """What the containers may use together, and what the sandbox takes beside them.

    A runtime that makes a machine for each pod needs to know before the containers come. Source:
    applySandboxResources of pkg/kubelet/kuberuntime.
    """
    overhead = objects.spec(pod).get("overhead")
    bare = {**pod, "spec": {**objects.spec(pod), "overhead": None}} if overhead else pod
    asked, limits = podrequests.of(bare), podrequests.limits_of(bare)
    if asked or limits:
        _limit(linux.resources, asked.get("cpu", 0), limits.get("cpu", 0), limits.get("memory", 0))
    if overhead:
        more = podrequests.amounts(overhead)
        _limit(linux.overhead, more.get("cpu", 0), more.get("cpu", 0), more.get("memory", 0))


def _limit(found: pb.LinuxContainerResources, request: int, limit: int, memory: int) -> None:
    """Set a request and a limit of CPU, in thousandths, and a limit of bytes; 0 is none."""
    found.cpu_shares = max(request * 1024 // 1000, _LEAST_SHARES)
    if limit > 0:
        found.cpu_period = _PERIOD
        found.cpu_quota = max(limit * _PERIOD // 1000, _LEAST_QUOTA)
    if memory > 0:
        found.memory_limit_in_bytes = memory


def container(
    pod: objects.Object,
    spec: objects.Object,
    attempt: int,
    *,
    init: bool,
    environment: Mapping[str, str],
    mounts: Sequence[pb.Mount] = (),
) -> pb.ContainerConfig:
    """The configuration of a container, in this environment and with these mounts."""
    name, image = spec["name"], spec.get("image") or ""
    annotations = {cri.SPEC_IMAGE: image, RESTART_COUNT: str(attempt)}
    annotations |= hints.of(spec)
    if init and not podspec.sidecar(spec):
        annotations[INIT] = "true"
    elif not init and _of_job(pod):
        annotations[JOB] = "true"
    return pb.ContainerConfig(
        metadata=pb.ContainerMetadata(name=name, attempt=attempt),
        linux=_linux(spec),
        image=pb.ImageSpec(image=image, user_specified_image=image),
        command=[expansion.expand(text, environment) for text in spec.get("command") or ()],
        args=[expansion.expand(text, environment) for text in spec.get("args") or ()],
        working_dir=spec.get("workingDir") or "",
        envs=[pb.KeyValue(key=key, value=value) for key, value in environment.items()],
        mounts=mounts,
        labels={**_labels(pod), cri.CONTAINER_NAME: name},
        annotations=annotations,
        log_path=f"{name}/{attempt}.log",
        stdin=bool(spec.get("stdin")),
        stdin_once=bool(spec.get("stdinOnce")),
        tty=bool(spec.get("tty")),
    )


def _of_job(pod: objects.Object) -> bool:
    owners = objects.meta(pod).get("ownerReferences") or ()
    return any(one.get("controller") and one.get("kind") == "Job" for one in owners)


def _linux(spec: Mapping[str, Any]) -> pb.LinuxContainerConfig | None:
    """What a container asks of the kernel; None where that is nothing."""
    asked = spec.get("resources")
    found = pb.LinuxContainerConfig(resources=resources(asked)) if asked else None
    if (spec.get("securityContext") or {}).get("readOnlyRootFilesystem"):
        found = found or pb.LinuxContainerConfig()
        found.security_context.readonly_rootfs = True
    return found


def _labels(pod: objects.Object) -> dict[str, str]:
    return {
        cri.POD_NAME: objects.name(pod),
        cri.POD_NAMESPACE: objects.namespace(pod),
        cri.POD_UID: objects.uid(pod),
    }


def resources(asked: Mapping[str, Any]) -> pb.LinuxContainerResources:
    """Requests and limits as settings of the container's cgroup.

    Source: generateLinuxContainerResources of pkg/kubelet/kuberuntime. The memory request goes as
    `memory.min`, as with the feature MemoryQoS.
    """
    requests, limits = asked.get("requests") or {}, asked.get("limits") or {}
    found = pb.LinuxContainerResources()
    cpu = requests.get("cpu", limits.get("cpu"))
    if cpu is not None:
        found.cpu_shares = max(quantity.milli(cpu) * 1024 // 1000, _LEAST_SHARES)
    if quantity.milli(limits.get("cpu", "0")) > 0:
        found.cpu_period = _PERIOD
        found.cpu_quota = max(quantity.milli(limits["cpu"]) * _PERIOD // 1000, _LEAST_QUOTA)
    if "memory" in limits:
        found.memory_limit_in_bytes = quantity.value(limits["memory"])
    if "memory" in requests:
        found.unified["memory.min"] = str(quantity.value(requests["memory"]))
    return found


def _port(port: Mapping[str, Any]) -> pb.PortMapping:
    return pb.PortMapping(
        protocol=port.get("protocol") or "TCP",
        container_port=port.get("containerPort") or 0,
        host_port=port["hostPort"],
        host_ip=port.get("hostIP") or "",
    )
