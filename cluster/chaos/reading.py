"""Reads an experiment's file; every error names file, line and field. docs/chaos.md describes it.

apiVersion: kubemu.dev/v1alpha1
kind: Experiment
name: kubelet-stop
steadyState:
  probes:
  - {name: nodes, type: nodesReady}
faults:
- {at: 2s, for: 30s, do: stop, target: {node: any, only: kubelet}}
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from cluster.api import durations, errors, marked_yaml, metadata, selectors
from cluster.api.marked_yaml import Section
from cluster.chaos import experiment as ex
from cluster.chaos import manifests

_MOST_FAULTS: Final = 1000
_MOST_NODES: Final = 10_000
_VERBS: Final = ("get", "list", "watch", "create", "update", "patch", "delete")
_CODES: Final = (400, 401, 403, 404, 409, 410, 429, 500, 503, 504)
_COMPONENTS: Final = (
    "apiserver", "scheduler", "controller-manager", "runtime", "kubelet", "kube-proxy", "registry",
    "etcd", "balancer",
)  # fmt: skip
_OF_ALL: Final = frozenset(
    {"do", "at", "for", "spacing", "target", "users", "verbs", "resources", "share"}
)
"""Fields of a fault that do not say what is done."""
_LEASED: Final = (ex.API, ex.DISK, ex.SLOW)
"""An API server, or the supervisor, undoes these by itself: within an hour, and later than we."""
_LONGEST_LEASED: Final = 3600.0 - 30.0
_MOST_LATE: Final = 3600.0
"""More is refused by an API server; and of the two below by its disk, and by a link."""
_MOST_LATE_COMMIT: Final = 60.0
_MOST_LATE_PACKET: Final = 60.0
_LEAST_CPU: Final = 0.01
"""Of each tenth of a second; it is also the least of which a slow process is deprived."""
_UNITS: Final = {"kbit": 1e3, "mbit": 1e6, "gbit": 1e9, "bit": 1.0}


def load(path: Path) -> ex.Experiment:
    """Read the file at `path`. marked_yaml.InvalidFile; OSError where it cannot be read."""
    return parse(path.read_text(encoding="utf-8"), str(path))


def parse(text: str, file: str) -> ex.Experiment:
    """Read an experiment's text; `file` is its name in messages. marked_yaml.InvalidFile."""
    problems: list[marked_yaml.Problem] = []
    top = marked_yaml.read(text, file, problems)
    found = _experiment(top)
    top.finish()
    if problems:
        raise marked_yaml.InvalidFile(problems)
    return found


def _experiment(top: Section) -> ex.Experiment:
    top.take_text("apiVersion", check=_one_of(ex.API_VERSION))
    top.take_text("kind", check=_one_of(ex.KIND))
    name = top.take_text("name", check=metadata.dns1123_subdomain)
    _required(top, "apiVersion", "kind", "name", "faults")
    steady = top.take_section("steadyState")
    recovery = top.take_section("recovery")
    faults = top.take_sections("faults")
    if len(faults) > _MOST_FAULTS:
        top.complain(f"has more than {_MOST_FAULTS} faults", "faults")
    made = ex.Experiment(
        name=name,
        description=top.take_text("description").strip(),
        seed=top.take_number("seed", 0, 0, 2**63 - 1),
        needs=_needs(top.take_section("needs")),
        workload=_workload(top),
        steady_within=_seconds(steady, "within", 60.0),
        steady_for=_seconds(steady, "for", 3.0),
        probes=_probes(steady),
        faults=tuple(_fault(section) for section in faults[:_MOST_FAULTS]),
        recovery_within=_seconds(recovery, "within", 120.0, _longer_than(ex.WELL_FOR)),
        expect=_expectations(top.take_section("expect")),
    )
    for section in (steady, recovery):
        if section is not None:
            section.finish()
    return made


def _workload(top: Section) -> str:
    text = top.take_text("workload")
    if text:
        try:
            manifests.read(text)
        except manifests.Wrong as error:
            line = top.line_within("workload", error.line) if error.line else 0
            said = str(error)
            if error.line > 1 and not line:
                kind, colon, rest = said.rpartition(": ")
                said = f"{kind}{colon}line {error.line} of its text: {rest}"
            top.complain(said, "workload", line)
    return text


