"""What is done to a cluster, as values: one `Act` each, and what undoes it.

A fault becomes acts once its target is known (`of`). Acts are written down before they are carried
out (`journal`), so that whoever comes after a crash can undo them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from cluster.chaos import experiment as ex
from cluster.chaos.targets import Chosen

STOP, START, KILL, RESTART, PAUSE, RESUME, SLOW = (
    "stop", "start", "kill", "restart", "pause", "resume", "slow",
)  # fmt: skip
LINKS, FAULTS, DISK, SKEW, LOAD = "links", "faults", "disk", "skew", "load"
REMOVE: Final = "remove"
"""Of an object of the workload: `member` is its name, `id` its resource."""

OF_DATA: Final = (LOAD, REMOVE)
"""Whose undoing is of objects, which outlive the processes where the data is kept."""

_UNDONE_BY: Final = {STOP: START, PAUSE: RESUME}
_STARTED_AGAIN: Final = (KILL, RESTART)
"""These start again whom they end; it is to be undone where that did not come about."""


@dataclass(frozen=True, slots=True)
class LinkState:
    """What a node's link to another node (`link`) is to be."""

    link: str
    cut: bool | None = None
    how: ex.Link | None = None


@dataclass(frozen=True, slots=True)
class Act:
    """One thing done to one `member`: a process, or with LINKS a node.

    `id` names what an API server is told, so that it can be told to forget it; `seconds` is after
    what time it forgets it, or a slow process is quick again, by itself. `after` is said by a start
    that undoes a KILL or a RESTART, which is needed only where those were cut short.
    """

    op: str
    member: str
    id: str = ""
    seconds: float = 0.0
    cpu: float = 1.0
    offset: float = 0.0
    links: tuple[LinkState, ...] = ()
    api: ex.ApiFault | None = None
    disk: ex.DiskFault | None = None
    load: ex.Load | None = None
    namespace: str = ""
    after: str = ""

    def __str__(self) -> str:
        return f"{self.op} {self.member}"


def of(fault: ex.Fault, chosen: Chosen, id: str, slack: float = 30.0) -> list[Act]:
    """What carries a fault out. `slack` is how much later than planned an API server, or the
    supervisor, undoes it by itself.
    """
    lease = fault.seconds + slack
    names = chosen.members
    match fault.action:
        case ex.STOP | ex.KILL | ex.PAUSE | ex.RESTART:
            return [Act(fault.action, name) for name in names]
        case ex.SLOW:
            return [Act(SLOW, name, cpu=fault.cpu, seconds=lease) for name in names]
        case ex.CLOCK:
            return [Act(SKEW, name, offset=fault.offset) for name in names]
        case ex.API:
            return [Act(FAULTS, name, id, lease, api=fault.api) for name in names]
        case ex.DISK:
            return [Act(DISK, name, id, lease, disk=fault.disk) for name in names]
        case ex.LOAD:
            return [Act(LOAD, "", id, lease, load=fault.load)]
        case ex.PARTITION:
            return _partition(chosen.sides, chosen.everybody)
        case ex.IMPAIR:
            return _impairment(chosen.nodes, chosen.everybody, fault.link)
        case _:
            raise ValueError(f"there is no action {fault.action}")


def undoing(act: Act) -> Act | None:
    """What undoes an act; None where there is nothing to undo."""
    if act.op in _UNDONE_BY:
        return Act(_UNDONE_BY[act.op], act.member)
    if act.op in _STARTED_AGAIN:
        return Act(START, act.member, after=act.op)
    if act.op == SLOW:
        return Act(SLOW, act.member)
    if act.op == SKEW:
        return Act(SKEW, act.member)
    if act.op in (FAULTS, DISK, LOAD):
        return Act(act.op, act.member, act.id)
    if act.op == LINKS:
        good = tuple(
            LinkState(
                state.link,
                None if state.cut is None else False,
                None if state.how is None else ex.Link(),
            )
            for state in act.links
        )
        return Act(LINKS, act.member, links=good)
    return None


def undoes(act: Act) -> bool:
    """Whether an act makes good again what another did: nobody who is not there needs that."""
    return act.op in _UNDONE_BY.values() or undoing(act) == act


def _partition(sides: Sequence[Sequence[str]], everybody: Sequence[str]) -> list[Act]:
    """One side alone is cut off from all others."""
    side = {node: number for number, nodes in enumerate(sides) for node in nodes}
    if len(sides) == 1:
        side |= {node: -1 for node in everybody if node not in side}
    acts = []
    for node in everybody:
        others = [other for other in everybody if node in side and other in side]
        cut = tuple(LinkState(other, cut=True) for other in others if side[other] != side[node])
        if cut:
            acts.append(Act(LINKS, node, links=cut))
    return acts


def _impairment(nodes: Sequence[str], everybody: Sequence[str], how: ex.Link) -> list[Act]:
    """All links of nodes are bad, both ways."""
    acts = []
    for node in everybody:
        bad = [other for other in everybody if other != node and (node in nodes or other in nodes)]
        if bad:
            acts.append(Act(LINKS, node, links=tuple(LinkState(one, how=how) for one in bad)))
    return acts


def document(act: Act) -> dict[str, Any]:
    """An act for JSON."""
    usual = Act(act.op, act.member)
    found = asdict(act)
    return {
        one.name: found[one.name]
        for one in fields(Act)
        if one.name in ("op", "member") or getattr(act, one.name) != getattr(usual, one.name)
    }


def read(found: Mapping[str, Any]) -> Act:
    """The act of `document`. KeyError, TypeError where it is none."""
    given = dict(found)
    links = tuple(
        LinkState(one["link"], one["cut"], ex.Link(**one["how"]) if one["how"] else None)
        for one in given.pop("links", ())
    )
    api = given.pop("api", None)
    if api is not None:
        lists = {name: tuple(api[name]) for name in ("users", "verbs", "resources")}
        api = ex.ApiFault(**{**api, **lists})
    disk, load = given.pop("disk", None), given.pop("load", None)
    return Act(
        **given, links=links, api=api,
        disk=ex.DiskFault(**disk) if disk is not None else None,
        load=ex.Load(**load) if load is not None else None,
    )  # fmt: skip
