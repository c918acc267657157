"""/healthz, /livez and /readyz: `ok`, or which check failed.

A check is a function that is true where all is well, at once or when awaited; one that does not
answer in time has failed. Names and words are kube-apiserver's.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from urllib.parse import parse_qsl

import structlog
from aiohttp import web

from cluster.apiserver.rest import answers
from cluster.apiserver.rest.query import Query

Check = Callable[[], bool | Awaitable[bool]]
PATHS = ("healthz", "livez", "readyz")
SECONDS = 2.0
"""How long a check may take: etcd-readycheck-timeout of kube-apiserver."""


async def answer(
    path: str, query: Query, text: str, checks: Mapping[str, Mapping[str, Check]]
) -> web.Response:
    """The answer at `/readyz` or `/readyz/CHECK`.

    `checks` holds the checks of each of PATHS; `text` is the query as it came, in which `exclude`
    may stand several times. With `verbose`, or where one fails, each is listed.
    """
    kind, _, name = path.strip("/").partition("/")
    wanted = checks[kind]
    if name:
        if name not in wanted:
            return answers.text("404 page not found\n", HTTPStatus.NOT_FOUND)
        return await _single(name, wanted[name], "verbose" in query)
    excluded = {value: True for key, value in parse_qsl(text) if key == "exclude" and value}
    lines, healthy = [], True
    for check, passes in wanted.items():
        if excluded.pop(check, False):
            lines.append(f"[+]{check} excluded: ok")
            continue
        good = await _passes(check, passes)
        healthy = healthy and good
        lines.append(f"[+]{check} ok" if good else f"[-]{check} failed: reason withheld")
    if excluded:
        named = ", ".join(f'"{each}"' for each in sorted(excluded))
        lines.append(f"warn: some health checks cannot be excluded: no matches for {named}")
    if not healthy:
        lines.append(f"{kind} check failed\n")
        return answers.text("\n".join(lines), HTTPStatus.INTERNAL_SERVER_ERROR)
    if "verbose" not in query:
        return answers.text("ok")
    return answers.text("\n".join([*lines, f"{kind} check passed\n"]))


async def _single(name: str, check: Check, verbose: bool) -> web.Response:
    if not await _passes(name, check):
        text = "internal server error: reason withheld\n"
        return answers.text(text, HTTPStatus.INTERNAL_SERVER_ERROR)
    return answers.text(f"[+]{name} ok\n{name} check passed\n" if verbose else "ok")


async def _passes(name: str, check: Check) -> bool:
    try:
        found = check()
        if isinstance(found, bool):
            return found
        async with asyncio.timeout(SECONDS):
            return await found
    except TimeoutError:
        why = "no answer in time"
    except Exception as error:  # noqa: BLE001  (a check that fails is what they are for)
        why = str(error)
    log = structlog.get_logger().bind(component="apiserver")
    log.warning("health check failed", check=name, why=why)
    return False
