"""Cluster IPs and node ports of Services (pkg/registry/core/service/storage of Kubernetes).

Not a plugin of kube-apiserver's by name: there it is part of the services' own storage.
"""

import functools
import ipaddress
from typing import ClassVar

from cluster.api import errors, objects
from cluster.api.objects import Object
from cluster.apiserver import tenure
from cluster.apiserver.admission import pool, service_carry
from cluster.apiserver.admission.plugin import Act, Plugin, Request
from cluster.apiserver.watchcache.cache import WatchCache
from cluster.apiserver.watchcache.entry import Entry
from cluster.apiserver.watchcache.events import Event

_HEADLESS = "None"


class ServiceAddresses(Plugin):
    """Hands out cluster IPs and node ports, each to one Service at a time.

    ValueError for ranges that hold nothing.
    """

    name: ClassVar[str] = "ServiceAddresses"
    resources: ClassVar[tuple[str, ...]] = ("services",)

    def __init__(self, service_range: str, node_ports: range) -> None:
        self._network = ipaddress.ip_network(service_range)
        size = min(self._network.num_addresses - 2, 1 << 16)
        if size < 1:
            raise ValueError(f"the service range {service_range} is too small")
        if not node_ports:
            raise ValueError("the range of node ports is empty")
        self._node_ports = node_ports
        # The lower bands are left to people: KEP-3070, and KEP-3668 for node ports.
        self._ips = pool.Pool(size, _band(size, 16, 256))
        self._ports = pool.Pool(len(node_ports), _band(len(node_ports), 32, 128))

    def open(self, cache: WatchCache) -> None:
        """Follow the Services."""
        cache.of("services").observe(self._follow)

    def mutate(self, request: Request) -> None:
        """An update that is silent about what was allocated keeps it, and one that changes the
        type lets go of what the new type does not have.
        """
        if request.act is Act.UPDATE and not request.subresource and request.old is not None:
            spec = request.object.get("spec")
            if spec is not None:
                request.object["spec"] = service_carry.carried(
                    objects.spec(request.old), dict(spec)
                )

    def complete(self, request: Request) -> None:
        """Allocate what the Service needs and does not have. errors.Invalid."""
        if request.act is Act.DELETE or request.subresource:
            return
        spec = request.object["spec"]
        old = objects.spec(request.old) if request.old is not None else {}
        if service_carry.has_ip(spec):
            self._admit_ip(request, spec, old)
        if service_carry.has_node_ports(spec):
            self._admit_ports(request, spec, old)

    def _admit_ip(self, request: Request, spec: Object, old: Object) -> None:
        address = spec.get("clusterIP") or (spec.get("clusterIPs") or [""])[0]
        family = "IPv6" if self._network.version == 6 else "IPv4"
        _check_families(request, spec, old, family)
        if address != _HEADLESS and address != old.get("clusterIP"):
            address = self._allocate_ip(request, address) if address else self._pick_ip(request)
        spec["clusterIP"], spec["clusterIPs"] = address, [address]
        if not spec.get("ipFamilies"):
            spec["ipFamilies"] = [family]
        if spec.get("ipFamilyPolicy") in (None, ""):
            spec["ipFamilyPolicy"] = "SingleStack"

    def _allocate_ip(self, request: Request, address: str) -> str:
        number = self._ip_number(address)
        if number is None:
            why = (
                f"the provided IP ({address}) is not in the valid range. The range of valid IPs is "
                f"{self._network}"
            )
            raise _invalid_ip(request, address, why)
        tenure.decide(request.call, tenure.SERVICES)
        try:
            self._ips.reserve(number, _owner(request))
        except pool.Taken:
            raise _invalid_ip(request, address, "provided IP is already allocated") from None
        request.call.settled.append(functools.partial(self._ips.release, number))
        return address

    def _pick_ip(self, request: Request) -> str:
        tenure.decide(request.call, tenure.SERVICES)
        try:
            number = self._ips.pick(_owner(request), request.call.random)
        except pool.Full:
            raise errors.InternalError(
                "Internal error occurred: failed to allocate a serviceIP: range is full"
            ) from None
        request.call.settled.append(functools.partial(self._ips.release, number))
        return str(self._network[number + 1])

    def _admit_ports(self, request: Request, spec: Object, old: Object) -> None:
        held = {port.get("nodePort") for port in old.get("ports") or ()}
        held.discard(None)
        if spec.get("type") == "LoadBalancer" and not spec.get(
            "allocateLoadBalancerNodePorts", True
        ):
            wanted = [port for port in spec.get("ports") or () if port.get("nodePort")]
        else:
            wanted = list(spec.get("ports") or ())
        own: dict[int, list[str]] = {}
        for index, port in enumerate(wanted):
            number = port.get("nodePort")
            if number and number not in held and number not in own:
                self._allocate_port(request, number, index)
            if number:
                own.setdefault(number, []).append(port.get("protocol", "TCP"))
        for port in wanted:
            if not port.get("nodePort"):
                port["nodePort"] = self._pick_port(request, port, spec, own)
        if service_carry.has_health_check(spec):
            self._admit_health_check(request, spec, old)

    def _admit_health_check(self, request: Request, spec: Object, old: Object) -> None:
        port = spec.get("healthCheckNodePort")
        if not port:
            spec["healthCheckNodePort"] = self._new_port(request)
        elif port != old.get("healthCheckNodePort") and (why := self._reserve_port(request, port)):
            raise errors.InternalError(
                "Internal error occurred: failed to allocate requested HealthCheck NodePort "
                f"{port}: {why}"
            )

    def _allocate_port(self, request: Request, port: int, index: int) -> None:
        why = self._reserve_port(request, port)
        if why:
            raise _invalid_port(request, port, index, why)

    def _reserve_port(self, request: Request, port: int) -> str:
        """Hold a node port; why it cannot be had, "" where it is held."""
        if port not in self._node_ports:
            first, last = self._node_ports[0], self._node_ports[-1]
            return (
                "provided port is not in the valid range. The range of valid ports is "
                f"{first}-{last}"
            )
        number = port - self._node_ports[0]
        tenure.decide(request.call, tenure.SERVICES)
        try:
            self._ports.reserve(number, _owner(request))
        except pool.Taken:
            return "provided port is already allocated"
        request.call.settled.append(functools.partial(self._ports.release, number))
        return ""

    def _pick_port(
        self, request: Request, port: Object, spec: Object, own: dict[int, list[str]]
    ) -> int:
        """A node port; one port number over two protocols shares it."""
        protocol = port.get("protocol", "TCP")
        for other in spec["ports"]:
            number = other.get("nodePort")
            if number and other.get("port") == port.get("port") and protocol not in own[number]:
                own[number].append(protocol)
                return int(number)
        number = self._new_port(request)
        own[number] = [protocol]
        return number

    def _new_port(self, request: Request) -> int:
        tenure.decide(request.call, tenure.SERVICES)
        try:
            number = self._ports.pick(_owner(request), request.call.random)
        except pool.Full:
            raise errors.InternalError(
                "Internal error occurred: failed to allocate a nodePort: range is full"
            ) from None
        request.call.settled.append(functools.partial(self._ports.release, number))
        return self._node_ports[0] + number

    def _ip_number(self, address: str) -> int | None:
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return None
        if found not in self._network:
            return None
        number = int(found) - int(self._network.network_address) - 1
        return number if 0 <= number < self._network.num_addresses - 2 else None

    def _follow(self, event: Event) -> None:
        if event.previous is not None:
            for held, number in self._held(event.previous):
                held.disown(number, event.previous.key)
        if event.entry is not None:
            for held, number in self._held(event.entry):
                held.own(number, event.entry.key)

    def _held(self, entry: Entry) -> list[tuple[pool.Pool, int]]:
        spec = objects.spec(entry.document())
        found: list[tuple[pool.Pool, int]] = []
        number = self._ip_number(spec.get("clusterIP") or "")
        if number is not None:
            found.append((self._ips, number))
        ports = [port.get("nodePort") for port in spec.get("ports") or ()]
        ports.append(spec.get("healthCheckNodePort"))
        found += [
            (self._ports, port - self._node_ports[0]) for port in ports if port in self._node_ports
        ]
        return found


