"""A sandbox or container of CRI, as the OCI runtime specification has it (config.json). Pure.

What is not said is as containerd's CRI plugin has it. Seccomp's RuntimeDefault is left out: the
profile is containerd's own data, and without it containers may call what it would refuse.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime.oci import capabilities
from cluster.runtime.oci.facts import Facts
from cluster.runtime.oci.users import Identity

VERSION: Final = "1.0.2"
PATH: Final = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PERIOD: Final = 100_000
_MASKED: Final = (
    "/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys",
    "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
    "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap",
)  # fmt: skip
_READONLY: Final = (
    "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
)  # fmt: skip
_DEVICES: Final = (
    ("c", None, None, "m"), ("b", None, None, "m"), ("c", 1, 3, "rwm"), ("c", 1, 8, "rwm"),
    ("c", 1, 7, "rwm"), ("c", 5, 0, "rwm"), ("c", 1, 5, "rwm"), ("c", 1, 9, "rwm"),
    ("c", 5, 1, "rwm"), ("c", 136, None, "rwm"), ("c", 5, 2, "rwm"),
)  # fmt: skip
"""Which devices a container may use, beside making any: null, zero, full, tty, random, urandom,
console, terminals."""
_PROPAGATION: Final = {
    pb.PROPAGATION_PRIVATE: "rprivate",
    pb.PROPAGATION_HOST_TO_CONTAINER: "rslave",
    pb.PROPAGATION_BIDIRECTIONAL: "rshared",
}


@dataclass(frozen=True, slots=True)
class Device:
    """A device of the machine."""

    path: str
    kind: str
    major: int
    minor: int
    mode: int = 0o666
    access: str = "rwm"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a container finds. `processes` is the pid whose process namespace it joins, 0 for one of
    its own, -1 for the machine's; `own_files` are bind mounts: path inside, path on the machine.
    """

    root: str
    sandbox_pid: int
    cgroup: str
    identity: Identity
    processes: int = 0
    own_files: Sequence[tuple[str, str]] = ()
    devices: Sequence[Device] = ()
    seccomp: Mapping[str, Any] | None = None


def sandbox(config: pb.PodSandboxConfig, facts: Facts, root: str, cgroup: str) -> dict[str, Any]:
    """The sandbox: a process that does nothing, in namespaces that the containers join."""
    options = config.linux.security_context.namespace_options
    kinds = ["mount"]
    kinds += ["network"] if options.network != pb.NODE else []
    kinds += ["uts"] if options.network != pb.NODE else []
    kinds += ["ipc"] if options.ipc != pb.NODE else []
    kinds += ["pid"] if options.pid != pb.NODE else []
    found = {
        "ociVersion": VERSION,
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": ["/pause"],
            "cwd": "/",
            "env": [PATH],
            "capabilities": _capabilities([]),
            "noNewPrivileges": True,
            "oomScoreAdj": max(-998, facts.least_oom_score),
        },
        "root": {"path": root, "readonly": True},
        "mounts": [_mount("/proc", "proc", "proc", "nosuid", "noexec", "nodev")],
        "linux": {
            "namespaces": [{"type": kind} for kind in kinds],
            "sysctl": _sysctls(config, own_network=options.network != pb.NODE),
            "maskedPaths": list(_MASKED),
            "readonlyPaths": list(_READONLY),
            **_cgroup(cgroup, {}, facts, privileged=False),
        },
    }
    if "uts" in kinds:
        found["hostname"] = config.hostname or config.metadata.name
    return found


