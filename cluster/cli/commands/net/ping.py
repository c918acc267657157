"""`kubemu net ping`."""

import asyncio
from typing import Any, Final

import click

from cluster.cli import clusters
from cluster.cli.commands.net import common, destinations

_ERRORS: Final = {
    (3, 0): "Destination Net Unreachable",
    (3, 1): "Destination Host Unreachable",
    (3, 3): "Destination Port Unreachable",
    (3, 4): "Frag needed",
    (11, 0): "Time to live exceeded",
}


@click.command()
@click.argument("pod")
@click.argument("destination", metavar="DEST")
@clusters.name_option
@common.namespace_option
@click.option("-c", "--count", type=click.IntRange(1, 10000), default=4, help="How many pings.")
@common.duration("interval", "Time from one to the next.", default="1s")
@common.duration("timeout", "How long to wait for each answer.", default="1s")
@click.option("-s", "--size", type=click.IntRange(0, 65507), default=56, help="Bytes of data.")
@click.option("-t", "--ttl", type=click.IntRange(1, 255), default=64, help="Hops at most.")
@click.pass_context
def ping(
    context: click.Context, *, pod: str, destination: str, name: str, namespace: str, count: int,
    interval: float, timeout: float, size: int, ttl: int,
) -> None:  # fmt: skip
    """Ping DEST from the stack of POD, whatever programs its image has.

    Real packets go through the network, as a ping in the pod would send them: policies, bad links
    and captures see them. Exit code 1 where no answer comes.
    """

    async def story(net: common.Net) -> int:
        from cluster.pb.cluster.v1 import netops_pb2 as pb

        source = await net.pod(pod, namespace)
        to = await destinations.find(net, destination, source.namespace)
        click.echo(f"PING {destination} ({to.address}) from {source}: {size} data bytes")
        request = pb.EchoRequest(
            source=source.address, destination=to.address, ttl=ttl, size=size,
            timeout_seconds=timeout,
        )  # fmt: skip
        times: list[float] = []
        for number in range(count):
            if number:
                await asyncio.sleep(interval)
            answer = await echo(net, source.node, request, timeout)
            click.echo(_line(answer, number))
            if answer is not None and not isinstance(answer, str) and not answer.type:
                times.append(answer.seconds * 1000)
        click.echo(f"\n--- {destination} ping statistics ---")
        lost = 100 - 100 * len(times) / count
        click.echo(f"{count} packets transmitted, {len(times)} received, {lost:.4g}% packet loss")
        if times:
            average = sum(times) / len(times)
            click.echo(
                f"round-trip min/avg/max = {min(times):.3f}/{average:.3f}/{max(times):.3f} ms"
            )
        return len(times)

    if not common.run(name, story):
        context.exit(1)


async def echo(net: common.Net, node: str, request: Any, timeout: float) -> Any:  # noqa: ASYNC109
    """One answer; None where none came; a text where the stack had no way. Failed; rpc.Failure."""
    from cluster.aio import rpc

    call = net.netops(node).Echo(request, timeout=timeout + common.SECONDS)
    try:
        return await net.answer(node, call)
    except rpc.Failure as failure:
        if failure.code == "DEADLINE_EXCEEDED":
            return None
        if failure.code == "UNAVAILABLE":
            return failure.message
        raise


def _line(answer: Any, number: int) -> str:
    if answer is None:
        return f"no answer yet for seq={number}"
    if isinstance(answer, str):
        return f"sendto: {answer}"
    if answer.type:
        return f"From {answer.source} seq={number} {error(answer)}"
    return (
        f"{answer.size} bytes from {answer.source}: seq={number} ttl={answer.ttl} "
        f"time={answer.seconds * 1000:.3f} ms"
    )


def error(answer: Any) -> str:
    """What an ICMP error says, as ping writes it."""
    known = _ERRORS.get((answer.type, answer.code))
    return known or f"ICMP type {answer.type} code {answer.code}"