def _needs(section: Section | None) -> ex.Needs:
    if section is None:
        return ex.Needs()
    made = ex.Needs(
        nodes=section.take_number("nodes", 1, 0, _MOST_NODES),
        zones=section.take_number("zones", 0, 0, _MOST_NODES),
        racks=section.take_number("racks", 0, 0, _MOST_NODES),
    )
    section.finish()
    return made


def _probes(steady: Section | None) -> tuple[ex.Probe, ...]:
    found: dict[str, ex.Probe] = {}
    for section in steady.take_sections("probes") if steady is not None else ():
        probe = _probe(section)
        if probe.kind:
            section.finish()
        if probe.name and probe.name in found:
            section.complain(f"there is another probe {probe.name}", "name")
        found[probe.name] = probe
    return tuple(found.values())


def _probe(section: Section) -> ex.Probe:
    name = section.take_text("name", check=metadata.dns1123_label)
    kind = section.take_text("type", check=_one_of(*ex.PROBES))
    _required(section, "name", "type")
    if kind == ex.NODES_READY:
        number, of_all = _amount(section, "atLeast")
        return ex.Probe(name, kind, at_least=number, of_all=of_all)
    if kind == ex.DEPLOYMENT:
        subject, namespace = section.take_text("deployment"), _namespace(section)
        _required(section, "deployment")
        return ex.Probe(name, kind, namespace=namespace, subject=subject)
    if kind == ex.PODS_READY:
        subject = section.take_text("selector", check=_selector)
        namespace = _namespace(section)
        _required(section, "selector", "atLeast")
        number, of_all = _amount(section, "atLeast")
        return ex.Probe(
            name, kind, at_least=number, of_all=of_all, namespace=namespace, subject=subject
        )
    asking: dict[str, Any] = {
        "rate": _number(section, "rate", 10.0, 0.01, 1000.0),
        "timeout": _seconds(section, "timeout", 1.0),
        "availability": _share(section, "availability", 0.0),
        "p99": _seconds(section, "p99", 0.0),
    }
    if kind == ex.API_PROBE:
        return ex.Probe(name, kind, **asking)
    subject, namespace = section.take_text("service"), _namespace(section)
    if kind == ex.HTTP:
        _required(section, "service")
    return ex.Probe(
        name, kind, namespace=namespace, subject=subject, port=section.take_text("port"),
        path=section.take_text("path", "/", _path), host=section.take_text("host", check=_host),
        **asking,
    )  # fmt: skip


def _fault(section: Section) -> ex.Fault:
    action = section.take_text("do", check=_one_of(*ex.ACTIONS))
    _required(section, "do")
    at = _seconds(section, "at", 0.0)
    seconds = 0.0
    if action not in ex.MOMENTARY:
        most = _LONGEST_LEASED if action in _LEASED else float("inf")
        seconds = _seconds(section, "for", 0.0, _longer_than(0.0, most))
        if action and not section.given("for"):
            section.complain("must say how long it lasts", "for")
    spacing = _seconds(section, "spacing", 0.0)
    sides: tuple[ex.Target, ...] = ()
    target = None
    if action == ex.PARTITION:
        sides = tuple(filter(None, (_target(side) for side in section.take_sections("sides"))))
        if "sides" not in section.troubles() and not sides:
            section.complain("is missing", "sides")
    elif action != ex.LOAD:
        inner = section.take_section("target")
        target = _target(inner) if inner is not None else None
        if inner is None and action in (ex.API, ex.DISK):
            target = ex.Target("component", "apiserver")
        elif action:
            _required(section, "target")
    if action == ex.SLOW:
        _required(section, "cpu")
    made = ex.Fault(
        action, at, seconds, target, sides, spacing,
        cpu=_share(section, "cpu", 1.0, _is_slow) if action == ex.SLOW else 1.0,
        offset=_offset(section) if action == ex.CLOCK else 0.0,
        link=_link(section) if action == ex.IMPAIR else ex.Link(),
        api=_api(section) if action == ex.API else ex.ApiFault(),
        disk=_disk(section) if action == ex.DISK else ex.DiskFault(),
        load=_load(section) if action == ex.LOAD else ex.Load(),
    )  # fmt: skip
    if action:
        section.finish()
        _check_effect(section, made)
    return made


