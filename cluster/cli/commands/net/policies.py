"""`kubemu net policies`."""

from collections.abc import Iterator, Mapping
from typing import Any

import click

from cluster.cli import clusters
from cluster.cli.commands.net import common


@click.command()
@click.argument("node")
@clusters.name_option
@common.output_option
def policies(node: str, name: str, output: str) -> None:
    """Show the NetworkPolicies that hold for pods of NODE, as they were compiled for it.

    A pod that some policy names in a direction takes only what one of the rules allows in it.
    """

    async def story(net: common.Net) -> tuple[Any, dict[str, str]]:
        from cluster.pb.cluster.v1 import overlay_pb2 as pb
        from cluster.pb.cluster.v1 import overlay_pb2_grpc

        where = await net.node(node)
        stub = overlay_pb2_grpc.OverlayStub(net.channel(where))
        call = stub.ListOverlay(pb.ListOverlayRequest(), timeout=common.SECONDS)
        return await net.answer(where, call), await net.names()

    found, names = common.run(name, story)
    sets = {one.key: list(one.addresses) for one in found.sets}
    rows = [row for one in found.policies for row in _rows(one, sets, names)]
    told = {"policies": common.document(found, "policies"), "sets": common.document(found, "sets")}
    common.show(("POLICY", "DIRECTION", "PODS", "ALLOWED"), rows, told, output)


def _rows(
    one: Any, sets: Mapping[str, list[str]], names: Mapping[str, str]
) -> Iterator[tuple[str, str, str, str]]:
    pods = ",".join(names.get(each, each) for each in one.addresses) or "<none>"
    sides = (
        ("ingress", one.ingress, one.ingress_rules, "from"),
        ("egress", one.egress, one.egress_rules, "to"),
    )
    for direction, isolates, rules, word in sides:
        if not isolates:
            continue
        if not rules:
            yield one.key, direction, pods, "nothing"
        for number, rule in enumerate(rules):
            shown = _rule(rule, word, sets, names)
            yield one.key, direction, "" if number else pods, shown


def _rule(rule: Any, word: str, sets: Mapping[str, list[str]], names: Mapping[str, str]) -> str:
    peers = ["everybody"] if rule.everybody else []
    for key in rule.sets:
        members = [names.get(each, each) for each in sets.get(key, [])]
        peers.append(f"{key} ({', '.join(members) or 'none'})")
    for block in rule.blocks:
        excepts = list(getattr(block, "except"))
        peers.append(f"{block.cidr} but {','.join(excepts)}" if excepts else block.cidr)
    ports = "every port" if rule.every_port else ",".join(_ports(one) for one in rule.ports)
    return f"{word} {', '.join(peers) or 'nobody'} at {ports or 'no port'}"


def _ports(one: Any) -> str:
    from cluster.pb.cluster.v1 import dataplane_pb2 as pb

    protocol = pb.Protocol.Name(one.protocol)
    if not one.first and one.last == 65535:
        return f"{protocol} every port"
    shown = f"{one.first}" if one.first == one.last else f"{one.first}-{one.last}"
    return f"{protocol} {shown}"
