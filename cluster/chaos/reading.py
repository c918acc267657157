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

from pathlib import Path
from typing import Any, Final

from cluster.api import marked_yaml, metadata
from cluster.api.marked_yaml import Section
from cluster.chaos import experiment as ex
from cluster.chaos import manifests, values

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
    top.take_text("apiVersion", check=values.one_of(ex.API_VERSION))
    top.take_text("kind", check=values.one_of(ex.KIND))
    name = top.take_text("name", check=metadata.dns1123_subdomain)
    values.required(top, "apiVersion", "kind", "name", "faults")
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
        steady_within=values.seconds(steady, "within", 60.0),
        steady_for=values.seconds(steady, "for", 3.0),
        probes=_probes(steady),
        faults=tuple(_fault(section) for section in faults[:_MOST_FAULTS]),
        recovery_within=values.seconds(recovery, "within", 120.0, values.longer_than(ex.WELL_FOR)),
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
    kind = section.take_text("type", check=values.one_of(*ex.PROBES))
    values.required(section, "name", "type")
    if kind == ex.NODES_READY:
        number, of_all = values.amount(section, "atLeast")
        return ex.Probe(name, kind, at_least=number, of_all=of_all)
    if kind == ex.DEPLOYMENT:
        subject = section.take_text("deployment", check=metadata.dns1123_subdomain)
        namespace = values.namespace(section)
        values.required(section, "deployment")
        return ex.Probe(name, kind, namespace=namespace, subject=subject)
    if kind == ex.PODS_READY:
        subject = section.take_text("selector", check=values.selector)
        namespace = values.namespace(section)
        values.required(section, "selector", "atLeast")
        number, of_all = values.amount(section, "atLeast")
        return ex.Probe(
            name, kind, at_least=number, of_all=of_all, namespace=namespace, subject=subject
        )
    asking: dict[str, Any] = {
        "rate": values.number(section, "rate", 10.0, 0.01, 1000.0),
        "timeout": values.seconds(section, "timeout", 1.0, values.longer_than(0.0)),
        "availability": values.share(section, "availability", 0.0),
        "p99": values.seconds(section, "p99", 0.0, values.longer_than(0.0)),
    }
    if kind == ex.API_PROBE:
        return ex.Probe(name, kind, **asking)
    subject = section.take_text("service", check=metadata.dns1123_label)
    namespace = values.namespace(section)
    if kind == ex.HTTP:
        values.required(section, "service")
    port = section.take_text("port", check=values.port)
    path = section.take_text("path", "/", values.path)
    host = section.take_text("host", check=values.host)
    return ex.Probe(
        name, kind, namespace=namespace, subject=subject, port=port, path=path, host=host, **asking
    )


def _fault(section: Section) -> ex.Fault:
    action = section.take_text("do", check=values.one_of(*ex.ACTIONS))
    values.required(section, "do")
    at = values.seconds(section, "at", 0.0)
    seconds = 0.0
    if action not in ex.MOMENTARY:
        most = _LONGEST_LEASED if action in _LEASED else values.LONGEST
        seconds = values.seconds(section, "for", 0.0, values.longer_than(0.0, most))
        if action and not section.given("for"):
            section.complain("must say how long it lasts", "for")
    spacing = values.seconds(section, "spacing", 0.0)
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
            values.required(section, "target")
    if action == ex.SLOW:
        values.required(section, "cpu")
    made = ex.Fault(
        action, at, seconds, target, sides, spacing,
        cpu=values.share(section, "cpu", 1.0, values.is_slow) if action == ex.SLOW else 1.0,
        offset=values.offset(section) if action == ex.CLOCK else 0.0,
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
    checks = {"nodes": values.selector, "component": values.one_of(*_COMPONENTS)}
    texts = {one: section.take_text(one, check=checks.get(one)) for one in ex.TARGETS}
    only = section.take_text("only", check=values.one_of("runtime", "kubelet", "kube-proxy"))
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
        delay=values.seconds(section, "delay", 0.0, values.up_to(_MOST_LATE_PACKET)),
        jitter=values.seconds(section, "jitter", 0.0, values.up_to(_MOST_LATE_PACKET)),
        loss=values.share(section, "loss", 0.0),
        duplicate=values.share(section, "duplicate", 0.0),
        reorder=values.share(section, "reorder", 0.0),
        rate=values.rate(section),
    )


def _api(section: Section) -> ex.ApiFault:
    code = section.take_text("code", check=values.one_of(*map(str, _CODES)))
    return ex.ApiFault(
        users=section.take_texts("users"),
        verbs=section.take_texts("verbs", values.one_of(*_VERBS)),
        resources=section.take_texts("resources"),
        share=values.share(section, "share", 1.0, values.is_some),
        code=int(code or 0),
        latency=values.seconds(section, "latency", 0.0, values.up_to(_MOST_LATE)),
        drop_watches=values.seconds(section, "dropWatches", 0.0, values.up_to(_MOST_LATE)),
        delay_watches=values.seconds(section, "delayWatches", 0.0, values.up_to(_MOST_LATE)),
        stale=section.take_truth("stale", default=False),
    )


def _disk(section: Section) -> ex.DiskFault:
    return ex.DiskFault(
        full=section.take_truth("full", default=False),
        latency=values.seconds(section, "latency", 0.0, values.up_to(_MOST_LATE_COMMIT)),
    )


def _load(section: Section) -> ex.Load:
    return ex.Load(
        watches=section.take_number("watches", 0, 0, 10_000),
        reopen=values.seconds(section, "reopen", 0.0),
        lists=values.number(section, "lists", 0.0, 0.0, 10_000.0),
        writes=values.number(section, "writes", 0.0, 0.0, 10_000.0),
    )


def _expectations(section: Section | None) -> dict[str, float]:
    found: dict[str, float] = {}
    if section is None:
        return found
    for mark in ex.MARKS:
        if mark in section:
            text = section.take_text(mark, check=values.duration_or_never)
            found[mark] = ex.NEVER if text == "never" else values.parsed(text or "0s")
        else:
            section.take_text(mark)
    section.finish()
    return found
