"""What a packet's destination may be called: pods, services, nodes, addresses and names."""

import asyncio
import ipaddress
import re
import socket
from typing import Any, Final, NamedTuple

from cluster.api import errors, objects
from cluster.cli.commands.net import common
from cluster.network.wire import addresses

_DOMAIN: Final = ".svc.cluster.local"
_SLICES: Final = "endpointslices.discovery.k8s.io"
_MOST_ALIASES: Final = 8
"""Services of type ExternalName that lead from one to the next."""
_NAME: Final = re.compile("[a-z0-9]([a-z0-9-]*[a-z0-9])?")
"""Of a port."""
_OF_SERVICE: Final = "kubernetes.io/service-name"


class Destination(NamedTuple):
    """Where a packet goes. `protocol` and `port` are empty where neither is known, and `named` is
    whether it has a port as the user called it.
    """

    shown: str
    address: str
    protocol: str = ""
    port: int = 0
    named: bool = False


async def find(net: common.Net, text: str, namespace: str) -> Destination:
    """What `DEST[:PORT]` names. Failed.

    DEST is an address, pod/NAME, svc/NAME, node/NAME (with a namespace: svc/NAMESPACE/NAME,
    NAMESPACE/NAME), a name as DNS has it (NAME.NAMESPACE.svc…), localhost, or a bare name: of a
    pod, else of a service, else of a node. PORT is a number, or the name of a port of the pod or
    service.
    """
    if _is_ipv6(text):
        raise common.Failed(f"{text} is IPv6, and the network of pods carries IPv4 only")
    name, colon, port = text.rpartition(":")
    if not colon:
        return await _found(net, text, namespace, "")
    if port.isascii() and port.isdigit():
        if len(port) > 5 or not 0 < int(port) < 65536:
            raise common.Failed(f"{port!r} in {text!r} is no port")
        found = await _found(net, name, namespace, str(int(port)))
        return found._replace(port=int(port))
    if not _NAME.fullmatch(port):
        raise common.Failed(f"{port!r} in {text!r} is no port")
    found = await _found(net, name, namespace, port)
    if not found.named:
        raise common.Failed(f"{found.shown} has no port with the name {port!r}")
    return found


async def _found(net: common.Net, name: str, namespace: str, port: str) -> Destination:
    kind, slash, rest = name.partition("/")
    if slash and kind in ("svc", "service", "services"):
        return await _service(net, rest, namespace, port)
    if slash and kind in ("node", "nodes"):
        return await _node(net, rest)
    if slash and kind in ("pod", "pods"):
        return await _pod(net, rest, namespace, port)
    if slash:
        return await _qualified(net, name, port)
    if _is_address(name):
        return Destination(name, name)
    if name == "localhost":
        return Destination(name, "127.0.0.1")
    if "." in name:
        return await _dotted(net, name, port)
    pod = await net.find_pod(name, namespace)
    if pod is not None:
        return await _pod(net, name, namespace, port)
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


async def _qualified(net: common.Net, text: str, port: str) -> Destination:
    """NAMESPACE/NAME: of a pod, else of a service."""
    if await net.find_pod(text, "") is not None:
        return await _pod(net, text, "", port)
    try:
        return await _service(net, text, "", port)
    except errors.NotFound:
        space, _, name = text.rpartition("/")
        raise common.Failed(
            f'"{name}" is neither a pod nor a service in namespace {space}'
        ) from None


async def _pod(net: common.Net, text: str, namespace: str, name: str) -> Destination:
    """Its first port, or the one with the name."""
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
    known = next((port for port in ports if name and port.get("name") == name), None)
    first = known or ports[0]
    protocol = str(first.get("protocol", "TCP")).lower()
    number = int(first["containerPort"])
    return Destination(shown, pod.address, protocol, number, known is not None)


async def _service(
    net: common.Net, text: str, namespace: str, port: str, aliases: int = 0
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
    known = next(
        (one for one in ports if port and port in (one.get("name"), str(one.get("port")))), None
    )
    chosen = known or (ports[0] if ports else {})
    named = known is not None
    protocol, number = str(chosen.get("protocol", "")).lower(), int(chosen.get("port", 0))
    listed = [one for one in spec.get("clusterIPs") or [spec.get("clusterIP", "")] if one]
    address = next((one for one in listed if _is_address(one)), "")
    if address:
        return Destination(shown, address, protocol, number, named)
    return (await _headless(net, shown, space, name, chosen))._replace(named=named)


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


async def _dotted(net: common.Net, name: str, port: str, aliases: int = 0) -> Destination:
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


def _is_ipv6(text: str) -> bool:
    """Whether it is an address of IPv6, alone or as `[ADDRESS]:PORT`."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _is_address(text: str) -> bool:
    try:
        addresses.parse(text)
    except ValueError:
        return False
    return True
