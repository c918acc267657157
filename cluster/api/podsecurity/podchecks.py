"""Checks of what the pod as a whole asks for: the node's namespaces, volumes, kernel settings."""

from collections.abc import Callable
from typing import Any, Final

from cluster.api.objects import Object
from cluster.api.podsecurity.words import Finding, plural, quoted, security

_NAMESPACES: Final = ("hostNetwork", "hostPID", "hostIPC")
_SYSCTLS: Final = (
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range", "net.ipv4.ip_unprivileged_port_start",
)  # fmt: skip
_SYSCTLS_27: Final = (*_SYSCTLS, "net.ipv4.ip_local_reserved_ports")
_SYSCTLS_29: Final = (
    *_SYSCTLS_27, "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes",
)  # fmt: skip
_SYSCTLS_32: Final = (*_SYSCTLS_29, "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem")
_VOLUMES: Final = (
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim",
    "projected", "secret",
)  # fmt: skip
_OTHER_VOLUMES: Final = (
    "hostPath", "gcePersistentDisk", "awsElasticBlockStore", "gitRepo", "nfs", "iscsi",
    "glusterfs", "rbd", "flexVolume", "cinder", "cephfs", "flocker", "fc", "azureFile",
    "vsphereVolume", "quobyte", "azureDisk", "photonPersistentDisk", "portworxVolume", "scaleIO",
    "storageos",
)  # fmt: skip


def host_namespaces(meta: Object, spec: Object) -> Finding | None:
    """Baseline: no namespaces of the node."""
    shared = [f"{field}=true" for field in _NAMESPACES if spec.get(field)]
    return Finding("host namespaces", ", ".join(shared)) if shared else None


def host_paths(meta: Object, spec: Object) -> Finding | None:
    """Baseline: no folders of the node."""
    bad = [
        each.get("name") for each in spec.get("volumes") or () if each.get("hostPath") is not None
    ]
    if not bad:
        return None
    return Finding("hostPath volumes", f"{plural('volume', 'volumes', len(bad))} {quoted(bad)}")


def restricted_volumes(meta: Object, spec: Object) -> Finding | None:
    """Restricted: volumes of a few types only."""
    bad: list[Any] = []
    types: dict[str, None] = {}
    for volume in spec.get("volumes") or ():
        if any(volume.get(kind) is not None for kind in _VOLUMES):
            continue
        bad.append(volume.get("name"))
        found = (kind for kind in _OTHER_VOLUMES if volume.get(kind) is not None)
        types[next(found, "unknown")] = None
    if not bad:
        return None
    detail = (
        f"{plural('volume', 'volumes', len(bad))} {quoted(bad)} {plural('uses', 'use', len(bad))} "
        f"{plural('restricted volume type', 'restricted volume types', len(types))} "
        f"{quoted(sorted(types))}"
    )
    return Finding("restricted volume types", detail)


def _sysctls(allowed: tuple[str, ...]) -> Callable[[Object, Object], Finding | None]:
    def check(meta: Object, spec: Object) -> Finding | None:
        """Baseline: kernel settings that concern nobody else."""
        names = [each.get("name") for each in security(spec).get("sysctls") or ()]
        bad = [str(name) for name in names if name not in allowed]
        return Finding("forbidden sysctls", ", ".join(bad)) if bad else None

    return check


sysctls_0 = _sysctls(_SYSCTLS)
sysctls_27 = _sysctls(_SYSCTLS_27)
sysctls_29 = _sysctls(_SYSCTLS_29)
sysctls_32 = _sysctls(_SYSCTLS_32)
