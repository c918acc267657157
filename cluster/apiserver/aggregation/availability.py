"""Whether an extension server can be used, and what it serves.

Reasons and messages: the available controller of k8s.io/kube-aggregator.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from cluster.api import errors
from cluster.api.resources import Resource
from cluster.apiserver.aggregation import services
from cluster.apiserver.aggregation.services import Remote
from cluster.apiserver.outbound.protocol import Caller, Unreachable
from cluster.apiserver.outbound.services import port_of
from cluster.apiserver.watchcache.cache import WatchCache

CHECK_SECONDS = 5.0
"""How long an extension server may take to say what it serves."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The Available condition of an APIService, and the rows where it is available."""

    available: bool
    reason: str
    message: str
    rows: Sequence[Resource] = ()


async def judged(cache: WatchCache, caller: Caller, found: Remote) -> Verdict:
    """Look at the Service of an APIService, and ask its server."""
    missing = _missing(cache, found)
    if missing is not None:
        return missing
    where = f"https://{found.service.host}:{found.service.port}{found.path}"
    failing = f"failing or missing response from {where}"
    try:
        headers = {"Accept": "application/json"}
        answer = await caller.call(found.asked("GET", found.path, headers=headers), CHECK_SECONDS)
    except Unreachable as error:
        return Verdict(False, "FailedDiscoveryCheck", f"{failing}: {error}")
    if not 200 <= answer.status < 300:
        why = f"{failing}: bad status from {where}: {answer.status}"
        return Verdict(False, "FailedDiscoveryCheck", why)
    try:
        rows = services.rows(found, msgspec.json.decode(answer.body))
    except (ValueError, RecursionError, AttributeError, KeyError, TypeError) as error:
        # What is no text is a UnicodeDecodeError, what is too deep a RecursionError.
        return Verdict(False, "FailedDiscoveryCheck", f"{failing}: no APIResourceList: {error!r}")
    return Verdict(True, "Passed", "all checks passed", rows)


def _missing(cache: WatchCache, found: Remote) -> Verdict | None:
    service = found.service
    said = f'service/{service.name} in "{service.namespace}"'
    entry = cache.get("services", service.namespace, service.name)
    if entry is None:
        return Verdict(False, "ServiceNotFound", f"{said} is not present")
    obj = entry.document()
    if obj["spec"].get("type") == "ExternalName":
        return None
    try:
        port_of(obj, service)
    except errors.StatusError:
        why = f"{said} is not listening on port {service.port}"
        return Verdict(False, "ServicePortError", why)
    return None
