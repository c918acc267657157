"""Experiments drawn by a seed: a pure function of the seed, the cluster's shape and the time."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Final, NamedTuple

from cluster.chaos import experiment as ex
from cluster.chaos.targets import View

_SHORTEST: Final = 2.0
_LONGEST: Final = 30.0
_PAUSE: Final = (1.0, 8.0)
_SETTLE: Final = 5.0
"""The last fault is undone so long before the end."""
_SPARED: Final = ("registry", "etcd", "balancer")
"""Components that are not drawn: with them the whole cluster is down, which says little."""


class _Place(NamedTuple):
    """What a fault is drawn from: when, for how long, and who there is."""

    random: Random
    at: float
    lasts: float
    names: Sequence[str]
    nodes: Sequence[str]

    def process(self) -> ex.Target:
        return ex.Target("process", self.random.choice(self.names))

    def node(self) -> ex.Target:
        return ex.Target("node", self.random.choice(self.nodes))

    def users(self) -> tuple[str, ...]:
        known = ("system:kube-scheduler", "system:kube-controller-manager", "system:*")
        return (self.random.choice(known),)


_Draw = Callable[[_Place], ex.Fault]


def draw(seed: int, view: View, seconds: float, probes: Sequence[ex.Probe] = ()) -> ex.Experiment:
    """An experiment of so many seconds, in which one fault follows another. ValueError."""
    random = Random(f"chaos/{seed}")  # noqa: S311  (repeats)
    names = sorted(one.name for one in view.members if one.component not in _SPARED)
    nodes = sorted(view.nodes)
    if not names:
        raise ValueError("there is nobody to do anything to")
    end = seconds - _SETTLE
    if end < _SHORTEST:
        raise ValueError(f"{seconds:g} s are too short: say at least {_SHORTEST + _SETTLE:g} s")
    faults = []
    at = 1.0
    while at + _SHORTEST <= end:
        lasts = _round(random.uniform(_SHORTEST, min(_LONGEST, end - at)))
        fault = random.choice(_kinds(nodes))(_Place(random, _round(at), lasts, names, nodes))
        faults.append(fault)
        # Now and then the next one begins while this one lasts.
        lasting = fault.seconds if random.random() < 0.7 else fault.seconds / 2
        at += lasting + random.uniform(*_PAUSE)
    return ex.Experiment(
        name=f"random-{seed}",
        description=f"Drawn by the seed {seed} for {len(nodes)} nodes and {len(names)} processes.",
        seed=seed,
        probes=tuple(probes) or _usual(),
        faults=tuple(faults),
        recovery_within=180.0,
    )


def _usual() -> tuple[ex.Probe, ...]:
    return (
        ex.Probe("nodes", ex.NODES_READY),
        ex.Probe("api", ex.API_PROBE, rate=5.0, timeout=5.0),
    )


def _kinds(nodes: Sequence[str]) -> list[_Draw]:
    found: list[_Draw] = [
        _kill,
        _kill,
        _restart,
        _stop,
        _pause,
        _slow,
        _api_error,
        _api_late,
        _watches,
    ]
    if nodes:
        found.append(_node)
    if len(nodes) > 1:
        found += [_cut, _bad_link]
    return found


def _kill(place: _Place) -> ex.Fault:
    return ex.Fault(ex.KILL, place.at, target=place.process())


def _restart(place: _Place) -> ex.Fault:
    return ex.Fault(ex.RESTART, place.at, target=place.process())


def _stop(place: _Place) -> ex.Fault:
    return ex.Fault(ex.STOP, place.at, place.lasts, place.process())


def _pause(place: _Place) -> ex.Fault:
    return ex.Fault(ex.PAUSE, place.at, place.lasts, place.process())


def _slow(place: _Place) -> ex.Fault:
    cpu = round(place.random.uniform(0.05, 0.5), 2)
    return ex.Fault(ex.SLOW, place.at, place.lasts, place.process(), cpu=cpu)


def _node(place: _Place) -> ex.Fault:
    return ex.Fault(ex.STOP, place.at, place.lasts, place.node())


def _cut(place: _Place) -> ex.Fault:
    return ex.Fault(ex.PARTITION, place.at, place.lasts, sides=(place.node(),))


def _bad_link(place: _Place) -> ex.Fault:
    link = ex.Link(
        delay=round(place.random.uniform(0.0, 0.1), 3),
        loss=round(place.random.uniform(0.01, 0.2), 2),
        duplicate=round(place.random.uniform(0.0, 0.05), 2),
    )  # fmt: skip
    return ex.Fault(ex.IMPAIR, place.at, place.lasts, place.node(), link=link)


def _api_error(place: _Place) -> ex.Fault:
    api = ex.ApiFault(
        users=place.users(), code=place.random.choice((409, 429, 500, 503, 504)),
        share=round(place.random.uniform(0.05, 0.5), 2),
    )  # fmt: skip
    return ex.Fault(ex.API, place.at, place.lasts, ex.Target("component", "apiserver"), api=api)


def _api_late(place: _Place) -> ex.Fault:
    api = ex.ApiFault(users=place.users(), latency=round(place.random.uniform(0.05, 2.0), 2))
    return ex.Fault(ex.API, place.at, place.lasts, ex.Target("component", "apiserver"), api=api)


def _watches(place: _Place) -> ex.Fault:
    api = ex.ApiFault(
        users=place.users(),
        verbs=("watch",),
        drop_watches=round(place.random.uniform(0.5, 5.0), 1),
        delay_watches=round(place.random.uniform(0.0, 1.0), 2),
    )  # fmt: skip
    return ex.Fault(ex.API, place.at, place.lasts, ex.Target("component", "apiserver"), api=api)


def _round(seconds: float) -> float:
    return round(seconds, 1)
