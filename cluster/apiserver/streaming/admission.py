"""What admission says of a connection: the options that a client gives, and as they are left."""

from typing import Any, Final

from cluster.api.objects import Object
from cluster.apiserver.registry import Registry
from cluster.apiserver.rest.exchange import Request
from cluster.apiserver.rest.requests import Call
from cluster.streams.options import Values

_FLAGS: Final = ("stdin", "stdout", "stderr", "tty")
_PROXIES: Final = {
    "pods": "PodProxyOptions", "services": "ServiceProxyOptions", "nodes": "NodeProxyOptions",
}  # fmt: skip


async def admitted(registry: Registry, call: Call, kind: str, values: Values) -> Values:
    """The values of a query, as admission leaves them. errors.StatusError."""
    document = {"kind": kind, "apiVersion": "v1"} | _options(kind, values)
    found = await _asked(registry, call, document)
    return values if found == document else dict(values) | _values(found)


async def admitted_proxy(registry: Registry, call: Call, path: str) -> None:
    """Ask admission about a proxied request. errors.StatusError."""
    kind = _PROXIES[call.target.resource.plural]
    document: Object = {"kind": kind, "apiVersion": "v1"} | ({"path": path} if path else {})
    await _asked(registry, call, document)


async def _asked(registry: Registry, call: Call, document: Object) -> Object:
    target = call.target
    exchange = call.http.exchange if isinstance(call.http, Request) else None
    note = None
    if exchange is not None and exchange.trail is not None:
        annotate = exchange.annotate
        note = lambda _index, key, value: annotate(key, value)  # noqa: E731
    place = (target.namespace, target.name, target.subresource)
    return await registry.connections.admitted(target.resource, place, call.user, document, note)


def _options(kind: str, values: Values) -> Object:
    if kind == "PodPortForwardOptions":
        ports = [
            int(port)
            for text in values.get("ports", ())
            for port in text.split(",")
            if port.isascii() and port.isdigit() and len(port) < 6
        ]
        return {"ports": ports} if ports else {}
    found: Object = {}
    for flag in _FLAGS:
        said = values.get(flag)
        if said and said[0].lower() not in ("false", "0"):
            found[flag] = True
    container = next(iter(values.get("container", ())), "")
    if container:
        found["container"] = container
    if kind == "PodExecOptions" and values.get("command"):
        found["command"] = list(values["command"])
    return found


def _values(options: Object) -> dict[str, list[str]]:
    """Options as a query would give them."""
    found = {flag: [str(options.get(flag) is True).lower()] for flag in _FLAGS}
    found["container"] = [str(options.get("container") or "")]
    for name in ("command", "ports"):
        listed: Any = options.get(name)
        found[name] = [str(each) for each in listed] if isinstance(listed, list) else []
    return found
