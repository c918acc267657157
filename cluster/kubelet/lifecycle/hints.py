"""What a runtime is told of a container beside what CRI has fields for: annotations. Pure.

The names are Kubernetes' own where it has any.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from cluster.api import objects

PORTS: Final = "io.kubernetes.container.ports"
MESSAGE_PATH: Final = "io.kubernetes.container.terminationMessagePath"
MESSAGE_POLICY: Final = "io.kubernetes.container.terminationMessagePolicy"
STOP_SIGNAL: Final = "kubemu.dev/stop-signal"
"""CRI has a field for it since 1.33; ours is of before that."""
MEMORY_VOLUMES: Final = "kubemu.dev/memory-volumes"
"""The directories of volumes that are to be in memory, and bytes of each (0: no limit), in JSON."""
_USUAL: Final = {MESSAGE_PATH: "/dev/termination-log", MESSAGE_POLICY: "File"}
_encode = msgspec.json.Encoder().encode

_PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
_HANDLERS = ("httpGet", "tcpSocket", "grpc")


def encoded(volumes: Mapping[str, int]) -> str:
    """The value of MEMORY_VOLUMES."""
    return _encode(volumes).decode()


def of(spec: objects.Object) -> dict[str, str]:
    """The annotations of a container; what is as usual is left out."""
    found: dict[str, str] = {}
    ports = asked_ports(spec)
    if ports:
        found[PORTS] = _encode(ports).decode()
    for key, field in ((MESSAGE_PATH, "terminationMessagePath"),
                       (MESSAGE_POLICY, "terminationMessagePolicy")):  # fmt: skip
        value = spec.get(field)
        if value and value != _USUAL[key]:
            found[key] = value
    signal = (spec.get("lifecycle") or {}).get("stopSignal")
    if signal:
        found[STOP_SIGNAL] = signal
    return found


def asked_ports(spec: objects.Object) -> Sequence[objects.Object]:
    """The ports that a container is asked at: those that it declares, then those that only its
    probes name. A simulated image of which nothing is known serves all of them.
    """
    declared: Sequence[objects.Object] = spec.get("ports") or ()
    if not any(name in spec for name in _PROBES):
        return declared
    known = [one.get("containerPort") for one in declared]
    found = [*declared]
    for port in _asked(spec):
        if port not in known:
            known.append(port)
            found.append({"containerPort": port, "protocol": "TCP"})
    return found


def _asked(spec: objects.Object) -> Iterator[int]:
    for name in _PROBES:
        probe = spec.get(name) or {}
        for handler in _HANDLERS:
            port = (probe.get(handler) or {}).get("port")
            if isinstance(port, int):
                yield port
            elif isinstance(port, str) and port.isascii() and port.isdigit() and len(port) < 6:
                yield int(port)
