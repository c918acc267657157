"""What a request of a streaming subresource asks for, from its query. Pure.

Shapes: PodExecOptions, PodAttachOptions, PodPortForwardOptions, PodLogOptions of core/v1; checks
and words: their validation, and NewOptions and NewV4Options of the kubelet's streaming server.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from cluster.api import causes, errors, timestamps

Values = Mapping[str, Sequence[str]]

LOG_STREAMS: Final = ("All", "Stdout", "Stderr")
MAX_PORTS: Final = 128
"""Ports of one request: a channel is a byte, and each port has two."""
_NO_STREAM = "you must specify at least 1 of stdin, stdout, stderr"
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")


@dataclass(frozen=True, slots=True)
class Command:
    """Which streams of which container are wanted, and for exec the command."""

    container: str
    stdin: bool
    stdout: bool
    stderr: bool
    tty: bool
    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Log:
    """Which part of which log is wanted. `since_time` is RFC 3339, "" for none."""

    container: str = ""
    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    since_seconds: int | None = None
    since_time: str = ""
    tail_lines: int | None = None
    limit_bytes: int | None = None
    stream: str = ""


def values(query: str) -> dict[str, list[str]]:
    """Every value of every parameter of a query string."""
    found: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        found.setdefault(name, []).append(value)
    return found


def exec_(query: Values) -> Command:
    """PodExecOptions. errors.BadRequest."""
    command = tuple(query.get("command", ()))
    if not command:
        raise errors.BadRequest("you must specify at least one command for the container")
    return _command(query, command)


def attach(query: Values) -> Command:
    """PodAttachOptions. errors.BadRequest."""
    return _command(query, ())


def ports(query: Values) -> tuple[int, ...]:
    """PodPortForwardOptions of a client that names its ports at once. errors.BadRequest."""
    if not query.get("ports"):
        raise errors.BadRequest('query parameter "ports" is required')
    found = []
    for text in query["ports"]:
        if not text:
            raise errors.BadRequest('query parameter "ports" cannot be empty')
        found += [port(part, text) for part in text.split(",")]
    if len(found) > MAX_PORTS:
        raise errors.BadRequest(f"at most {MAX_PORTS} ports can be forwarded by one request")
    return tuple(found)


def port(text: str, shown: str = "") -> int:
    """A port of 1 to 65535. errors.BadRequest."""
    shown = shown or text
    if not (text.isascii() and text.isdigit()):
        why = f'strconv.ParseUint: parsing "{text}": invalid syntax'
        raise errors.BadRequest(f'unable to parse "{shown}" as a port: {why}')
    number = int(text[:9])
    if number > 65535:
        why = f'strconv.ParseUint: parsing "{text}": value out of range'
        raise errors.BadRequest(f'unable to parse "{shown}" as a port: {why}')
    if number < 1:
        raise errors.BadRequest(f'port "{shown}" must be > 0')
    return number


def log(query: Values, pod: str) -> Log:
    """PodLogOptions. errors.BadRequest, errors.Invalid."""
    found = Log(
        _one(query, "container"),
        _flag(query, "follow"),
        _flag(query, "previous"),
        _flag(query, "timestamps"),
        _number(query, "sinceSeconds"),
        _one(query, "sinceTime"),
        _number(query, "tailLines"),
        _number(query, "limitBytes"),
        _one(query, "stream"),
    )
    complaints = list(_log_causes(found))
    if complaints:
        raise errors.invalid("PodLogOptions", "", pod, complaints)
    return found


def _command(query: Values, command: tuple[str, ...]) -> Command:
    tty = _flag(query, "tty")
    stdin, stdout, stderr = (_flag(query, name) for name in ("stdin", "stdout", "stderr"))
    # With a terminal there is no stderr of its own: the kubelet drops the wish for it.
    stderr = stderr and not tty
    if not (stdin or stdout or stderr):
        raise errors.BadRequest(_NO_STREAM)
    return Command(_one(query, "container"), stdin, stdout, stderr, tty, command)


def _log_causes(log: Log) -> Iterator[errors.Cause]:
    """ValidatePodLogOptions."""
    if log.tail_lines is not None and log.tail_lines < 0:
        why = "must be greater than or equal to 0"
        yield causes.invalid("tailLines", log.tail_lines, why)
    if log.limit_bytes is not None and log.limit_bytes < 1:
        yield causes.invalid("limitBytes", log.limit_bytes, "must be greater than 0")
    if log.since_seconds is not None and log.since_time:
        why = "at most one of `sinceTime` or `sinceSeconds` may be specified"
        yield causes.forbidden("", why)
    elif log.since_seconds is not None and log.since_seconds < 1:
        yield causes.invalid("sinceSeconds", log.since_seconds, "must be greater than 0")
    elif log.since_time:
        try:
            timestamps.decode(log.since_time)
        except ValueError:
            yield causes.invalid("sinceTime", log.since_time, "must be a time of RFC 3339")
    if log.stream and log.stream not in LOG_STREAMS:
        yield causes.not_supported("stream", log.stream, LOG_STREAMS)
    elif log.stream not in ("", "All") and log.tail_lines is not None:
        why = "`tailLines` and specific `stream` are mutually exclusive for now"
        yield causes.forbidden("", why)


def _one(query: Values, name: str) -> str:
    return next(iter(query.get(name, ())), "")


def _flag(query: Values, name: str) -> bool:
    found = query.get(name)
    return bool(found) and found[0].lower() not in ("false", "0")  # type: ignore[index]


def _number(query: Values, name: str) -> int | None:
    text = _one(query, name)
    if not text:
        return None
    if _INTEGER.fullmatch(text) is None:
        raise errors.BadRequest(f'strconv.ParseInt: parsing "{text[:100]}": invalid syntax')
    if not -(2**63) <= int(text) < 2**63:
        raise errors.BadRequest(f'strconv.ParseInt: parsing "{text}": value out of range')
    return int(text)
