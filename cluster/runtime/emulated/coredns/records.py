"""What the kubernetes plugin knows: services, endpoints, namespaces and pods, indexed by what is
asked for. Pure: objects of the API in, look-ups out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from cluster.api import objects
from cluster.runtime.emulated.coredns import naming

SERVICE_LABEL: Final = "kubernetes.io/service-name"
HEADLESS: Final = "None"


class Port(NamedTuple):
    """A port, its name and protocol in lower case."""

    name: str
    protocol: str
    number: int


class Address(NamedTuple):
    """One address of an endpoint."""

    ip: str
    label: str
    """What it is called below its service: its hostname, or its address with dashes."""
    hostname: str
    """"" where it has none of its own, and then no PTR."""


@dataclass(frozen=True, slots=True)
class Service:
    """A Service."""

    namespace: str
    name: str
    ips: tuple[str, ...]
    ports: tuple[Port, ...]
    external: str = ""
    """Where an ExternalName points to."""

    @property
    def headless(self) -> bool:
        """Whether it has no address of its own."""
        return self.ips == (HEADLESS,)


@dataclass(frozen=True, slots=True)
class Slice:
    """The ready endpoints of an EndpointSlice."""

    service: tuple[str, str]
    addresses: tuple[Address, ...]
    ports: tuple[Port, ...]


class Pod(NamedTuple):
    """A pod, for zones whose pods are verified."""

    namespace: str
    ip: str


@dataclass(slots=True)
class Store:
    """All of it. `put_*` take an object of the API, `None` for one that is gone."""

    pod_names: bool = False
    """Whether endpoints without a hostname are called as their pods (endpoint_pod_names)."""
    namespaces: dict[str, Mapping[str, str]] = field(default_factory=dict)
    """Labels by name."""
    services: dict[tuple[str, str], Service] = field(default_factory=dict)
    slices: dict[tuple[str, str], dict[str, Slice]] = field(default_factory=dict)
    """By service, by key of the slice."""
    _slices: dict[str, Slice] = field(default_factory=dict)
    _services_by_ip: dict[str, dict[tuple[str, str], None]] = field(default_factory=dict)
    _slices_by_ip: dict[str, dict[str, None]] = field(default_factory=dict)
    _pods: dict[str, Pod] = field(default_factory=dict)
    _pods_by_place: dict[Pod, int] = field(default_factory=dict)

    def put_namespace(self, name: str, obj: objects.Object | None) -> None:
        """A namespace."""
        if obj is None:
            self.namespaces.pop(name, None)
        else:
            self.namespaces[name] = dict(objects.meta(obj).get("labels") or {})

    def put_service(self, key: str, obj: objects.Object | None) -> None:
        """A service, by its key `namespace/name`."""
        namespace, _, name = key.partition("/")
        place = (namespace, name)
        old = self.services.pop(place, None)
        for ip in old.ips if old is not None else ():
            self._services_by_ip.get(ip, {}).pop(place, None)
            if not self._services_by_ip.get(ip):
                self._services_by_ip.pop(ip, None)
        if obj is None:
            return
        made = self.services[place] = _service(namespace, name, obj)
        for ip in made.ips:
            if ip != HEADLESS:
                self._services_by_ip.setdefault(ip, {})[place] = None

    def put_slice(self, key: str, obj: objects.Object | None) -> None:
        """An EndpointSlice, by its key `namespace/name`."""
        old = self._slices.pop(key, None)
        if old is not None:
            of_service = self.slices.get(old.service, {})
            of_service.pop(key, None)
            if not of_service:
                self.slices.pop(old.service, None)
            for address in old.addresses:
                self._slices_by_ip.get(address.ip, {}).pop(key, None)
                if not self._slices_by_ip.get(address.ip):
                    self._slices_by_ip.pop(address.ip, None)
        made = _slice(obj, pod_names=self.pod_names) if obj is not None else None
        if made is None:
            return
        self._slices[key] = made
        self.slices.setdefault(made.service, {})[key] = made
        for address in made.addresses:
            self._slices_by_ip.setdefault(address.ip, {})[key] = None

    def put_pod(self, key: str, obj: objects.Object | None) -> None:
        """A pod, by its key `namespace/name`."""
        old = self._pods.pop(key, None)
        if old is not None:
            self._pods_by_place[old] -= 1
            if not self._pods_by_place[old]:
                del self._pods_by_place[old]
        ip = str(objects.status(obj).get("podIP") or "") if obj is not None else ""
        if ip:
            made = self._pods[key] = Pod(key.partition("/")[0], ip)
            self._pods_by_place[made] = self._pods_by_place.get(made, 0) + 1

    def endpoints(self, service: tuple[str, str]) -> Sequence[Slice]:
        """The slices of a service."""
        return list(self.slices.get(service, {}).values())

    def services_at(self, ip: str) -> Sequence[Service]:
        """The services that have a cluster IP."""
        return [self.services[place] for place in self._services_by_ip.get(ip, ())]

    def endpoints_at(self, ip: str) -> Sequence[tuple[tuple[str, str], str]]:
        """Services and hostnames of the endpoints at an address that have hostnames."""
        return [
            (found.service, address.hostname)
            for found in (self._slices[key] for key in self._slices_by_ip.get(ip, ()))
            for address in found.addresses
            if address.ip == ip and address.hostname
        ]

    def behind(self, ip: str) -> Sequence[tuple[str, str]]:
        """The services that have an endpoint at an address."""
        return list(
            dict.fromkeys(self._slices[key].service for key in self._slices_by_ip.get(ip, ()))
        )

    def has_pod(self, namespace: str, ip: str) -> bool:
        """Whether a namespace has a pod of this address."""
        return Pod(namespace, ip) in self._pods_by_place


def _service(namespace: str, name: str, obj: objects.Object) -> Service:
    spec = objects.spec(obj)
    if spec.get("type") == "ExternalName":
        external = naming.normal(str(spec.get("externalName") or ""))
        return Service(namespace, name, (), (), external)
    first = str(spec.get("clusterIP") or "")
    ips = tuple(str(one) for one in spec.get("clusterIPs") or ([first] if first else ()))
    ports = tuple(
        _port(one.get("name"), one.get("protocol"), one.get("port"))
        for one in spec.get("ports") or ()
    )
    return Service(namespace, name, ips, ports)


def _slice(obj: objects.Object, *, pod_names: bool) -> Slice | None:
    meta = objects.meta(obj)
    service = (meta.get("labels") or {}).get(SERVICE_LABEL)
    if not service:
        return None
    addresses: list[Address] = []
    for endpoint in obj.get("endpoints") or ():
        if (endpoint.get("conditions") or {}).get("ready") is False:
            continue
        hostname = str(endpoint.get("hostname") or "")
        target = endpoint.get("targetRef") or {}
        pod = str(target.get("name") or "") if pod_names and target.get("kind") == "Pod" else ""
        addresses += (
            Address(str(ip), (hostname or pod or naming.dashed(str(ip))).lower(), hostname)
            for ip in endpoint.get("addresses") or ()
        )
    listed = [
        _port(one.get("name"), one.get("protocol"), one.get("port"))
        for one in obj.get("ports") or ()
    ]
    # Without ports there are addresses all the same (CoreDNS: port -1).
    ports = tuple(listed) or (Port("", "", -1),)
    namespace = str(meta.get("namespace") or "")
    return Slice((namespace, str(service)), tuple(addresses), ports)


def _port(name: object, protocol: object, number: object) -> Port:
    told = number if isinstance(number, int) else -1
    return Port(str(name or "").lower(), str(protocol or "TCP").lower(), told)
