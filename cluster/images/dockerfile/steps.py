"""Instructions that change only the configuration of an image: one function each.

They take the stage and the instruction's words, whose variables are replaced. ValueError in
docker's words.
"""

import posixpath
import re
from collections.abc import Callable
from typing import Any, Final

from cluster.api import durations
from cluster.images.dockerfile import words
from cluster.images.dockerfile.stage import Stage

_NANOSECONDS: Final = 1_000_000_000


def env(stage: Stage, found: list[str]) -> None:
    """ENV key=value … or ENV key value."""
    values = stage.environment | dict(_pairs("ENV", found))
    stage.inner["Env"] = [f"{key}={value}" for key, value in values.items()]


def label(stage: Stage, found: list[str]) -> None:
    """LABEL key=value …"""
    labels = stage.inner.setdefault("Labels", None) or {}
    stage.inner["Labels"] = labels | dict(_pairs("LABEL", found))


def maintainer(stage: Stage, found: list[str]) -> None:
    """MAINTAINER name."""
    stage.config["author"] = " ".join(found)


def expose(stage: Stage, found: list[str]) -> None:
    """EXPOSE 80 443/tcp 7000-7002/udp."""
    ports: dict[str, Any] = stage.inner.setdefault("ExposedPorts", {})
    for text in found:
        match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp|sctp))?", text.lower())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if match is None or not 0 < first <= last < 65536:
            raise ValueError(f"invalid containerPort: {text}")
        for port in range(first, last + 1):
            ports[f"{port}/{match[3] or 'tcp'}"] = {}


def user(stage: Stage, found: list[str]) -> None:
    """USER name[:group]."""
    _one("USER", found)
    stage.inner["User"] = found[0]


def volume(stage: Stage, found: list[str]) -> None:
    """VOLUME /data …"""
    volumes: dict[str, Any] = stage.inner.setdefault("Volumes", {})
    for path in found:
        if not path:
            raise ValueError("VOLUME specified can not be an empty string")
        volumes[path] = {}


def workdir(stage: Stage, found: list[str]) -> None:
    """WORKDIR path; one that is not absolute goes on from the last."""
    path = posixpath.normpath(posixpath.join(stage.directory, " ".join(found)))
    stage.inner["WorkingDir"] = "/" + path.lstrip("/")


def stop_signal(stage: Stage, found: list[str]) -> None:
    """STOPSIGNAL SIGTERM."""
    _one("STOPSIGNAL", found)
    name = found[0].upper().removeprefix("SIG")
    if not re.fullmatch(r"[A-Z][A-Z0-9]{1,8}([+-]\d+)?|\d{1,2}", name):
        raise ValueError(f"invalid signal: {found[0]}")
    stage.inner["StopSignal"] = found[0]


def shell(stage: Stage, rest: str) -> None:
    """SHELL ["/bin/sh", "-c"]."""
    found = words.array(rest)
    if not found:
        raise ValueError("SHELL requires the arguments to be in JSON form")
    stage.shell = stage.inner["Shell"] = found


def command(stage: Stage, rest: str) -> None:
    """CMD, in either form."""
    stage.inner["Cmd"] = _command(stage, rest)
    stage.command_is_ours = True


def entrypoint(stage: Stage, rest: str) -> None:
    """ENTRYPOINT, in either form; it does away with a CMD of the image below."""
    stage.inner["Entrypoint"] = _command(stage, rest)
    if not stage.command_is_ours:
        stage.inner.pop("Cmd", None)


def health_check(stage: Stage, flags: dict[str, str], rest: str) -> None:
    """HEALTHCHECK NONE, or HEALTHCHECK [options] CMD command."""
    kind, _, said = rest.partition(" ")
    if kind.upper() == "NONE":
        stage.inner["Healthcheck"] = {"Test": ["NONE"]}
        return
    if kind.upper() != "CMD" or not said.strip():
        unknown = f"Unknown type {kind!r} in HEALTHCHECK (try CMD)"
        raise ValueError("Missing command after HEALTHCHECK CMD" if kind == "CMD" else unknown)
    exact = words.array(said.strip())
    check: dict[str, Any] = {"Test": ["CMD", *exact] if exact else ["CMD-SHELL", said.strip()]}
    for flag, field in _PERIODS.items():
        if flag in flags:
            seconds = durations.parse(flags[flag])
            if seconds < 0.001:
                raise ValueError(f"Interval {flag!r} cannot be less than 1ms")
            check[field] = int(seconds * _NANOSECONDS)
    if "retries" in flags:
        if not flags["retries"].isdecimal():
            raise ValueError(f"invalid retries: {flags['retries']}")
        check["Retries"] = int(flags["retries"])
    stage.inner["Healthcheck"] = check


_PERIODS: Final = {
    "interval": "Interval", "timeout": "Timeout", "start-period": "StartPeriod",
    "start-interval": "StartInterval",
}  # fmt: skip

WORDS: Final[dict[str, Callable[[Stage, list[str]], None]]] = {
    "ENV": env, "LABEL": label, "MAINTAINER": maintainer, "EXPOSE": expose, "USER": user,
    "VOLUME": volume, "STOPSIGNAL": stop_signal, "WORKDIR": workdir,
}  # fmt: skip
"""Those whose arguments are words."""

LINES: Final[dict[str, Callable[[Stage, str], None]]] = {
    "CMD": command, "ENTRYPOINT": entrypoint, "SHELL": shell,
}  # fmt: skip
"""Those that take the line as it is."""


def _command(stage: Stage, rest: str) -> list[str]:
    exact = words.array(rest)
    if exact is not None:
        return exact
    return [*stage.shell, rest] if rest else []


def _pairs(what: str, found: list[str]) -> list[tuple[str, str]]:
    if "=" not in found[0]:
        if len(found) < 2:
            raise ValueError(f"{what} must have two arguments")
        return [(found[0], " ".join(found[1:]))]
    pairs = []
    for text in found:
        key, equals, value = text.partition("=")
        if not equals:
            raise ValueError(
                f"Syntax error - can't find = in {text!r}. Must be of the form: name=value"
            )
        if not key:
            raise ValueError(f"{what} names can not be blank")
        pairs.append((key, value))
    return pairs


def _one(what: str, found: list[str]) -> None:
    if len(found) != 1:
        raise ValueError(f"{what} requires exactly one argument")
