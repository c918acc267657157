"""The admission plugins that a server has unless told otherwise, in kube-apiserver's order."""

from cluster.apiserver import bootstrap
from cluster.apiserver.admission.chain import Chain
from cluster.apiserver.admission.default_toleration_seconds import (
    DefaultTolerationSeconds,
    TolerationSeconds,
)
from cluster.apiserver.admission.escalation import RbacEscalation
from cluster.apiserver.admission.namespace_lifecycle import NamespaceLifecycle
from cluster.apiserver.admission.priority import Priority
from cluster.apiserver.admission.service_account import ServiceAccount
from cluster.apiserver.admission.service_addresses import ServiceAddresses
from cluster.apiserver.admission.taint_nodes_by_condition import TaintNodesByCondition

NODE_PORTS = range(30000, 32768)
_TOLERATION_SECONDS = TolerationSeconds()

__all__ = ["NODE_PORTS", "TolerationSeconds", "chain"]


def chain(
    service_range: str = bootstrap.SERVICE_RANGE,
    node_ports: range = NODE_PORTS,
    toleration_seconds: TolerationSeconds = _TOLERATION_SECONDS,
) -> Chain:
    """The default plugins. ValueError for a range of addresses or ports that cannot be used."""
    return Chain(
        (
            NamespaceLifecycle(),
            ServiceAccount(),
            TaintNodesByCondition(),
            Priority(),
            DefaultTolerationSeconds(toleration_seconds),
            ServiceAddresses(service_range, node_ports),
            RbacEscalation(),
        )
    )
