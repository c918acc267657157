"""What a packet's destination may be called: pods, services, nodes, addresses and names."""

import asyncio
import socket
from typing import Any, Final, NamedTuple

from cluster.api import errors, objects
from cluster.cli.commands.net import common
from cluster.network.wire import addresses

_DOMAIN: Final = ".svc.cluster.local"
_SLICES: Final = "endpointslices.discovery.k8s.io"
_MOST_ALIASES: Final = 8
"""Services of type ExternalName that lead from one to the next."""
_OF_SERVICE: Final = "kubernetes.io/service-name"


class Destination(NamedTuple):
    """Where a packet goes. `protocol` and `port` are empty where neither is known."""

    shown: str
    address: str
    protocol: str = ""
    port: int = 0


async def find(net: common.Net, text: str, namespace: str) -> Destination:
    """What `DEST[:PORT]` names. Failed.

    DEST is an address, pod/NAME, svc/NAME, node/NAME (with a namespace: svc/NAMESPACE/NAME,
    NAMESPACE/NAME), a name as DNS has it (NAME.NAMESPACE.svc…), or a bare name: of a pod, else of a
    service, else of a node.
    """
    name, colon, number = text.rpartition(":")
    if not colon:
        name, number = text, ""
    elif not (number.isascii() and number.isdigit() and 0 < int(number) < 65536):
        raise common.Failed(f"{number!r} in {text!r} is no port")
    found = await _found(net, name, namespace, int(number or 0))
    return found._replace(port=int(number)) if number else found


async def _found(net: common.Net, name: str, namespace: str, port: int) -> Destination:
    kind, slash, rest = name.partition("/")
    if slash and kind in ("svc", "service", "services"):
        return await _service(net, rest, namespace, port)
    if slash and kind in ("node", "nodes"):
        return await _node(net, rest)
    if slash and kind in ("pod", "pods"):
        return await _pod(net, rest, namespace)
    if slash:
        return await _qualified(net, name, port)
    if _is_address(name):
        return Destination(name, name)
    if "." in name:
        return await _dotted(net, name, port)
    pod = await net.find_pod(name, namespace)
    if pod is not None:
        return await _pod(net, name, namespace)
    try:
        return await _service(net, name, namespace, port)
    except errors.NotFound:
        pass
    try:
        return await _node(net, name)
    except errors.NotFound:
        raise common.Failed(
            f'"{name}" is neither a pod nor a service in namespace {namespace}, and no node'
        ) from None


async def _qualified(net: common.Net, text: str, port: int) -> Destination:
    """NAMESPACE/NAME: of a pod, else of a service."""
    if await net.find_pod(text, "") is not None:
        return await _pod(net, text, "")
    try:
        return await _service(net, text, "", port)
    except errors.NotFound:
        space, _, name = text.rpartition("/")
        raise common.Failed(
            f'"{name}" is neither a pod nor a service in namespace {space}'
        ) from None


async def _pod(net: common.Net, text: str, namespace: str) -> Destination:
    pod = await net.pod(text, namespace)
    found = await net.client.get("pods", pod.name, pod.namespace)
    ports = [
        port
        for container in objects.spec(found).get("containers", ())
        for port in container.get("ports") or ()
    ]
    shown = f"pod {pod}"
    if not ports:
        return Destination(shown, pod.address)
    first = ports[0]
    protocol = str(first.get("protocol", "TCP")).lower()
    return Destination(shown, pod.address, protocol, int(first["containerPort"]))


async def _service(
    net: common.Net, text: str, namespace: str, port: int, aliases: int = 0
) -> Destination:
    space, _, name = text.rpartition("/")
    space = space or namespace
    found = await net.client.get("services", name, space)
    spec = objects.spec(found)
    shown = f"service {space}/{name}"
    if spec.get("type") == "ExternalName":
        outside = str(spec.get("externalName", ""))
        if aliases >= _MOST_ALIASES:
            raise common.Failed(f"{shown} leads to {outside}, and that on and on")
        found_there = await _dotted(net, outside, port, aliases + 1)
        return found_there._replace(shown=f"{shown} ({outside})")
    ports = spec.get("ports") or []
    chosen = next((one for one in ports if one.get("port") == port), ports[0] if ports else {})
    protocol, number = str(chosen.get("protocol", "")).lower(), int(chosen.get("port", 0))
    listed = [one for one in spec.get("clusterIPs") or [spec.get("clusterIP", "")] if one]
    address = next((one for one in listed if _is_address(one)), "")
    if address:
        return Destination(shown, address, protocol, number)
    return await _headless(net, shown, space, name, chosen)


async def _headless(
    net: common.Net, shown: str, space: str, name: str, port: dict[str, Any]
) -> Destination:
    """The first ready endpoint, as a client of the cluster's DNS may get it."""
    slices = await net.client.list(_SLICES, space, labels=f"{_OF_SERVICE}={name}")
    for one in slices.items:
        known = {each.get("name", ""): each.get("port", 0) for each in one.get("ports") or ()}
        for endpoint in one.get("endpoints") or ():
            ready = (endpoint.get("conditions") or {}).get("ready", True)
            for address in endpoint.get("addresses") or ():
                if ready and _is_address(address):
                    number = int(known.get(port.get("name", ""), port.get("port", 0)) or 0)
                    protocol = str(port.get("protocol", "")).lower()
                    return Destination(f"{shown} (headless)", address, protocol, number)
    raise common.Failed(f"{shown} is headless and has no ready endpoint")


async def _node(net: common.Net, name: str) -> Destination:
    found = await net.client.get("nodes", name)
    for one in found.get("status", {}).get("addresses", ()):
        if one.get("type") == "InternalIP" and _is_address(one["address"]):
            return Destination(f"node {name}", one["address"])
    raise common.Failed(f"node {name} has no IPv4 address")


async def _dotted(net: common.Net, name: str, port: int, aliases: int = 0) -> Destination:
    parts = name.rstrip(".").removesuffix(_DOMAIN).removesuffix(".svc").split(".")
    if len(parts) == 2:
        try:
            return await _service(net, f"{parts[1]}/{parts[0]}", "", port, aliases)
        except errors.NotFound:
            if name.rstrip(".").endswith((".svc", _DOMAIN)):
                raise
    if len(parts) == 3 and name.rstrip(".").endswith((".svc", _DOMAIN)):
        return await _hostname(net, name, *parts)
    return Destination(name, await _looked_up(name))


async def _hostname(
    net: common.Net, name: str, hostname: str, service: str, space: str
) -> Destination:
    """A pod by the name that a headless service gives it."""
    slices = await net.client.list(_SLICES, space, labels=f"{_OF_SERVICE}={service}")
    for one in slices.items:
        for endpoint in one.get("endpoints") or ():
            for address in endpoint.get("addresses") or ():
                if endpoint.get("hostname") == hostname and _is_address(address):
                    return Destination(name, address)
    raise common.Failed(f"{name}: no endpoint of service {space}/{service} has that hostname")


async def _looked_up(name: str) -> str:
    """A name beyond the cluster, by this machine's resolver: the cluster's own forwards to it."""
    loop = asyncio.get_running_loop()
    try:
        rows = await loop.getaddrinfo(name, None, family=socket.AF_INET)
    except OSError as error:
        raise common.Failed(f"{name}: {error.strerror or error}") from error
    return str(rows[0][4][0])


def _is_address(text: str) -> bool:
    try:
        addresses.parse(text)
    except ValueError:
        return False
    return True
