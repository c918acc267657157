"""What the kubernetes plugin answers (Kubernetes DNS-Based Service Discovery, 1.1.0), as CoreDNS
does. Pure: a name and a type in, records out.

A name that is there without records of the type is NODATA; one that is not is NXDOMAIN.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from cluster.api import selectors
from cluster.runtime.emulated.coredns import naming
from cluster.runtime.emulated.coredns.records import Port, Service, Store

VERSION: Final = "1.1.0"
DISABLED, INSECURE, VERIFIED = "disabled", "insecure", "verified"
ADDRESSES: Final = ("A", "AAAA")


class Record(NamedTuple):
    """A record. `data` is an address, a name, a text, or for SRV (weight, port, target), for SOA
    (primary, mailbox).
    """

    name: str
    kind: str
    data: str | tuple[int, int, str] | tuple[str, str]


class Found(NamedTuple):
    """What there is. `exists` is false for a name that nobody has."""

    answers: Sequence[Record] = ()
    extra: Sequence[Record] = ()
    exists: bool = True


NO_NAME: Final = Found(exists=False)
NO_DATA: Final = Found()


@dataclass(frozen=True, slots=True)
class Settings:
    """The plugin's options. Zones are normal names, without the root."""

    zones: tuple[str, ...]
    pods: str = DISABLED
    namespaces: frozenset[str] = frozenset()
    """Those that are shown; all where there are none."""
    namespace_labels: selectors.Selector | None = None
    ignore_empty: bool = False
    own: tuple[str, ...] = ()
    """The addresses of the name server itself, for NS and `ns.dns`."""


class _Match(NamedTuple):
    """An address or an alias of a service, and its name."""

    host: str
    port: int
    key: str


