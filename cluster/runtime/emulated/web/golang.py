"""What servers written in Go have in common: their log, their answers, their durations. Pure but
for the log.
"""

import datetime
import re
from typing import Final

from cluster.runtime.emulated.web import client, names
from cluster.runtime.emulated.web.messages import Headers, Response, TooLarge
from cluster.runtime.vos.kernel import Call, encoded

_UNITS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART: Final = re.compile(r"(\d{1,15}(?:\.\d{0,12})?|\.\d{1,12})(ns|us|µs|ms|s|m|h)")
MAX_ANSWER: Final = 1 << 20


async def log(call: Call, text: str) -> None:
    """A line of Go's `log` package, on stderr."""
    now = datetime.datetime.fromtimestamp(call.kernel.clock.now(), datetime.UTC)
    await call.io.stderr.write(encoded(f"{now:%Y/%m/%d %H:%M:%S} {text}\n"))


async def klog(call: Call, text: str, severity: str = "I", place: str = "main.go:1") -> None:
    """A line of klog, on stderr."""
    now = datetime.datetime.fromtimestamp(call.kernel.clock.now(), datetime.UTC)
    line = f"{severity}{now:%m%d %H:%M:%S.%f}       1 {place}] {text}\n"
    await call.io.stderr.write(encoded(line))


def error(text: str, status: int) -> Response:
    """`http.Error`."""
    kind = ("Content-Type", "text/plain; charset=utf-8")
    headers = Headers([kind, ("X-Content-Type-Options", "nosniff")])
    return Response(status, headers, encoded(text + "\n"))


def not_found() -> Response:
    """`http.NotFound`."""
    return error("404 page not found", 404)


def seconds(text: str) -> float | None:
    """`time.ParseDuration`; None for what is none."""
    sign = -1.0 if text.startswith("-") else 1.0
    body = text.lstrip("+-") if text[:1] in "+-" else text
    if body == "0":
        return 0.0
    total, at = 0.0, 0
    while at < len(body) or not body:
        match = _PART.match(body, at)
        if match is None:
            return None
        total += float(match[1]) * _UNITS[match[2]]
        at = match.end()
    return sign * total


def duration(value: float) -> str:
    """`Duration.String`."""
    nanos = round(abs(value) * 1e9)
    sign = "-" if value < 0 else ""
    if nanos == 0:
        return "0s"
    for unit, size in (("ns", 1), ("µs", 1000), ("ms", 1_000_000)):
        if nanos < size * 1000:
            return f"{sign}{_trimmed(nanos / size)}{unit}"
    whole, rest = divmod(nanos, 60_000_000_000)
    hours, minutes = divmod(whole, 60)
    text = f"{_trimmed(rest / 1e9)}s"
    if hours:
        return f"{sign}{hours}h{minutes}m{text}"
    return f"{sign}{minutes}m{text}" if minutes else sign + text


def _trimmed(value: float) -> str:
    return f"{value:.9f}".rstrip("0").rstrip(".")


async def get(call: Call, host: str, port: int, target: str) -> tuple[int, bytes]:
    """A GET over the pod's network: status and body. `Failed` with Go's words for what went wrong.

    The deadline is the caller's.
    """
    where = f"{host}:{port}"
    said = f'Get "http://{where}{target}":'
    try:
        stream = await names.connected(call, host, port)
    except names.Unknown as unknown:
        why = "server misbehaving" if unknown.again else "no such host"
        raise Failed(f"{said} dial tcp: lookup {host}: {why}") from unknown
    except OSError as refused:
        raise Failed(f"{said} dial tcp {where}: connect: {_words(refused)}") from refused
    try:
        talk = client.Conversation(stream)
        headers = Headers([("Host", where), ("User-Agent", "Go-http-client/1.1"),
                           ("Connection", "close")])  # fmt: skip
        await talk.send("GET", target, headers)
        answer = await talk.answer()
        return answer.status, await talk.everything(MAX_ANSWER)
    except client.Empty as empty:
        raise Failed(f"{said} EOF") from empty
    except (client.Malformed, client.Cut, TooLarge, ValueError) as bad:
        raise Failed(f"{said} {bad}") from bad
    except OSError as reset:
        raise Failed(f"{said} read tcp {stream.local}->{stream.peer}: {_words(reset)}") from reset
    finally:
        stream.close()


class Failed(Exception):
    """A request that came to nothing; the message is Go's."""


def _words(failure: OSError) -> str:
    """Go's word for an error of the kernel."""
    if isinstance(failure, TimeoutError):
        return "connection timed out"
    return str(failure.strerror or failure).lower()


def moment(now: float) -> str:
    """`time.Now()` as it is printed."""
    at = datetime.datetime.fromtimestamp(now, datetime.UTC)
    return f"{at:%Y-%m-%d %H:%M:%S.%f}000 +0000 UTC m=+0.000000001"


def mapping(values: dict[str, str]) -> str:
    """A map as `%s` prints it."""
    return "map[" + " ".join(f"{key}:{value}" for key, value in sorted(values.items())) + "]"