def _band(size: int, smallest: int, largest: int) -> int:
    """How many numbers at the start of a range are left to people."""
    return 0 if size < smallest else min(max(smallest, size // smallest), largest)


def _owner(request: Request) -> str:
    """The key that the entry will have: a Service may take again what it has already."""
    return f"/registry/services/{request.call.namespace}/{objects.name(request.object)}"


def _check_families(request: Request, spec: Object, old: Object, family: str) -> None:
    """What was asked for newly has to be there: one family. errors.Invalid.

    A headless Service without a selector may be of any: its endpoints are its owner's affair.
    Source: pkg/registry/core/service/storage, alloc.go.
    """
    if spec.get("clusterIP") == _HEADLESS and not spec.get("selector"):
        return
    causes: list[errors.Cause] = []
    policy = spec.get("ipFamilyPolicy")
    if policy == "RequireDualStack" and policy != old.get("ipFamilyPolicy"):
        text = 'Invalid value: "RequireDualStack": this cluster is not configured for dual-stack '
        causes.append(errors.Cause("FieldValueInvalid", f"{text}services", "spec.ipFamilyPolicy"))
    asked = spec.get("ipFamilies") or ()
    for index, one in enumerate(asked if asked != old.get("ipFamilies") else ()):
        # With IPv6 addresses a wish for IPv4 cannot be told from the default.
        if one != family == "IPv4":
            text = f'Invalid value: "{one}": not configured on this cluster'
            causes.append(errors.Cause("FieldValueInvalid", text, f"spec.ipFamilies[{index}]"))
    if causes:
        raise errors.invalid("Service", "", objects.name(request.object), causes)


def _invalid_ip(request: Request, address: str, why: str) -> errors.Invalid:
    text = f'Invalid value: ["{address}"]: failed to allocate IP {address}: {why}'
    cause = errors.Cause("FieldValueInvalid", text, "spec.clusterIPs")
    return errors.invalid("Service", "", objects.name(request.object), [cause])


def _invalid_port(request: Request, port: int, index: int, why: str) -> errors.Invalid:
    text = f"Invalid value: {port}: {why}"
    cause = errors.Cause("FieldValueInvalid", text, f"spec.ports[{index}].nodePort")
    return errors.invalid("Service", "", objects.name(request.object), [cause])
