"""`kubemu net trace`."""

import json
from collections.abc import Mapping
from typing import Any, Final

import click

from cluster.cli import clusters
from cluster.cli.commands.net import common, destinations, linktexts
from cluster.cli.commands.net.destinations import Destination

_MOST_HOPS: Final = 16
_CUT: Final = "link-cut"
_LOST: Final = "link-loss"
_REFUSED: Final = "refused"


@click.command()
@click.argument("pod")
@click.argument("destination", metavar="DEST[:PORT]")
@clusters.name_option
@common.namespace_option
@click.option(
    "--protocol", type=click.Choice(("tcp", "udp", "icmp")),
    help="Of the packet [default: the port's; without a port icmp].",
)  # fmt: skip
@click.option(
    "--source-port", type=click.IntRange(1, 65535), help="Of the packet; else a free one."
)
@common.output_option
@click.pass_context
def trace(
    context: click.Context, *, pod: str, destination: str, name: str, namespace: str,
    protocol: str | None, source_port: int | None, output: str,
) -> None:  # fmt: skip
    """Follow the packet that POD would send to DEST, over all nodes on its way.

    Each decision is shown: services, routes, policies, neighbours, at each node; who is at the port
    in the end; or where the packet is dropped, why, and what its sender is told. Nothing is sent
    and nothing is changed. DEST is a pod, svc/NAME, node/NAME, an address or a name; without
    :PORT the first port of the pod or service is taken.

    Exit code 0: it arrives. 1: it does not.
    """

    async def story(net: common.Net) -> dict[str, Any]:
        source = await net.pod(pod, namespace)
        to = await destinations.find(net, destination, source.namespace)
        return await _walk(net, source, _settled(to, protocol), source_port or 0)

    found = common.run(name, story)
    if output == "json":
        click.echo(json.dumps(found, indent=2))
    else:
        _print(found)
    if not found["delivered"]:
        context.exit(1)


def _settled(to: Destination, protocol: str | None) -> Destination:
    """With a protocol, and a port where it has ports. Failed."""
    chosen = protocol or to.protocol or ("tcp" if to.port else "icmp")
    if chosen == "icmp":
        return to._replace(protocol=chosen, port=0)
    if not to.port:
        raise common.Failed(f"say at which port: {to.address}:PORT")
    return to._replace(protocol=chosen)


async def _walk(
    net: common.Net, source: common.Pod, to: Destination, source_port: int
) -> dict[str, Any]:
    from cluster.pb.cluster.v1 import netops_pb2 as pb

    names = await net.names()
    packet = pb.TracedPacket(
        source=source.address, destination=to.address, protocol=to.protocol, port=to.port,
        source_port=source_port,
    )  # fmt: skip
    request, node = pb.TraceRequest(packet=packet), source.node
    hops: list[dict[str, Any]] = []
    while True:
        told = await net.ask(node, "Trace", request)
        hops.append(_hop(node, told, names))
        dead = next((one for one in told.links if linktexts.is_dead(one)), None)
        if dead is not None or told.end != pb.TraceResponse.NODE:
            break
        if len(hops) >= _MOST_HOPS or told.where not in net.nodes:
            break
        frame = pb.ArrivingFrame(device=told.device, data=told.frame)
        request, node = pb.TraceRequest(frame=frame), told.where
    return {
        "source": {"pod": str(source), "node": source.node, "address": source.address},
        "destination": {
            "name": to.shown, "address": to.address, "protocol": to.protocol, "port": to.port,
        },
        "hops": hops,
        **_verdict(hops, told, dead, names),
    }  # fmt: skip


def _hop(node: str, told: Any, names: Mapping[str, str]) -> dict[str, Any]:
    from cluster.pb.cluster.v1 import netops_pb2 as pb

    return {
        "node": node,
        "decisions": [
            {"table": one.table, "rule": one.rule, "verdict": one.verdict}
            for one in told.decisions
        ],
        "end": pb.TraceResponse.End.Name(told.end).lower(),
        "where": told.where,
        "name": names.get(told.where, ""),
        "device": told.device,
        "destination": told.destination,
        "port": told.port,
        "socket": told.socket,
        "links": [linktexts.document(node, one) for one in told.links],
    }  # fmt: skip


