"""The service table of a large cluster: from Services and EndpointSlices to what a node's NAT
decides by, whole and for one change.
"""

import random
import time
from collections.abc import Iterator
from typing import Any, Final

from benchmarks.figures import Figure, Outcome
from cluster.network.stack.nat import hooks
from cluster.network.wire import addresses
from cluster.pb.cluster.v1 import dataplane_pb2 as pb
from cluster.proxy.table import Delta, Keeper
from cluster.runtime.network import serviceentries

_SERVICES: Final = 5_000
_ENDPOINTS: Final = 10
_CHUNK: Final = 256
_CHANGES: Final = 200


def service_table() -> Iterator[Outcome]:
    """kube-proxy's work, the messages, and the runtime's, one after the other."""
    keeper, nat = Keeper("node-1"), _nat()
    services = [_service(number) for number in range(_SERVICES)]
    slices = [_slice(number) for number in range(_SERVICES)]
    begin = time.perf_counter()
    for service, one in zip(services, slices, strict=True):
        keeper.set_service(service)
        keeper.set_slice(one)
    table = _sent(keeper.take())
    nat.replace_services(0.0, (found for one in table if (found := serviceentries.entry(one))))
    seconds = time.perf_counter() - begin
    name = f"network: {_SERVICES:,} services, {_SERVICES * _ENDPOINTS:,} endpoints, full load"
    yield Figure(name, seconds, "s", 2, lower=True)
    slowest = max(_change(keeper, nat, slices[number], number) for number in range(_CHANGES))
    yield Figure(
        "network: the same, one change, slowest of 200", slowest * 1e3, "ms", 5, lower=True
    )


def _nat() -> hooks.Nat:
    cluster, node = addresses.prefix("10.0.0.0/9"), addresses.prefix("10.1.0.0/24")
    return hooks.Nat(hooks.Settings(cluster, node), random.Random(1))


def _sent(delta: Delta) -> list[pb.ServicePort]:
    """What comes of a table by way of its messages."""
    came: list[pb.ServicePort] = []
    for start in range(0, len(delta.put), _CHUNK):
        chunk = pb.ReplaceServicesRequest(services=delta.put[start : start + _CHUNK])
        came += pb.ReplaceServicesRequest.FromString(chunk.SerializeToString()).services
    return came


def _change(keeper: Keeper, nat: hooks.Nat, one: dict[str, Any], number: int) -> float:
    """Seconds until an endpoint that is gone gets no more connections."""
    changed = one | {"endpoints": one["endpoints"][1:]}
    begin = time.perf_counter()
    keeper.set_slice(changed)
    entries = [found for sent in _sent(keeper.take()) if (found := serviceentries.entry(sent))]
    nat.update_services(0.0, entries)
    seconds = time.perf_counter() - begin
    assert len(nat.services.services[f"default/s{number}"].entry.endpoints) == _ENDPOINTS - 1
    return seconds


def _service(number: int) -> dict[str, Any]:
    address = f"10.{200 + number // 62_500}.{number // 250}.{number % 250}"
    spec = {"clusterIP": address, "clusterIPs": [address], "ports": [{"port": 80}]}
    return {"metadata": {"name": f"s{number}", "namespace": "default"}, "spec": spec}


def _slice(number: int) -> dict[str, Any]:
    labels = {"kubernetes.io/service-name": f"s{number}"}
    return {
        "metadata": {"name": f"s{number}-x", "namespace": "default", "labels": labels},
        "addressType": "IPv4",
        "ports": [{"port": 8080}],
        "endpoints": [_endpoint(number * _ENDPOINTS + last) for last in range(_ENDPOINTS)],
    }


def _endpoint(number: int) -> dict[str, Any]:
    address = f"10.{1 + number // 62_500}.{number // 250 % 250}.{number % 250}"
    return {"addresses": [address], "nodeName": f"node-{number % 100}"}
