"""What the controller serves: hosts, their paths, certificates. Pure: objects in, a Model out.

Where two Ingresses say something of the same path of a host, the older one is heeded
(creationTimestamp, then namespace and name), as in ingress-nginx.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

from cluster.api import objects
from cluster.runtime.emulated.ingressnginx import annotations
from cluster.runtime.emulated.ingressnginx.annotations import Settings

CATCH_ALL: Final = "_"
EXACT, PREFIX, REGEX = "Exact", "Prefix", "Regex"
_PLAIN: Final = re.compile(r"[A-Za-z0-9\-._~/!$&'()*+,;=:@% ]*")


class Backend(NamedTuple):
    """A port of a service: its number, or its name."""

    namespace: str
    service: str
    port: int | str

    @property
    def name(self) -> str:
        """What ingress-nginx calls it."""
        return f"{self.namespace}-{self.service}-{self.port}"


class Pattern(Protocol):
    """A compiled regular expression."""

    def match(self, text: str) -> Any:
        """Its match at the beginning."""


@dataclass(frozen=True, slots=True)
class Location:
    """A path of a host."""

    kind: str
    path: str
    backend: Backend | None
    settings: Settings
    ingress: tuple[str, str]
    """Namespace and name."""
    pattern: Pattern | None = None
    canaries: tuple[tuple[Backend, annotations.Canary], ...] = ()


@dataclass(slots=True)
class Server:
    """A host. Locations in the order in which they are tried."""

    host: str
    exact: dict[str, Location] = field(default_factory=dict)
    prefixes: list[Location] = field(default_factory=list)
    patterns: list[Location] = field(default_factory=list)
    secret: tuple[str, str] | None = None
    """Namespace and name of the certificate's Secret."""
    default: Location | None = None
    app_root: str = ""

    @property
    def tls(self) -> bool:
        """Whether it has a certificate of its own."""
        return self.secret is not None

    def locate(self, path: str) -> Location | None:
        """The location of a path, which is decoded and normal."""
        if self.patterns:
            for one in self.patterns:
                if one.pattern is not None and one.pattern.match(path):
                    return one
            return self.default
        found = self.exact.get(path)
        if found is not None:
            return found
        for one in self.prefixes:
            if path.startswith(one.path):
                return one
        return self.default


@dataclass(slots=True)
class Model:
    """All of it. `owned` are the Ingresses that are the controller's, `complaints` what is wrong
    with them, in words by `namespace/name`.
    """

    servers: dict[str, Server] = field(default_factory=dict)
    owned: dict[str, objects.Object] = field(default_factory=dict)
    complaints: dict[str, list[str]] = field(default_factory=dict)
    wild: dict[str, Server] = field(default_factory=dict)
    """Servers by what follows the `*.` of their host."""

    def server(self, host: str) -> Server | None:
        """The server of a host name in lower case; the catch-all one where nobody has it."""
        found = self.servers.get(host)
        if found is None and self.wild:
            rest = host
            while found is None and "." in rest:
                rest = rest.partition(".")[2]
                found = self.wild.get(rest)
        return found or self.servers.get(CATCH_ALL)


@dataclass(frozen=True, slots=True)
class Options:
    """What of the command line the model depends on."""

    controller: str = "k8s.io/ingress-nginx"
    ingress_class: str = "nginx"
    without_class: bool = False
    by_name: bool = False
    namespace: str = ""
    """The only one that is watched."""


class Source(Protocol):
    """Where objects are looked up."""

    def secret(self, namespace: str, name: str) -> objects.Object | None:
        """A Secret."""


def build(
    ingresses: Iterable[objects.Object],
    classes: Iterable[objects.Object],
    options: Options,
    base: Settings,
    *,
    compiled: Callable[[str], Pattern],
    has_certificate: Callable[[str, str], bool],
) -> Model:
    """Make the model. `compiled` makes a pattern (ValueError), `has_certificate` tells whether a
    Secret holds one.
    """
    return _Builder(options, base, compiled, has_certificate).build(ingresses, classes)


