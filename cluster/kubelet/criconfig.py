"""A pod, as the configurations of its sandbox and containers in CRI. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from cluster.api import objects, quantity
from cluster.kubelet import cri, downward
from cluster.kubelet.lifecycle import hints, podspec
from cluster.pb.cri.v1 import api_pb2 as pb

INIT: Final = "kubemu.dev/init"
"""Tells a simulated runtime that a container is an init container: it is one that ends."""
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
    if podspec.host_network(pod):
        config.linux.security_context.namespace_options.network = pb.NODE
    else:
        config.hostname = (objects.spec(pod).get("hostname") or name)[:_LONGEST_HOSTNAME]
    for spec in podspec.containers(pod):
        for port in spec.get("ports") or ():
            if port.get("hostPort"):
                config.port_mappings.append(_port(port))
    return config


def container(
    pod: objects.Object, spec: objects.Object, attempt: int, *, init: bool
) -> pb.ContainerConfig:
    """The configuration of a container. Of what is not literal in its environment only fields of
    the pod are passed on yet.
    """
    name, image = spec["name"], spec.get("image") or ""
    environment = _environment(pod, spec)
    annotations = {cri.SPEC_IMAGE: image, RESTART_COUNT: str(attempt)}
    annotations |= hints.of(spec)
    if init and not podspec.sidecar(spec):
        annotations[INIT] = "true"
    asked = spec.get("resources")
    return pb.ContainerConfig(
        metadata=pb.ContainerMetadata(name=name, attempt=attempt),
        linux=pb.LinuxContainerConfig(resources=_resources(asked)) if asked else None,
        image=pb.ImageSpec(image=image, user_specified_image=image),
        command=[expand(text, environment) for text in spec.get("command") or ()],
        args=[expand(text, environment) for text in spec.get("args") or ()],
        working_dir=spec.get("workingDir") or "",
        envs=[pb.KeyValue(key=key, value=value) for key, value in environment.items()],
        labels={**_labels(pod), cri.CONTAINER_NAME: name},
        annotations=annotations,
        log_path=f"{name}/{attempt}.log",
        stdin=bool(spec.get("stdin")),
        stdin_once=bool(spec.get("stdinOnce")),
        tty=bool(spec.get("tty")),
    )


def expand(text: str, values: Mapping[str, str]) -> str:
    """Replace `$(NAME)` by its value; `$$(NAME)` is `$(NAME)`, an unknown name stays.

    k8s.io/kubernetes/third_party/forked/golang/expansion.
    """
    if "$" not in text:
        return text
    made: list[str] = []
    at = 0
    while at < len(text):
        if text.startswith("$$", at):
            made.append("$")
            at += 2
            continue
        end = text.find(")", at) if text.startswith("$(", at) else -1
        if end > 0:
            name = text[at + 2 : end]
            made.append(values.get(name, f"$({name})"))
            at = end + 1
        else:
            made.append(text[at])
            at += 1
    return "".join(made)


def _environment(pod: objects.Object, spec: objects.Object) -> dict[str, str]:
    values: dict[str, str] = {}
    for variable in spec.get("env") or ():
        source = variable.get("valueFrom")
        if source is None:
            values[variable["name"]] = expand(variable.get("value") or "", values)
            continue
        path = (source.get("fieldRef") or {}).get("fieldPath") or ""
        found = downward.field(pod, path)
        if found is not None:
            values[variable["name"]] = found
    return values


def _labels(pod: objects.Object) -> dict[str, str]:
    return {
        cri.POD_NAME: objects.name(pod),
        cri.POD_NAMESPACE: objects.namespace(pod),
        cri.POD_UID: objects.uid(pod),
    }


def _resources(asked: Mapping[str, Any]) -> pb.LinuxContainerResources:
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
