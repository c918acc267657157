"""What a container of the sim driver does: said by `kubemu.dev/` annotations, or by its command.

`kubemu.dev/KEY` speaks of every container of the pod that is not an init container,
`kubemu.dev/KEY.CONTAINER` of one container, init or not. docs/annotations.md lists them for users.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final, TypeVar

import msgspec

from cluster.api import json_text, loads, scriptvalues
from cluster.api.curves import Curve
from cluster.api.httpanswers import Answer
from cluster.runtime import commandline

_Value = TypeVar("_Value")
_Other = TypeVar("_Other")
PREFIX: Final = "kubemu.dev/"
_ENDS: Final = ("run-for", "crash-after")
INIT: Final = "kubemu.dev/init"
"""Annotation that the kubelet puts on the CRI configuration of an init container."""

JOB: Final = "kubemu.dev/job"
"""The same, of a container of a Job's pod that is neither an init container nor a sidecar."""

PORTS: Final = "io.kubernetes.container.ports"
"""Annotation in which the kubelet puts the ports that a container declares, as JSON."""

KILLED: Final = 137
"""Exit code of a process that SIGKILL ended."""
TERMINATED: Final = 143
"""That of one that SIGTERM ended."""


@dataclass(frozen=True, slots=True)
class Script:
    """A container's life: it starts after `start_delay`, runs for `run_for` (inf: until it is
    stopped) and exits with `exit_code`. At SIGTERM it ends after `stop_after` (inf: it does not
    heed it) with `stop_code`. Times are in seconds.
    """

    run_for: float = math.inf
    exit_code: int = 0
    start_delay: float = 0.0
    stop_after: float = 0.0
    stop_code: int = 0
    program: tuple[str, ...] = ()
    """What runs in it, with arguments; () where it only lives and ends as said above."""
    sleeps: bool = False
    """Whether the program does nothing until somebody comes (`emulated.serving`)."""
    ports: tuple[int, ...] = ()
    """Where it serves: HTTP, where it has no program."""
    cpu: Curve | None = None
    memory: Curve | None = None
    """What it uses, in billionths of a core and in bytes, over the seconds since its start; None
    where nobody said (see `usage`)."""
    storage: Curve | None = None
    """Bytes of its writable layer that it pretends to have written."""
    ready_after: float = 0.0
    """How long after its start it serves."""
    log: tuple[str, ...] = ()
    """What it logs at its start, where it has no program."""
    answers: tuple[Answer, ...] = ()
    """What it answers over HTTP, where it has no program; to all else as usual."""

    @property
    def speaks(self) -> bool:
        """Whether it logs something at its start by itself: what it is told, or that it serves."""
        if self.program:
            return False
        return bool(self.log) or (math.isinf(self.run_for) and self.stop_after == 0.0)


SERVER: Final = Script()
"""A well-behaved server: it serves until it is asked to end, and then ends cleanly."""
_ONCE: Final = Script(run_for=0.0)
_WORK: Final = Script(run_for=1.0)
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


def of(
    name: str,
    annotations: Mapping[str, str],
    base: Script,
    *,
    init: bool = False,
    scripted: Mapping[str, str] = _NOTHING,
) -> Script:
    """The script of container `name`: what it would do by itself (`base`), what is `scripted` for
    its image, by key, and what annotations say, which win. ValueError, with a sentence.
    """
    told = _told(name, annotations, init)
    if scripted:
        told = _over(scripted, told)
    if not told:
        return base
    _check_load(name, annotations)
    ends = "crash-after" in told or "run-for" in told or "exit-code" in told
    return Script(
        _run_for(told, base),
        _exit_code(told, base),
        _read(told, "start-delay", scriptvalues.seconds, base.start_delay),
        _read(told, "stop-after", scriptvalues.seconds, base.stop_after),
        base.stop_code,
        () if ends and not base.sleeps else base.program,
        base.sleeps,
        _read(told, "ports", scriptvalues.ports, ()) or base.ports,
        _read(told, "cpu", scriptvalues.cpu, base.cpu),
        _read(told, "memory", scriptvalues.amount, base.memory),
        _read(told, "ephemeral-storage", scriptvalues.amount, None),
        _read(told, "ready-after", scriptvalues.seconds, 0.0),
        _read(told, "log", scriptvalues.lines, ()),
        _read(told, "http", scriptvalues.answers, ()),
    )


