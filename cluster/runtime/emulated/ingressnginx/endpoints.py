"""Who is behind a port of a service: endpoints that are ready, in turn. Pure.

Slices are looked up when a request comes, so that a change counts at once, without a reload.
"""

import zlib
from collections.abc import Sequence
from typing import Final, NamedTuple

from cluster.api import objects
from cluster.runtime.emulated.ingressnginx.model import Backend

SERVICE_LABEL: Final = "kubernetes.io/service-name"


class Peer(NamedTuple):
    """An address and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def cookie(self) -> str:
        """What a client is given that is to come back here."""
        return f"{zlib.crc32(str(self).encode()):08x}"


class Endpoints:
    """Services and their slices, by what is asked for."""

    def __init__(self) -> None:
        self._services: dict[tuple[str, str], objects.Object] = {}
        self._slices: dict[tuple[str, str], dict[str, objects.Object]] = {}
        self._of_slice: dict[str, tuple[str, str]] = {}
        self._known: dict[Backend, tuple[Peer, ...]] = {}
        self._turns: dict[Backend, int] = {}

    def put_service(self, key: str, obj: objects.Object | None) -> None:
        """A Service, by its key; None for one that is gone."""
        namespace, _, name = key.partition("/")
        if obj is None:
            self._services.pop((namespace, name), None)
        else:
            self._services[(namespace, name)] = obj
        self._forget((namespace, name))

    def put_slice(self, key: str, obj: objects.Object | None) -> None:
        """An EndpointSlice, by its key; None for one that is gone."""
        old = self._of_slice.pop(key, None)
        if old is not None:
            self._slices[old].pop(key, None)
            if not self._slices[old]:
                del self._slices[old]
            self._forget(old)
        name = str((objects.meta(obj).get("labels") or {}).get(SERVICE_LABEL) or "") if obj else ""
        if obj is not None and name:
            place = (objects.namespace(obj), name)
            self._of_slice[key] = place
            self._slices.setdefault(place, {})[key] = obj
            self._forget(place)

    def _forget(self, place: tuple[str, str]) -> None:
        for backend in [one for one in self._known if (one.namespace, one.service) == place]:
            del self._known[backend]
            self._turns.pop(backend, None)

    def exists(self, namespace: str, service: str) -> bool:
        """Whether there is such a service."""
        return (namespace, service) in self._services

    def first_port(self, namespace: str, service: str) -> Backend | None:
        """The first port of a service."""
        found = self._services.get((namespace, service))
        ports = (objects.spec(found).get("ports") or []) if found else []
        return Backend(namespace, service, ports[0]["port"]) if ports else None

    def peers(self, backend: Backend) -> Sequence[Peer]:
        """The endpoints of a backend."""
        found = self._known.get(backend)
        if found is None:
            found = self._known[backend] = tuple(dict.fromkeys(self._found(backend)))
        return found

    def turn(self, backend: Backend) -> Sequence[Peer]:
        """The same, each time another one first."""
        found = self.peers(backend)
        if len(found) < 2:
            return found
        start = self._turns.get(backend, 0) % len(found)
        self._turns[backend] = start + 1
        return [*found[start:], *found[:start]]

    def _found(self, backend: Backend) -> list[Peer]:
        place = (backend.namespace, backend.service)
        service = self._services.get(place)
        if service is None:
            return []
        spec = objects.spec(service)
        wanted = [one for one in spec.get("ports") or ()
                  if backend.port in (one.get("port"), one.get("name"))]  # fmt: skip
        if spec.get("type") == "ExternalName":
            port = wanted[0]["port"] if wanted else backend.port
            return (
                [Peer(str(spec.get("externalName") or ""), port)] if isinstance(port, int) else []
            )
        names = {str(one.get("name") or "") for one in wanted}
        return [
            Peer(str(address), int(port["port"]))
            for part in self._slices.get(place, {}).values()
            for port in part.get("ports") or ()
            if str(port.get("name") or "") in names and port.get("port")
            for endpoint in part.get("endpoints") or ()
            if (endpoint.get("conditions") or {}).get("ready") is not False
            for address in endpoint.get("addresses") or ()
        ]