def container(
    config: pb.ContainerConfig, box: pb.PodSandboxConfig, facts: Facts, around: Surroundings
) -> dict[str, Any]:
    """A container."""
    security = config.linux.security_context
    options = box.linux.security_context.namespace_options
    linux: dict[str, Any] = {
        "namespaces": _namespaces(options, around, facts),
        **_cgroup(
            around.cgroup, resources(config.linux.resources, facts), facts,
            privileged=security.privileged, devices=around.devices,
        ),
    }  # fmt: skip
    if around.devices and not facts.rootless:
        linux["devices"] = [
            {"path": one.path, "type": one.kind, "major": one.major, "minor": one.minor,
             "fileMode": one.mode, "uid": 0, "gid": 0}
            for one in around.devices
        ]  # fmt: skip
    if not security.privileged:
        linux["maskedPaths"] = list(security.masked_paths) or list(_MASKED)
        linux["readonlyPaths"] = list(security.readonly_paths) or list(_READONLY)
    if around.seccomp is not None:
        linux["seccomp"] = around.seccomp
    return {
        "ociVersion": VERSION,
        "process": process(config, box, facts, around.identity),
        "root": {"path": around.root, "readonly": security.readonly_rootfs},
        "mounts": _mounts(config, options, facts, around),
        "linux": linux,
    }


def process(
    config: pb.ContainerConfig, box: pb.PodSandboxConfig, facts: Facts, who: Identity
) -> dict[str, Any]:
    """The first process of a container."""
    security = config.linux.security_context
    names = capabilities.chosen(
        security.capabilities.add_capabilities, security.capabilities.drop_capabilities,
        privileged=security.privileged, bounding=facts.bounding,
    )  # fmt: skip
    score = max(config.linux.resources.oom_score_adj, facts.least_oom_score)
    return {
        "terminal": config.tty,
        "user": {"uid": who.uid, "gid": who.gid, **_groups(who, facts)},
        "args": [*config.command, *config.args],
        "env": _environment(config, box),
        "cwd": config.working_dir or "/",
        "capabilities": _capabilities(names),
        "noNewPrivileges": security.no_new_privs,
        "oomScoreAdj": min(score, 1000),
    }


def program(config: pb.ContainerConfig) -> str:
    """What a container's command line begins with."""
    return next(iter([*config.command, *config.args]), "")


def command(main: Mapping[str, Any], argv: Sequence[str], *, tty: bool) -> dict[str, Any]:
    """A further process in a container whose first one is `main`."""
    found = {**main, "args": list(argv), "terminal": tty}
    if tty and not any(one.startswith("TERM=") for one in main["env"]):
        found["env"] = [*main["env"], "TERM=xterm"]
    return found


def resources(asked: pb.LinuxContainerResources, facts: Facts) -> dict[str, Any]:
    """Limits of CPU and memory; none where cgroups cannot be written."""
    if not facts.cgroups:
        return {}
    found: dict[str, Any] = {}
    cpu: dict[str, Any] = {}
    if asked.cpu_shares:
        cpu["shares"] = asked.cpu_shares
    if asked.cpu_quota:
        cpu |= {"quota": asked.cpu_quota, "period": asked.cpu_period or _PERIOD}
    if asked.cpuset_cpus:
        cpu["cpus"] = asked.cpuset_cpus
    if asked.cpuset_mems:
        cpu["mems"] = asked.cpuset_mems
    if cpu:
        found["cpu"] = cpu
    if asked.memory_limit_in_bytes:
        found["memory"] = {"limit": asked.memory_limit_in_bytes}
        if asked.memory_swap_limit_in_bytes:
            found["memory"]["swap"] = asked.memory_swap_limit_in_bytes
    if asked.unified and facts.cgroups == 2:
        found["unified"] = dict(asked.unified)
    return found


def _capabilities(names: Sequence[str]) -> dict[str, list[str]]:
    # None are inheritable or ambient: a program that a user runs gets them only from its file.
    return {kind: list(names) for kind in ("bounding", "effective", "permitted")}


def _groups(who: Identity, facts: Facts) -> dict[str, Any]:
    # With one user mapped alone, the kernel lets nobody set groups.
    groups = [] if facts.rootless and not facts.mapped else list(who.groups)
    return {"additionalGids": groups} if groups else {}


def _environment(config: pb.ContainerConfig, box: pb.PodSandboxConfig) -> list[str]:
    found = {"PATH": PATH.partition("=")[2], "HOSTNAME": box.hostname or box.metadata.name}
    if config.tty:
        found["TERM"] = "xterm"
    if box.linux.security_context.namespace_options.network == pb.NODE and not box.hostname:
        del found["HOSTNAME"]
    found |= {one.key: one.value for one in config.envs}
    return [f"{key}={value}" for key, value in found.items()]


