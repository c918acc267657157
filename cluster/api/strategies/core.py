"""The small kinds of several groups."""

from collections.abc import Mapping
from typing import Final

from cluster.api.strategies.strategy import Strategy

BY_RESOURCE: Final[Mapping[str, Strategy]] = {
    "configmaps": Strategy(),
    "endpoints": Strategy(create_on_update=True),
    "endpointslices.discovery.k8s.io": Strategy(generations=True),
    "events": Strategy(create_on_update=True),
    "events.events.k8s.io": Strategy(create_on_update=True),
    "leases.coordination.k8s.io": Strategy(create_on_update=True, unconditional=False),
    # A kubelet registers its node with the status it has.
    "nodes": Strategy(generations=False, status_at_create=True),
    "priorityclasses.scheduling.k8s.io": Strategy(generations=True),
}
