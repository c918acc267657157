"""`kubemu net traceroute`."""

from collections.abc import Mapping
from typing import Any

import click

from cluster.cli import clusters
from cluster.cli.commands.net import common, destinations
from cluster.cli.commands.net.ping import echo

_SIGNS = {0: "!N", 1: "!H", 2: "!P", 3: "!P", 4: "!F", 13: "!X"}


@click.command()
@click.argument("pod")
@click.argument("destination", metavar="DEST")
@clusters.name_option
@common.namespace_option
@click.option("-m", "--max-hops", type=click.IntRange(1, 255), default=30, help="Hops at most.")
@click.option("-q", "--queries", type=click.IntRange(1, 10), default=3, help="Packets a hop.")
@common.duration("timeout", "How long to wait for each answer.", default="1s")
@click.pass_context
def traceroute(
    context: click.Context, *, pod: str, destination: str, name: str, namespace: str,
    max_hops: int, queries: int, timeout: float,
) -> None:  # fmt: skip
    """Show the hops from POD to DEST by real packets: pings that live for ever more hops.

    Between nodes one sees cni0 of the pod's node, flannel.1 (with the back end vxlan) of the other,
    and the pod. Exit code 1 where DEST is not reached.
    """

    async def story(net: common.Net) -> bool:
        from cluster.pb.cluster.v1 import netops_pb2 as pb

        source = await net.pod(pod, namespace)
        to = await destinations.find(net, destination, source.namespace)
        names = await net.names()
        click.echo(f"traceroute to {destination} ({to.address}) from {source}, {max_hops} hops max")
        for ttl in range(1, max_hops + 1):
            request = pb.EchoRequest(
                source=source.address, destination=to.address, ttl=ttl, size=32,
                timeout_seconds=timeout,
            )  # fmt: skip
            answers = [await echo(net, source.node, request, timeout) for _ in range(queries)]
            click.echo(f"{ttl:2d}  {_line(answers, names)}")
            heard = [one for one in answers if one is not None and not isinstance(one, str)]
            if any(one.type == 0 for one in heard):
                return True
            if any(one.type != 11 for one in heard):
                return False
        return False

    if not common.run(name, story):
        context.exit(1)


def _line(answers: list[Any], names: Mapping[str, str]) -> str:
    shown: list[str] = []
    last = ""
    for one in answers:
        if one is None:
            shown.append("*")
            continue
        if isinstance(one, str):
            shown.append(f"({one})")
            continue
        if one.source != last:
            last = one.source
            shown.append(f"{last} ({names[last]})" if last in names else last)
        sign = f" {_SIGNS.get(one.code, '!')}" if one.type == 3 else ""
        shown.append(f"{one.seconds * 1000:.3f} ms{sign}")
    return "  ".join(shown)
