"""hostPort of pods, as CNI's portmap plugin has it: ports of the node that lead to one pod. Pure.

They are entries of the service table that no Service made, with the client's address kept.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from cluster.network.stack.nat.services import Backend, Entry
from cluster.network.wire import addresses, ipv4
from cluster.pb.cri.v1 import api_pb2 as cri
from cluster.runtime.network.doors import Door

_PROTOCOLS: Final = {cri.TCP: ipv4.TCP, cri.UDP: ipv4.UDP}
_ANY: Final = ("", "0.0.0.0")


def entries(address: str, mapped: Iterable[cri.PortMapping], node: int) -> list[Entry]:
    """The entries of a pod's ports on a node with this address.

    One that is for another address of the host than the node's (127.0.0.1) is on no node's wire.
    """
    found = []
    for one in mapped:
        protocol = _PROTOCOLS.get(one.protocol)
        if (
            protocol is None
            or not one.host_port
            or one.host_ip not in (*_ANY, addresses.text(node))
        ):
            continue
        port = one.container_port
        found.append(
            Entry(
                key=f"hostport/{address}:{one.host_port}/{protocol}",
                protocol=protocol,
                cluster_ips=(),
                port=one.host_port,
                external_ips=(node,),
                external_local=True,
                endpoints=(Backend(addresses.parse(address), port, local=True, external=True),),
            )
        )
    return found


def node_doors(declared: Iterable[cri.PortMapping], node: str, underlay: str) -> Iterator[Door]:
    """Where pods of the node's own network are entered, which have its ports themselves."""
    for one in declared:
        if one.protocol in _PROTOCOLS and one.host_port and one.host_ip in (*_ANY, node):
            yield Door("tcp" if one.protocol == cri.TCP else "udp", underlay, one.host_port, node)


def doors(mapped: Iterable[Entry], node: str, underlay: str) -> Iterator[Door]:
    """Where they are entered from the machine."""
    for one in mapped:
        yield Door("tcp" if one.protocol == ipv4.TCP else "udp", underlay, one.port, node)
