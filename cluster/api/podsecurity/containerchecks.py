"""Checks of what containers ask for."""

from typing import Final

from cluster.api.objects import Object
from cluster.api.podsecurity.words import (
    Finding,
    containers,
    named,
    own_users,
    plural,
    quoted,
    security,
    windows,
)

_CAPABILITIES: Final = frozenset((
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD",
    "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
))  # fmt: skip
_PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")
_HOOKS: Final = ("postStart", "preStop")


def privileged(meta: Object, spec: Object) -> Finding | None:
    """Baseline: no privileged containers."""
    bad = [each for each in containers(spec) if security(each).get("privileged")]
    if not bad:
        return None
    return Finding("privileged", f"{named(bad)} must not set securityContext.privileged=true")


def capabilities_baseline(meta: Object, spec: Object) -> Finding | None:
    """Baseline: no capabilities beyond a container's usual ones."""
    bad, added = _adding(spec, _CAPABILITIES)
    if not bad:
        return None
    detail = f"{named(bad)} must not include {quoted(added)} in securityContext.capabilities.add"
    return Finding("non-default capabilities", detail)


def capabilities_restricted(meta: Object, spec: Object) -> Finding | None:
    """Restricted: drop all capabilities, add NET_BIND_SERVICE at most."""
    keeping = [
        each
        for each in containers(spec)
        if "ALL" not in ((security(each).get("capabilities") or {}).get("drop") or ())
    ]
    details = []
    if keeping:
        details.append(f'{named(keeping)} must set securityContext.capabilities.drop=["ALL"]')
    bad, added = _adding(spec, frozenset(("NET_BIND_SERVICE",)))
    if bad:
        details.append(
            f"{named(bad)} must not include {quoted(added)} in securityContext.capabilities.add"
        )
    return Finding("unrestricted capabilities", "; ".join(details)) if details else None


def capabilities_of_linux(meta: Object, spec: Object) -> Finding | None:
    """The same, of pods that may run on Linux."""
    return None if windows(spec) else capabilities_restricted(meta, spec)


def _adding(spec: Object, allowed: frozenset[str]) -> tuple[list[Object], list[str]]:
    bad: list[Object] = []
    found: dict[str, None] = {}
    for each in containers(spec):
        added = (security(each).get("capabilities") or {}).get("add") or ()
        wrong = {name: None for name in added if name not in allowed}
        if wrong:
            bad.append(each)
            found |= wrong
    return bad, sorted(found)


def host_ports(meta: Object, spec: Object) -> Finding | None:
    """Baseline: no ports of the node."""
    bad: list[Object] = []
    ports: dict[str, None] = {}
    for each in containers(spec):
        taken = {
            str(port["hostPort"]): None for port in each.get("ports") or () if port.get("hostPort")
        }
        if taken:
            bad.append(each)
            ports |= taken
    if not bad:
        return None
    detail = (
        f"{named(bad)} {plural('uses', 'use', len(bad))} "
        f"{plural('hostPort', 'hostPorts', len(ports))} {', '.join(sorted(ports))}"
    )
    return Finding("hostPort", detail)


def host_probes(meta: Object, spec: Object) -> Finding | None:
    """Baseline: probes and hooks reach no other host."""
    bad: dict[str, None] = {}
    hosts: dict[str, None] = {}
    for each in containers(spec):
        handlers = [each.get(probe) for probe in _PROBES]
        handlers += [(each.get("lifecycle") or {}).get(hook) for hook in _HOOKS]
        for handler in handlers:
            for kind in ("httpGet", "tcpSocket"):
                host = ((handler or {}).get(kind) or {}).get("host")
                if host:
                    bad[each.get("name") or ""] = hosts[host] = None
    if not bad:
        return None
    detail = (
        f"{plural('container', 'containers', len(bad))} {quoted(sorted(bad))} "
        f"{plural('uses', 'use', len(bad))} "
        f"{plural('probe or lifecycle host', 'probe or lifecycle hosts', len(hosts))} "
        f"{quoted(sorted(hosts))}"
    )
    return Finding("probe or lifecycle host", detail)


def proc_mount(meta: Object, spec: Object) -> Finding | None:
    """Baseline: /proc is masked."""
    bad = [each for each in containers(spec) if _proc_mount(each) not in (None, "", "Default")]
    if not bad:
        return None
    types = quoted(sorted({str(_proc_mount(each)) for each in bad}))
    return Finding("procMount", f"{named(bad)} must not set securityContext.procMount to {types}")


def proc_mount_of_host_users(meta: Object, spec: Object) -> Finding | None:
    """The same, of pods without users of their own."""
    return None if own_users(spec) else proc_mount(meta, spec)


def _proc_mount(container: Object) -> str | None:
    return security(container).get("procMount")


def privilege_escalation(meta: Object, spec: Object) -> Finding | None:
    """Restricted: no more rights than those of who started it."""
    bad = [
        each
        for each in containers(spec)
        if security(each).get("allowPrivilegeEscalation") is not False
    ]
    if not bad:
        return None
    detail = f"{named(bad)} must set securityContext.allowPrivilegeEscalation=false"
    return Finding("allowPrivilegeEscalation != false", detail)


def privilege_escalation_of_linux(meta: Object, spec: Object) -> Finding | None:
    """The same, of pods that may run on Linux."""
    return None if windows(spec) else privilege_escalation(meta, spec)
