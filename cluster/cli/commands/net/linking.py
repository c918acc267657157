"""Telling nodes of their links: what `impair`, `partition` and `heal` share."""

from collections.abc import Mapping, Sequence
from typing import Any

from cluster.cli.commands.net import common
from cluster.runtime import linkends
from cluster.runtime.linkends import POD, End, Place


async def ends(net: common.Net, names: Sequence[str]) -> list[End]:
    """The ends of links by name. Failed."""
    places: dict[tuple[str, str], Place] = {}
    for name in names:
        if name.startswith(POD):
            pod = await net.pod(name.removeprefix(POD), "default")
            if pod.host_network:
                raise common.Failed(
                    f"pod {pod} has its node's network, and no link of its own: impair {pod.node}"
                )
            places[pod.namespace, pod.name] = Place(pod.node, pod.address)
    try:
        found = [
            end
            for name in names
            for end in linkends.ends(name, net.nodes, lambda space, pod: places[space, pod])
        ]
    except ValueError as error:
        raise common.Failed(str(error)) from error
    if not found:
        raise common.Failed(f"{', '.join(names)} has no links: the cluster has no other node")
    return list(dict.fromkeys(found))


async def tell(net: common.Net, requests: Mapping[str, Any]) -> None:
    """Tell each node what is said to it; nobody, where one of them does not answer. Failed."""
    from cluster.pb.cluster.v1 import netops_pb2 as pb

    for node in requests:
        await net.ask(node, "ListLinks", pb.ListLinksRequest())
    for node, request in requests.items():
        await net.ask(node, "SetLinks", request)


def by_node(found: Sequence[End]) -> dict[str, list[str]]:
    """The links that each node is to be told of."""
    grouped: dict[str, list[str]] = {}
    for end in found:
        grouped.setdefault(end.node, []).append(end.link)
    return grouped
