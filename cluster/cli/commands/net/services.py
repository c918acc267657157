"""`kubemu net services`."""

from collections.abc import Iterator
from typing import Any

import click

from cluster.cli import clusters
from cluster.cli.commands.net import common


@click.command()
@click.argument("node")
@clusters.name_option
@common.namespace_option
@click.option("-A", "--all-namespaces", is_flag=True, help="Services of all namespaces.")
@common.output_option
def services(node: str, name: str, namespace: str, *, all_namespaces: bool, output: str) -> None:
    """Show the service table of NODE, as its kube-proxy programmed it: where connections to an
    address of a Service go.

    An endpoint in parentheses takes none of this node's connections to cluster addresses; one with
    a star is on this node; one with a minus is terminating.
    """

    async def story(net: common.Net) -> Any:
        from cluster.pb.cluster.v1 import dataplane_pb2 as pb
        from cluster.pb.cluster.v1 import dataplane_pb2_grpc

        where = await net.node(node)
        stub = dataplane_pb2_grpc.DataPlaneStub(net.channel(where))
        request = pb.ListServicesRequest(namespace="" if all_namespaces else namespace)
        return await net.answer(where, stub.ListServices(request, timeout=common.SECONDS))

    found = common.run(name, story)
    rows = [row for one in found.services for row in _rows(one)]
    heads = ("SERVICE", "PROTOCOL", "ADDRESS", "ENDPOINTS")
    common.show(heads, rows, common.document(found, "services"), output)


def _rows(one: Any) -> Iterator[tuple[str, str, str, str]]:
    from cluster.pb.cluster.v1 import dataplane_pb2 as pb

    protocol = pb.Protocol.Name(one.protocol)
    shown = [_endpoint(each, external=False) for each in one.endpoints]
    inside = ",".join(shown) or "<none>: refused"
    outside = ",".join(_endpoint(each, external=True) for each in one.endpoints) or inside
    for address in one.cluster_ips:
        yield one.key, protocol, f"{address}:{one.port}", inside
    if one.node_port:
        yield one.key, protocol, f"NODE:{one.node_port}", outside
    for address in (*one.load_balancer_ips, *one.external_ips):
        yield one.key, protocol, f"{address}:{one.port}", outside


def _endpoint(one: Any, *, external: bool) -> str:
    text = f"{one.address}:{one.port}"
    text += "*" if one.local else ""
    text += "-" if one.terminating else ""
    taken = one.external if external else one.internal
    return text if taken else f"({text})"
