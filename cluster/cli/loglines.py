"""A log event as one line for people; used on terminals and by `kubemu logs`."""

import json
from pathlib import Path
from typing import Any, Final

_COLOURS: Final = {"debug": "2", "info": "32", "warning": "33", "error": "31", "critical": "31"}


def render(event: dict[str, Any], colours: bool) -> str:
    """`03:05:06.123 info    kubelet  started  pod=default/web`."""
    time = str(event.pop("time", ""))
    level = str(event.pop("level", ""))
    component = str(event.pop("component", ""))
    text = str(event.pop("event", ""))
    trace = event.pop("exception", None)
    shown = f"\x1b[{_COLOURS.get(level, '0')}m{level:7}\x1b[0m" if colours else f"{level:7}"
    pairs = " ".join(f"{key}={_value(value)}" for key, value in event.items())
    line = " ".join(filter(None, (time, shown, component, text, pairs)))
    return f"{line}\n{trace}" if trace else line


def from_json(line: str, colours: bool) -> str:
    """A line of a log file for people; one that is not JSON (a traceback, say) as it is."""
    try:
        event = json.loads(line)
    except ValueError:
        return line.rstrip("\n")
    if not isinstance(event, dict):
        return line.rstrip("\n")
    return render(event, colours)


def last(log: Path) -> str:
    """What the last line of a log file says; "" where there is none."""
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        return ""
    if not lines:
        return ""
    try:
        return str(json.loads(lines[-1])["event"])
    except (ValueError, KeyError, TypeError):
        return lines[-1].strip()


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return json.dumps(text, ensure_ascii=False) if " " in text or not text else text
