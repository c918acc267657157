"""A request that a script makes of others, and what it is told of it."""

import asyncio
import errno
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from cluster.runtime.emulated.web import client, names
from cluster.runtime.emulated.web.messages import Headers, TooLarge
from cluster.runtime.vos.kernel import Call

MAX_BODY: Final = 1 << 20
"""Bytes of a message that a script sends or gets."""
_SECONDS: Final = 60.0


class Question(NamedTuple):
    """A request that a script makes."""

    host: str
    port: int
    method: str
    path: str
    pairs: Sequence[tuple[str, str]]
    body: str


async def asked(call: Call, number: int, question: Question) -> tuple[Any, ...]:
    """Ask, and give the event of which the script is told: `answered` or `failed`."""
    host, port, method, path, pairs, body = question
    headers = Headers((str(name), str(value)) for name, value in pairs)
    if "host" not in headers:
        headers.pairs.insert(0, ("Host", host if port == 80 else f"{host}:{port}"))
    headers.set("Connection", "close")
    try:
        async with asyncio.timeout(_SECONDS):
            stream = await names.connected(call, host, port)
            talk = client.Conversation(stream)
            try:
                await talk.send(method, path, headers, body.encode("latin-1"))
                answer = await talk.answer()
                data = await talk.everything(MAX_BODY)
            finally:
                stream.close()
        return (
            "answered", number, answer.status, answer.reason, list(answer.headers),
            data.decode("latin-1"),
        )  # fmt: skip
    except names.Unknown as unknown:
        code = "EAI_AGAIN" if unknown.again else "ENOTFOUND"
        return ("failed", number, code, f"getaddrinfo {code} {host}", 3008)
    except (client.Empty, client.Cut):
        return ("failed", number, "ECONNRESET", "socket hang up", 104)
    except (client.Malformed, TooLarge, ValueError) as error:
        return ("failed", number, "HPE_INVALID", f"Parse Error: {error}", 0)
    except OSError as error:
        value = error.errno or errno.ETIMEDOUT
        code = errno.errorcode.get(value, "EIO")
        return ("failed", number, code, f"connect {code} {host}:{port}", value)