def _namespaces(
    options: pb.NamespaceOption, around: Surroundings, facts: Facts
) -> list[dict[str, str]]:
    base = f"/proc/{around.sandbox_pid}/ns"
    found = [{"type": "mount"}]
    if options.network != pb.NODE:
        found.append({"type": "network", "path": f"{base}/net"})
        found.append({"type": "uts", "path": f"{base}/uts"})
    if options.ipc != pb.NODE:
        found.append({"type": "ipc", "path": f"{base}/ipc"})
    if around.processes > 0:
        found.append({"type": "pid", "path": f"/proc/{around.processes}/ns/pid"})
    elif around.processes == 0:
        found.append({"type": "pid"})
    if facts.cgroups == 2:
        found.append({"type": "cgroup"})
    return found


def _mounts(
    config: pb.ContainerConfig, options: pb.NamespaceOption, facts: Facts, around: Surroundings
) -> list[dict[str, Any]]:
    privileged = config.linux.security_context.privileged
    safe = ("nosuid", "noexec", "nodev")
    pts = ["newinstance", "ptmxmode=0666", "mode=0620"]
    if not facts.rootless or facts.mapped:
        pts.append("gid=5")
    access = "rw" if privileged else "ro"
    found = [
        _mount("/proc", "proc", "proc", *safe),
        _mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
        _mount("/dev/pts", "devpts", "devpts", "nosuid", "noexec", *pts),
    ]
    if options.ipc != pb.NODE:
        found.append(_mount("/dev/mqueue", "mqueue", "mqueue", *safe))
    if facts.rootless and options.network == pb.NODE:
        # The kernel shows sysfs only to who owns the network that it tells of.
        found.append(_mount("/sys", "bind", "/sys", "rbind", *safe, "ro"))
    else:
        found.append(_mount("/sys", "sysfs", "sysfs", *safe, access))
        if facts.cgroups:
            found.append(_mount("/sys/fs/cgroup", "cgroup", "cgroup", *safe, "relatime", access))
    theirs = {mount.container_path.rstrip("/") for mount in config.mounts}
    for inside, path in around.own_files:
        if inside not in theirs:
            found.append(_mount(inside, "bind", path, "rbind", "rprivate", "rw"))
    for mount in sorted(config.mounts, key=lambda one: one.container_path.count("/")):
        kind = _PROPAGATION.get(mount.propagation, "rprivate")
        way = "ro" if mount.readonly else "rw"
        found.append(_mount(mount.container_path, "bind", mount.host_path, "rbind", kind, way))
    return found


def _mount(inside: str, kind: str, source: str, *options: str) -> dict[str, Any]:
    return {"destination": inside, "type": kind, "source": source, "options": list(options)}


def _cgroup(
    path: str,
    limits: dict[str, Any],
    facts: Facts,
    *,
    privileged: bool,
    devices: Sequence[Device] = (),
) -> dict[str, Any]:
    if not facts.cgroups:
        return {}
    if privileged:
        rules = [{"allow": True, "access": "rwm"}]
    else:
        rules = [{"allow": False, "access": "rwm"}]
        for kind, major, minor, access in _DEVICES:
            rule: dict[str, Any] = {"allow": True, "type": kind, "access": access}
            rule |= {"major": major} if major is not None else {}
            rule |= {"minor": minor} if minor is not None else {}
            rules.append(rule)
        for one in devices:
            rules.append({"allow": True, "type": one.kind, "major": one.major,
                          "minor": one.minor, "access": one.access})  # fmt: skip
    return {"cgroupsPath": path, "resources": {**limits, "devices": rules}}


def _sysctls(config: pb.PodSandboxConfig, *, own_network: bool) -> dict[str, str]:
    found = dict(config.linux.sysctls)
    if own_network:
        # containerd's enable_unprivileged_ports: who is not root may serve at port 80.
        found.setdefault("net.ipv4.ip_unprivileged_port_start", "0")
    return found
