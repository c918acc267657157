"""Which checks a standard is made of, and what they find in a pod."""

from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

from cluster.api.objects import Object
from cluster.api.podsecurity import containerchecks, podchecks, settings
from cluster.api.podsecurity.levels import PRIVILEGED, RESTRICTED, Standard
from cluster.api.podsecurity.words import Finding

Check = Callable[[Object, Object], Finding | None]


class _Versioned(NamedTuple):
    """A check by its name, the states that it had (since which minor version), and what stricter
    check stands in for it where that exists.
    """

    name: str
    states: tuple[tuple[int, Check], ...]
    instead: str = ""


# In the order in which Kubernetes reports them: by the names of its files.
_BASELINE: Final = (
    _Versioned("appArmorProfile", ((0, settings.apparmor),)),
    _Versioned(
        "capabilities_baseline",
        ((0, containerchecks.capabilities_baseline),),
        "capabilities_restricted",
    ),
    _Versioned("hostNamespaces", ((0, podchecks.host_namespaces),)),
    _Versioned("hostPathVolumes", ((0, podchecks.host_paths),), "restrictedVolumes"),
    _Versioned("hostPorts", ((0, containerchecks.host_ports),)),
    _Versioned("hostProbesAndHostLifecycle", ((34, containerchecks.host_probes),)),
    _Versioned("privileged", ((0, containerchecks.privileged),)),
    _Versioned(
        "procMount",
        ((0, containerchecks.proc_mount), (35, containerchecks.proc_mount_of_host_users)),
    ),
    _Versioned("seLinuxOptions", ((0, settings.selinux_0), (31, settings.selinux_31))),
    _Versioned(
        "seccompProfile_baseline",
        ((0, settings.seccomp_annotations), (19, settings.seccomp_baseline)),
        "seccompProfile_restricted",
    ),
    _Versioned(
        "sysctls",
        (
            (0, podchecks.sysctls_0),
            (27, podchecks.sysctls_27),
            (29, podchecks.sysctls_29),
            (32, podchecks.sysctls_32),
        ),
    ),
    _Versioned("windowsHostProcess", ((0, settings.host_process),)),
)
_RESTRICTED: Final = (
    _Versioned(
        "allowPrivilegeEscalation",
        (
            (8, containerchecks.privilege_escalation),
            (25, containerchecks.privilege_escalation_of_linux),
        ),
    ),
    _Versioned(
        "capabilities_restricted",
        (
            (22, containerchecks.capabilities_restricted),
            (25, containerchecks.capabilities_of_linux),
        ),
    ),
    _Versioned("restrictedVolumes", ((0, podchecks.restricted_volumes),)),
    _Versioned("runAsNonRoot", ((0, settings.non_root), (35, settings.non_root_of_host_users))),
    _Versioned("runAsUser", ((23, settings.not_user_0), (35, settings.not_user_0_of_host_users))),
    _Versioned(
        "seccompProfile_restricted",
        ((19, settings.seccomp_restricted), (25, settings.seccomp_of_linux)),
    ),
)


@lru_cache(256)
def checks(standard: Standard) -> tuple[Check, ...]:
    """The checks of a standard."""
    if standard.level == PRIVILEGED:
        return ()
    stricter: dict[str, Check] = {}
    if standard.level == RESTRICTED:
        for each in _RESTRICTED:
            check = _at(each, standard.minor)
            if check is not None:
                stricter[each.name] = check
    found = [
        check
        for each in _BASELINE
        if each.instead not in stricter and (check := _at(each, standard.minor)) is not None
    ]
    return (*found, *stricter.values())


def findings(standard: Standard, meta: Object, spec: Object) -> list[Finding]:
    """What a standard has against a pod of this metadata and spec, or a template's."""
    return [found for check in checks(standard) if (found := check(meta, spec)) is not None]


def _at(each: _Versioned, minor: int) -> Check | None:
    found = None
    for since, check in each.states:
        if since <= minor:
            found = check
    return found