def _check_effect(section: Section, made: ex.Fault) -> None:
    """A fault says what it does, and is not asked where it may have been said wrongly."""
    api, load = made.api, made.load
    missing = {
        ex.IMPAIR: made.link == ex.Link() and "wrong: delay, jitter, loss, duplicate, rate…",
        ex.API: not any((api.code, api.latency, api.drop_watches, api.delay_watches, api.stale))
        and "done: code, latency, dropWatches, delayWatches or stale",
        ex.DISK: made.disk == ex.DiskFault() and "wrong with the disk: full or latency",
        ex.LOAD: not (load.watches or load.lists or load.writes)
        and "asked for: watches, lists or writes",
    }.get(made.action)
    if missing and not section.troubles() - _OF_ALL:
        section.complain(f"says nothing of what is {missing}")


def _target(section: Section) -> ex.Target | None:
    given = [kind for kind in ex.TARGETS if section.given(kind)]
    kind = given[0] if given else ""
    checks = {"nodes": _selector, "component": _one_of(*_COMPONENTS)}
    texts = {one: section.take_text(one, check=checks.get(one)) for one in ex.TARGETS}
    only = section.take_text("only", check=_one_of("runtime", "kubelet", "kube-proxy"))
    if only and kind not in ("node", "nodes", "rack", "zone"):
        section.complain("is for targets that are nodes", "only")
    section.finish()
    misspelt = section.troubles() - {*ex.TARGETS, "only"}
    if len(given) > 1 or not (given or misspelt):
        section.complain(f"names its target by exactly one of {', '.join(ex.TARGETS)}")
    if not kind:
        return None
    if not texts[kind]:
        if kind not in section.troubles():
            section.complain("is empty", kind)
        return None
    return ex.Target(kind, texts[kind], only)


def _link(section: Section) -> ex.Link:
    return ex.Link(
        delay=_seconds(section, "delay", 0.0, _up_to(_MOST_LATE_PACKET)),
        jitter=_seconds(section, "jitter", 0.0, _up_to(_MOST_LATE_PACKET)),
        loss=_share(section, "loss", 0.0),
        duplicate=_share(section, "duplicate", 0.0),
        reorder=_share(section, "reorder", 0.0),
        rate=_rate(section),
    )


def _api(section: Section) -> ex.ApiFault:
    code = section.take_text("code", check=_one_of(*map(str, _CODES)))
    return ex.ApiFault(
        users=section.take_texts("users"),
        verbs=section.take_texts("verbs", _one_of(*_VERBS)),
        resources=section.take_texts("resources"),
        share=_share(section, "share", 1.0, _is_some),
        code=int(code or 0),
        latency=_seconds(section, "latency", 0.0, _up_to(_MOST_LATE)),
        drop_watches=_seconds(section, "dropWatches", 0.0, _up_to(_MOST_LATE)),
        delay_watches=_seconds(section, "delayWatches", 0.0, _up_to(_MOST_LATE)),
        stale=section.take_truth("stale", default=False),
    )


def _disk(section: Section) -> ex.DiskFault:
    return ex.DiskFault(
        full=section.take_truth("full", default=False),
        latency=_seconds(section, "latency", 0.0, _up_to(_MOST_LATE_COMMIT)),
    )


def _load(section: Section) -> ex.Load:
    return ex.Load(
        watches=section.take_number("watches", 0, 0, 10_000),
        reopen=_seconds(section, "reopen", 0.0),
        lists=_number(section, "lists", 0.0, 0.0, 10_000.0),
        writes=_number(section, "writes", 0.0, 0.0, 10_000.0),
    )


def _expectations(section: Section | None) -> dict[str, float]:
    found: dict[str, float] = {}
    if section is None:
        return found
    for mark in ex.MARKS:
        if mark in section:
            text = section.take_text(mark, check=_duration_or_never)
            found[mark] = ex.NEVER if text == "never" else _parsed(text or "0s")
        else:
            section.take_text(mark)
    section.finish()
    return found


# ---- single values -------------------------------------------------------------------------------


def _required(section: Section, *fields: str) -> None:
    for field in fields:
        if not section.given(field):
            section.complain("is missing", field)


def _namespace(section: Section) -> str:
    return section.take_text("namespace", "default", metadata.dns1123_label)


def _seconds(
    section: Section | None, field: str, default: float, check: marked_yaml.Check | None = None
) -> float:
    if section is None or field not in section:
        if section is not None:
            section.take_text(field)
        return default
    text = section.take_text(field, check=check or _duration)
    return _parsed(text) if text else default


