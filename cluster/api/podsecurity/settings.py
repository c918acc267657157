"""Checks of what pod and containers may both set: users, profiles, options."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from cluster.api.objects import Object
from cluster.api.podsecurity.words import (
    Finding,
    containers,
    named,
    own_users,
    plural,
    quoted,
    security,
    setters,
    windows,
)

_PROFILES: Final = ("RuntimeDefault", "Localhost")
_SECCOMP_POD: Final = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP_CONTAINER: Final = "container.seccomp.security.alpha.kubernetes.io/"
_APPARMOR: Final = "container.apparmor.security.beta.kubernetes.io/"
_SELINUX_TYPES: Final = ("", "container_t", "container_init_t", "container_kvm_t")


def host_process(meta: Object, spec: Object) -> Finding | None:
    """Baseline: no processes of a Windows node."""

    def sets(holder: Object) -> bool:
        return bool((security(holder).get("windowsOptions") or {}).get("hostProcess"))

    who = setters(sets(spec), [each for each in containers(spec) if sets(each)])
    if not who:
        return None
    return Finding(
        "hostProcess", f"{who} must not set securityContext.windowsOptions.hostProcess=true"
    )


def non_root(meta: Object, spec: Object) -> Finding | None:
    """Restricted: says that it does not run as root."""
    said = security(spec).get("runAsNonRoot")
    bad = [each for each in containers(spec) if security(each).get("runAsNonRoot") is False]
    reason = "runAsNonRoot != true"
    if who := setters(said is False, bad):
        return Finding(reason, f"{who} must not set securityContext.runAsNonRoot=false")
    silent = [each for each in containers(spec) if security(each).get("runAsNonRoot") is None]
    if said is None and silent:
        return Finding(reason, f"pod or {named(silent)} must set securityContext.runAsNonRoot=true")
    return None


def non_root_of_host_users(meta: Object, spec: Object) -> Finding | None:
    """The same, of pods without users of their own."""
    return None if own_users(spec) else non_root(meta, spec)


def not_user_0(meta: Object, spec: Object) -> Finding | None:
    """Restricted: does not run as root."""
    bad = [each for each in containers(spec) if security(each).get("runAsUser") == 0]
    who = setters(security(spec).get("runAsUser") == 0, bad)
    return Finding("runAsUser=0", f"{who} must not set runAsUser=0") if who else None


def not_user_0_of_host_users(meta: Object, spec: Object) -> Finding | None:
    """The same, of pods without users of their own."""
    return None if own_users(spec) else not_user_0(meta, spec)


def _selinux(allowed: Sequence[str]) -> Callable[[Object, Object], Finding | None]:
    def bad(options: Any) -> bool:
        found = options or {}
        return (found.get("type") or "") not in allowed or any(
            found.get(field) for field in ("user", "role")
        )

    def check(meta: Object, spec: Object) -> Finding | None:
        """Baseline: SELinux options as containers have them."""
        own = security(spec).get("seLinuxOptions")
        wrong = [c for c in containers(spec) if bad(security(c).get("seLinuxOptions"))]
        who = setters(bad(own), wrong)
        if not who:
            return None
        holders = [own or {}, *(security(each)["seLinuxOptions"] for each in wrong)]
        types = sorted({t for each in holders if (t := each.get("type") or "") not in allowed})
        what = [f"{plural('type', 'types', len(types))} {quoted(types)}"] if types else []
        said = [f for f in ("user", "role") if any(each.get(f) for each in holders)]
        what += [f"{field} may not be set" for field in said]
        detail = f"{who} set forbidden securityContext.seLinuxOptions: {'; '.join(what)}"
        return Finding("seLinuxOptions", detail)

    return check


selinux_0 = _selinux(_SELINUX_TYPES)
selinux_31 = _selinux((*_SELINUX_TYPES, "container_engine_t"))


def seccomp_annotations(meta: Object, spec: Object) -> Finding | None:
    """Baseline until 1.18: the annotations that fields replaced."""
    annotations = meta.get("annotations") or {}
    keys = [_SECCOMP_POD, *(f"{_SECCOMP_CONTAINER}{c.get('name')}" for c in containers(spec))]
    bad = sorted(
        {
            f'{key}="{said}"'
            for key in keys
            if (said := annotations.get(key)) is not None
            and said not in ("runtime/default", "docker/default")
            and not said.startswith("localhost/")
        }
    )
    if not bad:
        return None
    detail = f"forbidden {plural('annotation', 'annotations', len(bad))} {', '.join(bad)}"
    return Finding("seccompProfile", detail)


def seccomp_baseline(meta: Object, spec: Object) -> Finding | None:
    """Baseline: nobody switches seccomp off."""
    said = _profile(spec, "seccompProfile")
    bad = [c for c in containers(spec) if _profile(c, "seccompProfile") not in (None, *_PROFILES)]
    who = setters(said not in (None, *_PROFILES), bad)
    if not who:
        return None
    values = {str(_profile(holder, "seccompProfile")) for holder in bad}
    if said not in (None, *_PROFILES):
        values.add(str(said))
    where = f"{who} must not set securityContext.seccompProfile.type to {quoted(sorted(values))}"
    return Finding("seccompProfile", where)


def seccomp_restricted(meta: Object, spec: Object) -> Finding | None:
    """Restricted: a seccomp profile is said."""
    found = seccomp_baseline(meta, spec)
    if found is not None:
        return found
    silent = [c for c in containers(spec) if _profile(c, "seccompProfile") is None]
    if not silent or _profile(spec, "seccompProfile") in _PROFILES:
        return None
    detail = (
        f"pod or {named(silent)} must set securityContext.seccompProfile.type to "
        '"RuntimeDefault" or "Localhost"'
    )
    return Finding("seccompProfile", detail)


def seccomp_of_linux(meta: Object, spec: Object) -> Finding | None:
    """The same, of pods that may run on Linux."""
    return None if windows(spec) else seccomp_restricted(meta, spec)


def apparmor(meta: Object, spec: Object) -> Finding | None:
    """Baseline: nobody switches AppArmor off, by field or by annotation."""
    said = _profile(spec, "appArmorProfile")
    bad = [c for c in containers(spec) if _profile(c, "appArmorProfile") not in (None, *_PROFILES)]
    values = {str(_profile(holder, "appArmorProfile")) for holder in bad}
    if said not in (None, *_PROFILES):
        values.add(str(said))
    annotations = sorted(
        f'{key}="{value}"'
        for key, value in (meta.get("annotations") or {}).items()
        if key.startswith(_APPARMOR)
        and value not in ("", "runtime/default")
        and not value.startswith("localhost/")
    )
    who = setters(said not in (None, *_PROFILES), bad)
    if annotations:
        word = plural("annotation", "annotations", len(annotations))
        who = f"{who} and {word}" if who else word
    if not who:
        return None
    wrong = [*sorted(values), *annotations]
    reason = plural("forbidden AppArmor profile", "forbidden AppArmor profiles", len(wrong))
    return Finding(reason, f"{who} must not set AppArmor profile type to {quoted(wrong)}")


def _profile(holder: Object, field: str) -> str | None:
    """The type of a profile; None: not said."""
    found = security(holder).get(field)
    return None if found is None else found.get("type") or ""