class Zones:
    """Answers for the zones of one plugin."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        forward = [zone for zone in settings.zones if not naming.is_reverse(zone)]
        self.primary = forward[0] if forward else ""
        """The zone in which names for addresses are."""

    def zone(self, name: str) -> str | None:
        """The plugin's zone of a normal name."""
        return naming.zone_of(name, self._settings.zones)

    def find(self, name: str, kind: str) -> Found:
        """The records of a type that a normal name in one of the zones has."""
        zone = self.zone(name)
        if zone is None:
            return NO_NAME
        if kind == "PTR" and naming.is_reverse(zone):
            return self._pointer(name)
        if name == zone:
            return self._apex(zone, kind)
        if naming.is_reverse(zone):
            return NO_NAME
        if name == f"ns.dns.{zone}":
            return _addresses(name, [_Match(ip, 0, name) for ip in self._own()], kind)
        if name == f"dns-version.{zone}":
            return Found([Record(name, "TXT", VERSION)]) if kind == "TXT" else NO_DATA
        matches = self._matches(name, zone)
        if matches is None:
            return NO_NAME
        if kind == "SRV":
            return _services(name, matches)
        return _addresses(name, matches, kind)

    def soa(self, zone: str) -> Record:
        """The record that goes with answers without one."""
        return Record(zone, "SOA", (f"ns.dns.{zone}".rstrip("."), f"hostmaster.{zone}".rstrip(".")))

    # ---- names ---------------------------------------------------------------------------------

    def _apex(self, zone: str, kind: str) -> Found:
        if kind == "SOA":
            return Found([self.soa(zone)])
        if kind != "NS":
            return NO_DATA
        servers = self._servers() or [_Match("", 0, f"ns.dns.{zone}")]
        names = dict.fromkeys(one.key for one in servers)
        extra = [Record(one.key, _family(one.host), one.host) for one in servers if one.host]
        return Found([Record(zone, "NS", name) for name in names], extra)

    def _servers(self) -> list[_Match]:
        """The name server by the names of the services that are it."""
        places: dict[tuple[str, str], None] = {}
        for ip in self._settings.own:
            places |= dict.fromkeys(
                [(one.namespace, one.name) for one in self._store.services_at(ip)]
                + list(self._store.behind(ip))
            )
        return [
            _Match(ip, 0, self._name(*place))
            for place in places
            if (service := self._store.services.get(place)) and not service.headless
            for ip in service.ips
        ]

    def _own(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.host for one in self._servers())) or self._settings.own

    def _name(self, namespace: str, service: str, label: str = "") -> str:
        name = f"{service}.{namespace}.svc.{self.primary}"
        return f"{label}.{name}" if label else name

    def _shown(self, namespace: str) -> bool:
        known = self._store.namespaces.get(namespace)
        settings = self._settings
        if known is None or (settings.namespaces and namespace not in settings.namespaces):
            return False
        chosen = settings.namespace_labels
        return chosen is None or chosen.matches(known)

    def _matches(self, name: str, zone: str) -> list[_Match] | None:
        """What a name means; None for one that nobody has."""
        parts = naming.below(name, zone)
        kind = parts.pop()
        if kind not in ("svc", "pod"):
            return None
        if not parts:
            return []
        namespace = parts.pop()
        if not self._shown(namespace):
            return None
        if not parts:
            return []
        first = parts.pop()
        if kind == "pod":
            return self._pod(namespace, first) if not parts else None
        if len(parts) > 2:
            return None
        endpoint = parts[0] if len(parts) == 1 else ""
        port, protocol = (_bare(parts[0]), _bare(parts[1])) if len(parts) == 2 else ("", "")
        return self._service(namespace, first, endpoint, (port, protocol))

    def _service(
        self, namespace: str, name: str, endpoint: str, port: tuple[str, str]
    ) -> list[_Match] | None:
        service = self._store.services.get((namespace, name))
        if service is None:
            return None
        if service.external:
            if endpoint:
                return None
            return [_Match(service.external, 0, self._name(namespace, name))]
        if service.headless or endpoint:
            return self._endpoints(service, endpoint, port) or None
        if self._settings.ignore_empty and not any(
            one.addresses for one in self._store.endpoints((namespace, name))
        ):
            return None
        found = [
            _Match(ip, one.number, self._name(namespace, name))
            for one in service.ports
            if _fits(one, port)
            for ip in service.ips
        ]
        return found or None

    def _endpoints(self, service: Service, endpoint: str, port: tuple[str, str]) -> list[_Match]:
        place = (service.namespace, service.name)
        return [
            _Match(address.ip, one.number, self._name(*place, address.label))
            for part in self._store.endpoints(place)
            for address in part.addresses
            if not endpoint or endpoint == address.label
            for one in part.ports
            if _fits(one, port)
        ]

    def _pod(self, namespace: str, label: str) -> list[_Match] | None:
        mode = self._settings.pods
        ip = naming.undashed(label)
        if mode == DISABLED or not ip:
            return None
        if mode == VERIFIED and not self._store.has_pod(namespace, ip):
            return None
        return [_Match(ip, 0, f"{label}.{namespace}.pod.{self.primary}")]

    def _pointer(self, name: str) -> Found:
        ip = naming.address_of(name)
        if not ip:
            return NO_NAME
        found = [
            self._name(one.namespace, one.name)
            for one in self._store.services_at(ip)
            if self._shown(one.namespace)
        ] or [
            self._name(namespace, service, hostname.lower())
            for (namespace, service), hostname in self._store.endpoints_at(ip)
            if self._shown(namespace)
        ]
        if not found or not self.primary:
            return NO_NAME
        return Found([Record(name, "PTR", one) for one in dict.fromkeys(found)])


def _bare(label: str) -> str:
    return label.removeprefix("_")


def _fits(port: Port, wanted: tuple[str, str]) -> bool:
    name, protocol = wanted
    return (not name or name == port.name) and (not protocol or protocol == port.protocol)


def _family(host: str) -> str:
    """The type of record that a host gives."""
    if ":" in host:
        return "AAAA"
    return "A" if host.replace(".", "").isdigit() else "CNAME"


def _addresses(name: str, matches: Sequence[_Match], kind: str) -> Found:
    """Records of a type; where the name is another's, that one whatever the type."""
    found: dict[str, Record] = {}
    for one in matches:
        family = _family(one.host)
        if family == kind or (family == "CNAME" and kind in ADDRESSES):
            found.setdefault(one.host, Record(name, family, one.host))
    return Found(list(found.values()))


def _services(name: str, matches: Sequence[_Match]) -> Found:
    """SRV records, each of the same weight, and the addresses of their targets."""
    weight = 100 // len(matches) if matches else 0
    answers: dict[tuple[str, int], Record] = {}
    extra: dict[tuple[str, str], Record] = {}
    for one in matches:
        family = _family(one.host)
        target = one.host if family == "CNAME" else one.key
        port = max(one.port, 0)
        answers.setdefault((target, port), Record(name, "SRV", (weight, port, target)))
        if family != "CNAME":
            extra.setdefault((target, one.host), Record(target, family, one.host))
    return Found(list(answers.values()), list(extra.values()))