def _verdict(
    hops: list[dict[str, Any]], told: Any, dead: Any, names: Mapping[str, str]
) -> dict[str, Any]:
    """How it ended. `dead` is a link on its way that lets nothing through."""
    last = hops[-1]
    at, answer = last["node"], ""
    if dead is not None:
        reason = _CUT if dead.cut else _LOST
        how = "is cut" if dead.cut else "loses every packet"
        text = f"the link {linktexts.title(at, dead.link, names)} {how} (kubemu net heal)"
    elif last["end"] in ("dropped", "unresolved"):
        rule = told.decisions[-1].rule if told.decisions else ""
        reason = told.reason or "neighbour-unreachable"
        answer = told.answer or ("host unreachable" if last["end"] == "unresolved" else "")
        text = rule or reason
    elif last["end"] == "node":
        reason, text = "unknown", f"{last['where']} cannot be asked"
    elif last["socket"] == "closed":
        reason = _REFUSED
        text = f"nobody listens at port {told.port}"
        if last["device"] == "lo":
            text += f", and it never leaves {last['name'] or last['where']}"
        answer = "connection refused"
    else:
        return {"delivered": True, "reason": "", "explanation": _arrival(last) + _risk(hops)}
    return {"delivered": False, "reason": reason, "node": at, "explanation": text, "answer": answer}


def _arrival(last: dict[str, Any]) -> str:
    if last["end"] == "outside":
        return f"it leaves the cluster at {last['node']}"
    who = f"{last['name'] or last['where']}"
    way = "never leaves" if last["device"] == "lo" else "reaches"
    state = {"listening": ", where somebody listens", "asleep": ", where it wakes who sleeps"}
    return f"it {way} {who}{state.get(last['socket'], '')}"


def _risk(hops: list[dict[str, Any]]) -> str:
    """What links on the way may do to it, where one loses a share."""
    through = 1.0
    for link in (one for hop in hops for one in hop["links"]):
        # A copy is made before one of the two is lost.
        through *= 1 - link["loss"] * (1 - link["duplicate"])
    return f" (unless a bad link loses it: {(1 - through) * 100:.3g}%)" if through < 1 else ""


def _print(found: dict[str, Any]) -> None:
    source, to = found["source"], found["destination"]
    port = f":{to['port']}" if to["port"] else ""
    shown = "" if to["name"] == to["address"] else f"{to['name']}, "
    click.echo(
        f"{to['protocol']} from pod {source['pod']} ({source['address']} on {source['node']}) "
        f"to {shown}{to['address']}{port}"
    )
    hops = found["hops"]
    rows = [one for hop in hops for one in hop["decisions"]]
    wide = max((len(one["table"]) for one in rows), default=0)
    rules = min(max((len(one["rule"]) for one in rows), default=0), 72)
    for hop in hops:
        click.echo(f"\n{hop['node']}")
        for one in hop["decisions"]:
            line = f"  {one['table']:<{wide}}  {one['rule']:<{rules}}  {one['verdict']}"
            click.echo(line.rstrip())
        click.echo(_onward(hop))
        for link in hop["links"]:
            click.echo(f"  link {link['link']}: {link['impairment']}")
    click.echo("")
    if found["delivered"]:
        click.echo(f"Delivered: {found['explanation']}.")
        return
    answer = (
        f"its sender is told: {found['answer']}"
        if found["answer"]
        else "its sender is told nothing"
    )
    click.echo(f"Dropped at {found['node']} ({found['reason']}): {found['explanation']}; {answer}.")


def _onward(hop: dict[str, Any]) -> str:
    if hop["end"] == "node":
        way = "in VXLAN, by" if hop["device"] == "flannel.1" else "by"
        return f"  -> {way} {hop['device']} to {hop['where']}"
    if hop["end"] in ("pod", "host"):
        port = f" port {hop['port']}: {hop['socket']}" if hop["socket"] else ""
        who = hop["name"] or hop["where"]
        return f"  -> {who} ({hop['destination']}){port}"
    return "  -> out of the cluster" if hop["end"] == "outside" else "  -> nowhere"
