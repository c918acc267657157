"""Answers that the well-behaved server is told to give: by path, the first pattern that fits. Pure.

kubemu.dev/http: '{"/healthz": "ok", "/orders*": {"status": 503, "body": "overloaded"}}'
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, Final

import msgspec

MAX_TEXT: Final = 256 << 10


@dataclass(frozen=True, slots=True)
class Answer:
    """What a path that fits `pattern` (a shell's) gets."""

    pattern: str
    status: int = 200
    body: str = ""
    kind: str = "text/plain; charset=utf-8"


class _Told(msgspec.Struct, forbid_unknown_fields=True):
    status: int = 200
    body: str = ""
    type: str = "text/plain; charset=utf-8"


@lru_cache(256)
def parse(text: str) -> tuple[Answer, ...]:
    """Read a JSON object of paths: texts, or status, body and type. ValueError, with a sentence."""
    if len(text) > MAX_TEXT:
        raise ValueError(f"it is longer than {MAX_TEXT} bytes")
    try:
        told = msgspec.json.decode(text.encode(errors="surrogatepass"), type=dict[str, Any])
        return tuple(_answer(path, value) for path, value in told.items())
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
        raise ValueError(f"{text[:80]!r} is no JSON object of answers by path: {error}") from error


def _answer(path: str, value: Any) -> Answer:
    told = _Told(body=value) if isinstance(value, str) else msgspec.convert(value, _Told)
    if not path.startswith(("/", "*")):
        raise ValueError(f"{path[:80]!r} is no path")
    if not 200 <= told.status <= 599 or not told.type.isprintable() or not told.type.isascii():
        raise ValueError(f"{path[:80]}: {told.status} is no status of an answer (200 to 599)")
    return Answer(path, told.status, told.body, told.type)


def find(answers: tuple[Answer, ...], target: str) -> Answer | None:
    """The answer for a request's target; its query does not count."""
    path = target.partition("?")[0]
    return next((one for one in answers if fnmatchcase(path, one.pattern)), None)
