"""Writes an experiment as the file that it could have come from: `reading` gives the same again."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, Final

import yaml

from cluster.api import durations
from cluster.chaos import experiment as ex

_NAMES: Final = {"drop_watches": "dropWatches", "delay_watches": "delayWatches"}
_DURATIONS: Final = ("delay", "jitter", "latency", "drop_watches", "delay_watches", "reopen")


class _Text(str):
    """Several lines, which are written as a block."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    pass


_Dumper.add_representer(
    _Text,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style="|"),
)


def text(made: ex.Experiment) -> str:
    """The YAML of an experiment."""
    return yaml.dump(document(made), Dumper=_Dumper, sort_keys=False, width=100, allow_unicode=True)


def document(made: ex.Experiment) -> dict[str, Any]:
    """An experiment as the document of its file; what is usual is left out."""
    usual = ex.Experiment("")
    found: dict[str, Any] = {"apiVersion": ex.API_VERSION, "kind": ex.KIND, "name": made.name}
    if made.description:
        found["description"] = made.description
    if made.seed:
        found["seed"] = made.seed
    needs = _differing(made.needs, ex.Needs())
    if needs:
        found["needs"] = needs
    if made.workload:
        found["workload"] = _Text(made.workload)
    steady: dict[str, Any] = {}
    if made.steady_within != usual.steady_within:
        steady["within"] = _seconds(made.steady_within)
    if made.steady_for != usual.steady_for:
        steady["for"] = _seconds(made.steady_for)
    if made.probes:
        steady["probes"] = [dict(_probe(probe)) for probe in made.probes]
    if steady:
        found["steadyState"] = steady
    found["faults"] = [dict(_fault(fault)) for fault in made.faults]
    if made.recovery_within != usual.recovery_within:
        found["recovery"] = {"within": _seconds(made.recovery_within)}
    if made.expect:
        found["expect"] = _expectations(made.expect)
    return found


def _expectations(expect: Mapping[str, float]) -> dict[str, str]:
    return {
        mark: "never" if expect[mark] == ex.NEVER else _seconds(expect[mark])
        for mark in ex.MARKS
        if mark in expect
    }


def _probe(probe: ex.Probe) -> Iterator[tuple[str, Any]]:
    usual = ex.Probe("", probe.kind)
    yield "name", probe.name
    yield "type", probe.kind
    if probe.namespace != usual.namespace:
        yield "namespace", probe.namespace
    if probe.kind in (ex.NODES_READY, ex.PODS_READY):
        amount = f"{probe.at_least * 100:.12g}%" if probe.of_all else int(probe.at_least)
        yield "atLeast", amount
    if probe.subject:
        named = {ex.DEPLOYMENT: "deployment", ex.PODS_READY: "selector", ex.HTTP: "service"}
        yield named[probe.kind], probe.subject
    for name in ("port", "path", "host"):
        if getattr(probe, name) != getattr(usual, name):
            yield name, getattr(probe, name)
    if probe.rate != usual.rate:
        yield "rate", _plain(probe.rate)
    for name in ("timeout", "p99"):
        if getattr(probe, name) != getattr(usual, name):
            yield name, _seconds(getattr(probe, name))
    if probe.availability:
        yield "availability", _share(probe.availability)


def _fault(fault: ex.Fault) -> Iterator[tuple[str, Any]]:
    yield "at", _seconds(fault.at)
    if fault.action not in ex.MOMENTARY:
        yield "for", _seconds(fault.seconds)
    yield "do", fault.action
    if fault.target is not None:
        yield "target", _target(fault.target)
    if fault.sides:
        yield "sides", [_target(side) for side in fault.sides]
    if fault.spacing:
        yield "spacing", _seconds(fault.spacing)
    if fault.action == ex.SLOW:
        yield "cpu", _share(fault.cpu)
    if fault.action == ex.CLOCK:
        sign = "-" if fault.offset < 0 else ""
        yield "offset", f"{sign}{_seconds(abs(fault.offset))}"
    for settings, usual in (
        (fault.link, ex.Link()),
        (fault.api, ex.ApiFault()),
        (fault.disk, ex.DiskFault()),
        (fault.load, ex.Load()),
    ):
        yield from _differing(settings, usual).items()


def _target(target: ex.Target) -> dict[str, str]:
    return {target.kind: target.value, **({"only": target.only} if target.only else {})}


def _differing(settings: Any, usual: Any) -> dict[str, Any]:
    """The fields of settings that are not as usual."""
    found: dict[str, Any] = {}
    for one in fields(settings):
        value = getattr(settings, one.name)
        if value != getattr(usual, one.name):
            found[_NAMES.get(one.name, one.name)] = _value(one.name, value)
    return found


def _value(name: str, value: Any) -> Any:
    if name in _DURATIONS:
        return _seconds(value)
    if isinstance(value, tuple):
        return list(value)
    return _plain(value) if isinstance(value, float) else value


def _plain(number: float) -> float | int:
    return int(number) if number == int(number) else number


def _share(share: float) -> str:
    return f"{share * 100:.12g}%"


def _seconds(seconds: float) -> str:
    return durations.format(seconds)