def believed(
    argv: Sequence[str], *, init: bool = False, job: bool = False, ports: tuple[int, ...] = ()
) -> Script:
    """What a container does of whose image nothing is known: its command, where every virtual OS
    has what that names, or else it serves `ports`; in an init container it ends at once, and where
    it is a `job` it has done its work after a second.
    """
    found = commandline.course(argv) if argv else None
    if found is not None:
        return Script(run_for=found.seconds, exit_code=found.code, stop_after=math.inf)
    if argv and commandline.understood(argv):
        return Script(program=tuple(argv), stop_after=math.inf)
    return unknown(init=init, job=job, ports=ports)


def unknown(*, init: bool = False, job: bool = False, ports: tuple[int, ...] = ()) -> Script:
    """What a program does of which nothing is known."""
    if init:
        return _ONCE
    return _WORK if job else _server(ports)


@lru_cache(256)
def _server(ports: tuple[int, ...]) -> Script:
    return Script(ports=ports) if ports else SERVER


class _Port(msgspec.Struct):
    """A ContainerPort of core/v1."""

    containerPort: int = 0
    protocol: str = "TCP"


_ports = json_text.reader(list[_Port])


@lru_cache(1024)
def ports(text: str) -> tuple[int, ...]:
    """The TCP ports of the annotation PORTS; what is not readable has none."""
    if not text:
        return ()
    try:
        found = _ports(text.encode(errors="surrogatepass"))
    except json_text.Malformed:
        return ()
    return tuple(one.containerPort for one in found if one.protocol == "TCP")


def _told(name: str, annotations: Mapping[str, str], init: bool) -> dict[str, str]:
    """Annotations that speak of this container, by key; its own win over those of all."""
    everyone: dict[str, str] = {}
    own: dict[str, str] = {}
    for key, value in annotations.items():
        if not key.startswith(PREFIX):
            continue
        what, dot, container = key[len(PREFIX) :].partition(".")
        if not dot and not init:
            everyone[what] = value
        elif container == name:
            own[what] = value
    return everyone | own


def _over(scripted: Mapping[str, str], told: dict[str, str]) -> dict[str, str]:
    """Both: what is told wins, and one time of its end takes the place of the other."""
    if any(key in told for key in _ENDS):
        scripted = {key: value for key, value in scripted.items() if key not in _ENDS}
    return {**scripted, **told}


def _run_for(told: Mapping[str, str], base: Script) -> float:
    for key in ("crash-after", "run-for"):
        if key in told:
            return _read(told, key, scriptvalues.seconds, 0.0)
    return 0.0 if "exit-code" in told and math.isinf(base.run_for) else base.run_for


def _exit_code(told: Mapping[str, str], base: Script) -> int:
    default = 1 if "crash-after" in told else base.exit_code
    return _read(told, "exit-code", scriptvalues.exit_code, default)


def _read(
    told: Mapping[str, str], key: str, reader: Callable[[str], _Value], default: _Other
) -> _Value | _Other:
    """What a key says; `default` where it is not told."""
    text = told.get(key)
    if text is None:
        return default
    try:
        return reader(text)
    except ValueError as error:
        raise ValueError(f"annotation {PREFIX}{key}: {error}") from error


def _check_load(name: str, annotations: Mapping[str, str]) -> None:
    """The kubelet adds what a load takes; what it could not read is refused here."""
    source = annotations.get(loads.LOAD_FROM)
    if source is None:
        return
    try:
        loads.parse_source(source)
    except ValueError as error:
        raise ValueError(f"annotation {loads.LOAD_FROM}: {error}") from error
    for key, parts in ((loads.CPU_PER_LOAD, loads.NANOCORES), (loads.MEMORY_PER_LOAD, 1)):
        try:
            loads.per_load(annotations, name, key, parts)
        except ValueError as error:
            raise ValueError(f"annotation {PREFIX}{key}: {error}") from error