def _offset(section: Section) -> float:
    """Of a clock: `5m`, or `-5m` for one that is late."""
    text = section.take_text("offset", check=lambda text: _duration(text.removeprefix("-")))
    _required(section, "offset")
    if not text:
        return 0.0
    seconds = _parsed(text.removeprefix("-"))
    return -seconds if text.startswith("-") else seconds


def _share(
    section: Section, field: str, default: float, check: marked_yaml.Check | None = None
) -> float:
    text = section.take_text(field, check=check or _is_share)
    return _share_of(text) if text else default


def _share_of(text: str) -> float:
    return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)


def _amount(section: Section, field: str) -> tuple[float, bool]:
    """A whole number, or a share of all (`60%`)."""
    text = section.take_text(field, "100%", _is_amount)
    return (_share_of(text), True) if text.endswith("%") else (float(text), False)


def _number(section: Section, field: str, default: float, least: float, most: float) -> float:
    def check(text: str) -> Iterable[str]:
        try:
            fits = least <= float(text) <= most
        except ValueError:
            fits = False
        return () if fits else (f"must be a number from {least:g} to {most:g}",)

    text = section.take_text(field, check=check)
    return float(text) if text else default


def _rate(section: Section) -> float:
    text = section.take_text("rate", check=_is_rate)
    return _rate_of(text) if text else 0.0


def _rate_of(text: str) -> float:
    unit = next((unit for unit in _UNITS if text.endswith(unit)), "")
    return float(text.removesuffix(unit)) * _UNITS.get(unit, 1.0)


def _is_rate(text: str) -> Iterable[str]:
    try:
        fits = 0 < _rate_of(text) < 1e12
    except ValueError:
        fits = False
    return () if fits else ("must be a rate such as 10mbit or 512kbit",)


def _is_share(text: str) -> Iterable[str]:
    try:
        fits = 0 <= _share_of(text) <= 1
    except ValueError:
        fits = False
    return () if fits else ("must be a share such as 20% or 0.2",)


def _is_some(text: str) -> Iterable[str]:
    """A share of nothing would be no fault."""
    complaints = list(_is_share(text))
    return complaints or (() if _share_of(text) > 0 else ("must be more than 0",))


def _is_slow(text: str) -> Iterable[str]:
    """A process with no CPU is paused, and one with all of it is not slow."""
    if complaints := list(_is_share(text)):
        return complaints
    fits = _LEAST_CPU <= _share_of(text) <= 1 - _LEAST_CPU
    return () if fits else ("must be from 1% to 99%",)


def _is_amount(text: str) -> Iterable[str]:
    fits = text.isdecimal() or (text.endswith("%") and not list(_is_share(text)))
    return () if fits else ("must be a whole number, or a share such as 60%",)


def _parsed(text: str) -> float:
    """Seconds to a microsecond: the sums of parts in binary are a little off."""
    return round(durations.parse(text), 6)


def _duration(text: str) -> Iterable[str]:
    try:
        durations.parse(text)
    except ValueError:
        return ("must be a duration such as 1m30s or 250ms",)
    return ()


def _longer_than(least: float, most: float = float("inf")) -> marked_yaml.Check:
    def check(text: str) -> Iterable[str]:
        if complaints := list(_up_to(most)(text)):
            return complaints
        fits = _parsed(text) > least
        return () if fits else (f"must be longer than {durations.format(least)}",)

    return check


def _up_to(most: float) -> marked_yaml.Check:
    def check(text: str) -> Iterable[str]:
        if complaints := list(_duration(text)):
            return complaints
        return () if _parsed(text) <= most else (f"must be at most {durations.format(most)}",)

    return check


def _duration_or_never(text: str) -> Iterable[str]:
    return () if text == "never" or not list(_duration(text)) else (
        "must be a duration such as 1m30s, or never",
    )  # fmt: skip


def _selector(text: str) -> Iterable[str]:
    try:
        selectors.parse_labels(text)
    except errors.StatusError as error:
        return (error.message,)
    return ()


def _path(text: str) -> Iterable[str]:
    fits = text.startswith("/") and text.isprintable() and " " not in text
    return () if fits else ("must be a path that begins with /",)


def _host(text: str) -> Iterable[str]:
    fits = text.isprintable() and " " not in text
    return () if fits else ("must be a host's name",)


def _one_of(*wanted: str) -> marked_yaml.Check:
    said = f"one of {', '.join(wanted)}" if len(wanted) > 1 else wanted[0]
    return lambda text: () if text in wanted else (f"must be {said}",)