@dataclass(slots=True)
class _Claim:
    """A path that an Ingress says something of."""

    ingress: objects.Object
    settings: Settings
    kind: str
    path: str
    backend: Backend | None


class _Builder:
    def __init__(
        self, options: Options, base: Settings, compiled: Callable[[str], Pattern],
        has_certificate: Callable[[str, str], bool],
    ) -> None:  # fmt: skip
        self._options = options
        self._base = base
        self._compiled = compiled
        self._has_certificate = has_certificate
        self._model = Model()
        self._claims: dict[str, dict[tuple[str, str], _Claim]] = {}
        self._canaries: list[tuple[str, _Claim]] = []
        self._defaults: dict[str, _Claim] = {}

    def build(
        self, ingresses: Iterable[objects.Object], classes: Iterable[objects.Object]
    ) -> Model:
        names = {
            objects.name(one)
            for one in classes
            if objects.spec(one).get("controller") == self._options.controller
        }
        owned = [one for one in ingresses if self._is_ours(one, names)]
        for ingress in sorted(owned, key=_age):
            self._model.owned[objects.key(ingress)] = ingress
            self._take(ingress)
        for host, claims in self._claims.items():
            self._place(host, claims)
        for host in self._model.servers:
            if host.startswith("*."):
                self._model.wild[host[2:]] = self._model.servers[host]
        self._alias()
        return self._model

    def _is_ours(self, ingress: objects.Object, names: set[str]) -> bool:
        told = objects.meta(ingress).get("annotations") or {}
        old = told.get("kubernetes.io/ingress.class")
        if old is not None:
            return bool(old == self._options.ingress_class)
        name = objects.spec(ingress).get("ingressClassName")
        if name is None:
            return self._options.without_class
        if self._options.by_name and name == self._options.ingress_class:
            return True
        return name in names

    def _complain(self, ingress: objects.Object, text: str) -> None:
        self._model.complaints.setdefault(objects.key(ingress), []).append(text)

    def _take(self, ingress: objects.Object) -> None:
        found = annotations.read(objects.meta(ingress).get("annotations") or {}, self._base)
        for text in found.complaints:
            self._complain(ingress, text)
        spec = objects.spec(ingress)
        settings = found.settings
        default = _backend(ingress, spec.get("defaultBackend"))
        rules = spec.get("rules") or []
        for rule in rules:
            host = str(rule.get("host") or CATCH_ALL).lower()
            self._claims.setdefault(host, {})
            paths = (rule.get("http") or {}).get("paths") or []
            for one in paths:
                self._claim(ingress, host, settings, one)
            if default is not None:
                self._defaults.setdefault(host, _Claim(ingress, settings, PREFIX, "/", default))
        if default is not None and not rules:
            self._claims.setdefault(CATCH_ALL, {})
            made = _Claim(ingress, settings, PREFIX, "/", default)
            self._claims[CATCH_ALL].setdefault((PREFIX, "/"), made)
        self._certify(ingress, spec, [str(rule.get("host") or "") for rule in rules])

    def _claim(
        self, ingress: objects.Object, host: str, settings: Settings, path: Mapping[str, Any]
    ) -> None:
        kind = str(path.get("pathType") or "ImplementationSpecific")
        text = str(path.get("path") or "/")
        made = _Claim(ingress, settings, kind, text, _backend(ingress, path.get("backend")))
        if settings.canary is not None:
            self._canaries.append((host, made))
            return
        if not text.startswith("/") or (not settings.regex and not _PLAIN.fullmatch(text)):
            self._complain(ingress, f"ingress contains invalid path {text[:100]}")
            return
        other = self._claims[host].setdefault((kind, text), made)
        if other is not made:
            told = f"{objects.namespace(other.ingress)}/{objects.name(other.ingress)}"
            self._complain(
                ingress, f'host "{host}" and path "{text}" is already defined in ingress {told}'
            )

    def _certify(
        self, ingress: objects.Object, spec: Mapping[str, Any], hosts: Sequence[str]
    ) -> None:
        for tls in spec.get("tls") or ():
            name = str(tls.get("secretName") or "")
            named = [str(one).lower() for one in tls.get("hosts") or ()] or [
                host.lower() for host in hosts if host
            ]
            for host in named:
                server = self._model.servers.setdefault(host, Server(host))
                if host not in self._claims:
                    self._claims[host] = {}
                if server.secret is None and name:
                    place = (objects.namespace(ingress), name)
                    if self._has_certificate(*place):
                        server.secret = place
                    else:
                        told = f"{place[0]}/{name}"
                        self._complain(
                            ingress,
                            f'Error getting SSL certificate "{told}": local SSL certificate '
                            f"{told} was not found. Using default certificate",
                        )

    def _place(self, host: str, claims: Mapping[tuple[str, str], _Claim]) -> None:
        server = self._model.servers.setdefault(host, Server(host))
        regex = any(one.settings.regex for one in claims.values())
        for claim in claims.values():
            server.app_root = server.app_root or claim.settings.app_root
            if regex:
                self._place_pattern(server, claim)
            else:
                self._place_plain(server, host, claim)
        server.prefixes.sort(key=lambda one: -len(one.path))
        server.patterns.sort(key=lambda one: -len(one.path))
        last = self._defaults.get(host)
        if last is not None:
            server.default = self._location(host, last)

    def _place_pattern(self, server: Server, claim: _Claim) -> None:
        end = "$" if claim.kind == EXACT else ""
        text = f"(?i)^{claim.path}{end}"
        if claim.kind == PREFIX and not claim.settings.regex and claim.path != "/":
            text = f"(?i)^{re.escape(claim.path.rstrip('/'))}(?:/|$)"
        try:
            pattern = self._compiled(text)
        except ValueError as error:
            self._complain(claim.ingress, f"ingress contains invalid path {claim.path}: {error}")
            return
        server.patterns.append(self._location(server.host, claim, REGEX, pattern))

    def _place_plain(self, server: Server, host: str, claim: _Claim) -> None:
        if claim.kind == EXACT:
            server.exact[claim.path] = self._location(host, claim)
            return
        bare = claim.path.rstrip("/")
        if claim.kind != PREFIX or not bare:
            server.prefixes.append(self._location(host, claim))
            return
        location = self._location(host, claim)
        server.exact.setdefault(bare, location)
        server.prefixes.append(self._location(host, claim, path=bare + "/"))

    def _location(
        self, host: str, claim: _Claim, kind: str = "", pattern: Pattern | None = None,
        path: str = "",
    ) -> Location:  # fmt: skip
        canaries = tuple(
            (one.backend, one.settings.canary)
            for at, one in self._canaries
            if at == host and one.path == claim.path and one.backend and one.settings.canary
        )
        place = (objects.namespace(claim.ingress), objects.name(claim.ingress))
        return Location(kind or claim.kind, path or claim.path, claim.backend, claim.settings,
                        place, pattern, canaries)  # fmt: skip

    def _alias(self) -> None:
        for host, claims in self._claims.items():
            for claim in claims.values():
                for alias in claim.settings.aliases:
                    self._model.servers.setdefault(alias, self._model.servers[host])


def _backend(ingress: objects.Object, told: Mapping[str, Any] | None) -> Backend | None:
    service = (told or {}).get("service") or {}
    port = service.get("port") or {}
    wanted = port.get("name") or port.get("number")
    if not service.get("name") or not wanted:
        return None
    return Backend(objects.namespace(ingress), str(service["name"]), wanted)


def _age(ingress: objects.Object) -> tuple[str, str]:
    return str(objects.meta(ingress).get("creationTimestamp") or ""), objects.key(ingress)
