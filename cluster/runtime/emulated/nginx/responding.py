"""What all answers of nginx have in common: types, redirects, errors, what is added at the end."""

from typing import Final

from cluster.runtime.emulated.nginx import pages
from cluster.runtime.emulated.nginx.exchange import Exchange, Fault, escaped
from cluster.runtime.emulated.nginx.model import Settings
from cluster.runtime.emulated.web import conditions
from cluster.runtime.emulated.web.messages import Headers, Response

REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
_ADDED: Final = frozenset((200, 201, 204, 206, 301, 302, 303, 304, 307, 308))
"""Statuses to which add_header adds without `always`."""


class Answered(Fault):
    """No error: the answer is there."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


def moved(exchange: Exchange, uri: str) -> Answered:
    """The way to another URI of this server, as what ends all phases."""
    query = f"?{exchange.args}" if exchange.args else ""
    return Answered(redirect(exchange, 301, escaped(uri) + query))


def redirect(exchange: Exchange, code: int, target: str) -> Response:
    """An answer that sends to a target, which is completed by what the configuration says."""
    settings = exchange.settings
    if target.startswith("/") and settings.absolute_redirect:
        host = exchange.look("server_name") if settings.name_in_redirect else exchange.host
        port = exchange.request.local.port
        scheme = exchange.request.scheme
        usual = 443 if scheme == "https" else 80
        shown = f":{port}" if settings.port_in_redirect and port != usual else ""
        target = f"{scheme}://{host}{shown}{target}"
    headers = Headers([("Content-Type", "text/html"), ("Location", target)])
    return Response(code, headers, pages.error(code, exchange.token))


def error(exchange: Exchange, fault: Fault) -> Response:
    """nginx' own page of an error."""
    headers = Headers([("Content-Type", "text/html"), *fault.headers])
    data = pages.error(fault.status, exchange.token)
    response = Response(fault.status, headers, data)
    response.close = fault.status in (400, 413, 500)
    return response


def finish(exchange: Exchange, response: Response) -> None:
    """Add what the configuration adds."""
    settings, headers = exchange.settings, response.headers
    exchange.status, exchange.sent = response.status, headers
    response.note = exchange
    response.reason = response.reason or pages.phrase(response.status)
    if "server" not in headers:
        headers.pairs.insert(0, ("Server", exchange.token))
    kind = headers.get("content-type")
    if kind and settings.charset and exchange.location.proxy is None:
        headers.pairs = [
            (name, with_charset(settings, value)) if name.lower() == "content-type"
            else (name, value) for name, value in headers.pairs
        ]  # fmt: skip
    if settings.expires and response.status in _ADDED:
        _expire(settings.expires, headers, exchange.now)
    for one in settings.headers:
        if one.always or response.status in _ADDED:
            value = one.value.of(exchange.look)
            if value:
                headers.add(one.name, value)


def kind_of(settings: Settings, path: str) -> str:
    """The type of what a path ends with."""
    name = path.rpartition("/")[2]
    end = name.rpartition(".")[2].lower() if "." in name else ""
    return with_charset(settings, settings.types.get(end, settings.default_type))


def with_charset(settings: Settings, kind: str) -> str:
    """The type, with the charset that is configured for texts."""
    texts = ("text/", "application/javascript", "application/rss+xml")
    if settings.charset and "charset=" not in kind and kind.startswith(texts):
        return f"{kind}; charset={settings.charset}"
    return kind


def _expire(text: str, headers: Headers, now: float) -> None:
    if text == "epoch":
        headers.set("Expires", "Thu, 01 Jan 1970 00:00:01 GMT")
        headers.set("Cache-Control", "no-cache")
        return
    if text == "max":
        headers.set("Expires", "Thu, 31 Dec 2037 23:55:55 GMT")
        headers.set("Cache-Control", "max-age=315360000")
        return
    sign = -1 if text.startswith("-") else 1
    number, unit = text.lstrip("+-")[:-1], text[-1:]
    if text.lstrip("+-").isdigit():
        number, unit = text.lstrip("+-"), "s"
    scale = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "M": 2592000, "y": 31536000}
    if not number.isdigit() or unit not in scale or len(number) > 9:
        return
    seconds = sign * int(number) * scale[unit]
    headers.set("Expires", conditions.http_date(now + seconds))
    headers.set("Cache-Control", f"max-age={seconds}" if seconds >= 0 else "no-cache")
