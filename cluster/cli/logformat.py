"""How processes log: lines for people on a terminal, JSON lines to files.

A JSON line has `time` (RFC 3339, UTC), `level`, `component` and `event`, then what belongs to it.
"""

import contextlib
import logging
import sys
from collections.abc import Callable, MutableMapping
from typing import Any, Final, TextIO, cast

import structlog

from cluster.aio import clock as clocks
from cluster.api import timestamps

FORMATS: Final = ("auto", "console", "json")
LEVELS: Final = ("debug", "info", "warning", "error")

_FIRST: Final = ("time", "level", "component", "event")


def configure(
    component: str,
    clock: clocks.Clock,
    *,
    format: str = "auto",
    level: str = "info",
    stream: TextIO | None = None,
) -> None:
    """Set up structlog, and the standard library's logging by it, to write to `stream` (stderr)."""
    out = stream or sys.stderr
    console = format == "console" or (format == "auto" and out.isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _stamped(component, clock, console),
            structlog.processors.StackInfoRenderer(),
            *([] if console else [structlog.processors.format_exc_info]),
            _console(out) if console else _json,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_number(level)),
        logger_factory=structlog.WriteLoggerFactory(file=cast(TextIO, _Patient(out))),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Bridge()]
    root.setLevel(max(_number(level), logging.WARNING))


class _Patient:
    """A stream whose failures (a full disk, a terminal that was closed) end nobody who logs."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()


class _Bridge(logging.Handler):
    """Hands records of libraries that use the standard library's logging to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        logger = structlog.get_logger().bind(logger=record.name)
        logger.log(record.levelno, record.getMessage(), exc_info=record.exc_info)


def _number(level: str) -> int:
    return int(getattr(logging, level.upper()))


def _stamped(component: str, clock: clocks.Clock, short: bool) -> Callable[..., Any]:
    def stamp(_logger: object, _method: str, event: MutableMapping[str, Any]) -> Any:
        event.setdefault("component", component)
        text = timestamps.encode_micro(clock.now())
        event["time"] = text[11:23] if short else text
        return event

    return stamp


def _json(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    import json

    ordered = {key: event.pop(key) for key in _FIRST if key in event}
    return json.dumps({**ordered, **event}, default=repr, ensure_ascii=False)


def _console(out: TextIO) -> Callable[..., str]:
    from cluster.cli import loglines

    colours = out.isatty()

    def render(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
        failure = event.pop("exc_info", None)
        text = loglines.render(dict(event), colours)
        if failure:
            text += (
                "\n"
                + structlog.processors.format_exc_info(None, "", {"exc_info": failure})["exception"]
            )
        return text

    return render
