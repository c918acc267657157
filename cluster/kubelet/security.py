"""What a pod's security contexts come to for its sandbox and containers, as CRI has it. Pure.

Source: pkg/kubelet/kuberuntime, security_context.go and util; pkg/kubelet/qos for the OOM scores.
"""

from collections.abc import Mapping
from typing import Any, Final

from cluster.api import objects, qos, quantity
from cluster.kubelet.lifecycle import podspec
from cluster.pb.cri.v1 import api_pb2 as pb

_GUARANTEED: Final = -997
_BEST_EFFORT: Final = 1000
_NODE_CRITICAL: Final = "system-node-critical"
_PROFILES: Final = {
    "RuntimeDefault": pb.SecurityProfile.RuntimeDefault,
    "Unconfined": pb.SecurityProfile.Unconfined,
    "Localhost": pb.SecurityProfile.Localhost,
}


def namespaces(pod: objects.Object, target: str = "") -> pb.NamespaceOption:
    """Which namespaces are the pod's, the containers' or the node's; `target` is the container
    whose processes an ephemeral container sees.
    """
    spec = objects.spec(pod)
    found = pb.NamespaceOption(pid=pb.CONTAINER)
    if spec.get("hostNetwork"):
        found.network = pb.NODE
    if spec.get("hostIPC"):
        found.ipc = pb.NODE
    if spec.get("hostPID"):
        found.pid = pb.NODE
    elif spec.get("shareProcessNamespace"):
        found.pid = pb.POD
    elif target:
        found.pid, found.target_id = pb.TARGET, target
    return found


def sandbox(linux: pb.LinuxPodSandboxConfig, pod: objects.Object) -> None:
    """Set what a sandbox is told."""
    context = objects.spec(pod).get("securityContext") or {}
    found = linux.security_context
    found.namespace_options.CopyFrom(namespaces(pod))
    _run_as(found, {}, context)
    found.privileged = any(
        (one.get("securityContext") or {}).get("privileged")
        for one in objects.spec(pod).get("containers") or ()
    )
    for each in context.get("sysctls") or ():
        linux.sysctls[each["name"]] = each["value"]


def container(
    pod: objects.Object, spec: Mapping[str, Any], profiles: str, target: str = ""
) -> pb.LinuxContainerSecurityContext:
    """What a container is told; `profiles` is where profiles of seccomp are on the node."""
    whole = objects.spec(pod).get("securityContext") or {}
    own = spec.get("securityContext") or {}
    found = pb.LinuxContainerSecurityContext(
        namespace_options=namespaces(pod, target),
        privileged=bool(own.get("privileged")),
        readonly_rootfs=bool(own.get("readOnlyRootFilesystem")),
        no_new_privs=own.get("allowPrivilegeEscalation") is False,
    )
    _run_as(found, own, whole)
    asked = own.get("capabilities") or {}
    if asked:
        found.capabilities.add_capabilities.extend(asked.get("add") or ())
        found.capabilities.drop_capabilities.extend(asked.get("drop") or ())
    profile = own.get("seccompProfile") or whole.get("seccompProfile")
    kind = _PROFILES.get(profile.get("type") or "") if profile else None
    if profile and kind is not None:
        found.seccomp.profile_type = kind
        if profile.get("localhostProfile"):
            found.seccomp.localhost_ref = f"{profiles}/{profile['localhostProfile']}"
    return found


def emulated(
    config: pb.ContainerConfig, pod: objects.Object, spec: Mapping[str, Any], target: str = ""
) -> None:
    """Set as much as an emulated container heeds: who runs it, whether its root can be written to,
    whose processes it sees. A pod that says nothing of it costs nothing.
    """
    if target or objects.spec(pod).get("shareProcessNamespace"):
        shared = namespaces(pod, target)
        config.linux.security_context.namespace_options.CopyFrom(shared)
    whole = objects.spec(pod).get("securityContext") or {}
    own = spec.get("securityContext") or {}
    if not whole and not own:
        return
    found = pb.LinuxContainerSecurityContext(
        readonly_rootfs=bool(own.get("readOnlyRootFilesystem"))
    )
    _run_as(found, own, whole)
    if found.ByteSize():
        config.linux.security_context.MergeFrom(found)


def not_root(pod: objects.Object, spec: Mapping[str, Any]) -> bool:
    """Whether a container is not to run as root."""
    whole = objects.spec(pod).get("securityContext") or {}
    return bool((spec.get("securityContext") or {}).get("runAsNonRoot", whole.get("runAsNonRoot")))


def breach(pod: objects.Object, spec: Mapping[str, Any], image: pb.Image) -> str:
    """Why a container that is not to run as root would, or might; "" where it does not.

    Where the pod names no user it is the image's, which is root where that names none either.
    Source: verifyRunAsNonRoot and getImageUser of pkg/kubelet/kuberuntime.
    """
    whole = objects.spec(pod).get("securityContext") or {}
    user = (spec.get("securityContext") or {}).get("runAsUser", whole.get("runAsUser"))
    what = f'(pod: "{podspec.title(pod)}", container: {spec["name"]})'
    if user is not None:
        return "" if user else f"container's runAsUser breaks non-root policy {what}"
    if image.HasField("uid"):
        root = image.uid.value == 0
    elif image.username:
        return (
            f"container has runAsNonRoot and image has non-numeric user ({image.username}), "
            f"cannot verify user is non-root {what}"
        )
    else:
        root = True
    return f"container has runAsNonRoot and image will run as root {what}" if root else ""


def oom_score(pod: objects.Object, spec: Mapping[str, Any], memory: int) -> int:
    """How gladly the kernel kills a container when the node's `memory` (bytes) is used up."""
    if objects.spec(pod).get("priorityClassName") == _NODE_CRITICAL:
        return _GUARANTEED
    kind = qos.of(objects.spec(pod))
    if kind == "Guaranteed":
        return _GUARANTEED
    if kind == "BestEffort" or memory <= 0:
        return _BEST_EFFORT
    asked = ((spec.get("resources") or {}).get("requests") or {}).get("memory", "0")
    score = 1000 - 1000 * quantity.value(asked) // memory
    return min(max(score, 1000 + _GUARANTEED), _BEST_EFFORT - 1)


def _run_as(
    found: pb.LinuxContainerSecurityContext | pb.LinuxSandboxSecurityContext,
    own: Mapping[str, Any],
    whole: Mapping[str, Any],
) -> None:
    user = own.get("runAsUser", whole.get("runAsUser"))
    if user is not None:
        found.run_as_user.value = user
    group = own.get("runAsGroup", whole.get("runAsGroup"))
    if group is not None:
        found.run_as_group.value = group
    found.supplemental_groups.extend(whole.get("supplementalGroups") or ())
    if whole.get("fsGroup") is not None:
        found.supplemental_groups.append(whole["fsGroup"])
