"""/healthz, /livez and /readyz: `ok`, or which check failed. Open to everybody."""

from collections.abc import Callable, Mapping
from http import HTTPStatus

from aiohttp import web

from cluster.apiserver.rest import answers
from cluster.apiserver.rest.query import Query

Check = Callable[[], bool]
PATHS = ("healthz", "livez", "readyz")


def answer(path: str, query: Query, checks: Mapping[str, Mapping[str, Check]]) -> web.Response:
    """The answer at `/readyz` or `/readyz/CHECK`.

    `checks` holds the checks of each of PATHS. With `verbose`, or where one fails, each is listed.
    """
    kind, _, name = path.strip("/").partition("/")
    wanted = checks[kind]
    if name:
        if name not in wanted:
            return answers.text("404 page not found\n", HTTPStatus.NOT_FOUND)
        wanted = {name: wanted[name]}
    lines, healthy = [], True
    for check, passes in wanted.items():
        good = check == query.get("exclude") or passes()
        healthy = healthy and good
        lines.append(f"[+]{check} ok" if good else f"[-]{check} failed: reason withheld")
    if not healthy:
        lines.append(f"{kind} check failed\n")
        return answers.text("\n".join(lines), HTTPStatus.INTERNAL_SERVER_ERROR)
    if "verbose" not in query:
        return answers.text("ok")
    return answers.text("\n".join([*lines, f"{kind} check passed\n"]))
