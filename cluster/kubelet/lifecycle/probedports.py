"""Ports that a container is asked at: those that it declares, and those that its probes name.

A simulated image of which nothing is known serves all of them: a probe, too, says where its
container listens. Pure.
"""

from collections.abc import Iterator, Sequence

from cluster.api import objects

_PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
_HANDLERS = ("httpGet", "tcpSocket", "grpc")


def of(spec: objects.Object) -> Sequence[objects.Object]:
    """ContainerPorts: the declared ones first."""
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
