"""How `kubemu net trace` says what became of a packet."""

from typing import Any

import pytest

from cluster.cli.commands.net import linktexts, trace
from cluster.pb.cluster.v1 import netops_pb2 as pb

NAMES = {"10.244.1.2": "default/c1", "10.244.2.2": "default/one"}


def verdict(*answers: tuple[str, pb.TraceResponse]) -> dict[str, Any]:
    hops = [trace._hop(node, told, NAMES) for node, told in answers]
    last = answers[-1][1]
    dead = next((one for one in last.links if linktexts.is_dead(one)), None)
    return trace._verdict(hops, last, dead, NAMES)


def link(loss: float = 0.0, duplicate: float = 0.0, *, cut: bool = False) -> pb.LinkState:
    how = pb.LinkImpairment(loss=loss, duplicate=duplicate)
    return pb.LinkState(link="node-2", impairment=how, cut=cut)


def onward(*links: pb.LinkState) -> pb.TraceResponse:
    return pb.TraceResponse(end=pb.TraceResponse.NODE, where="node-2", links=links)


def at_pod(**more: Any) -> pb.TraceResponse:
    return pb.TraceResponse(end=pb.TraceResponse.POD, where="10.244.2.2", **more)


@pytest.mark.parametrize(
    ("state", "reason", "why"),
    [
        (link(1.0), "link-loss", "from node-1 to node-2 loses every packet (kubemu net heal)"),
        (link(cut=True), "link-cut", "from node-1 to node-2 is cut (kubemu net heal)"),
    ],
)
def test_a_link_that_lets_nothing_through_is_where_a_packet_ends(
    state: pb.LinkState, reason: str, why: str
) -> None:
    found = verdict(("node-1", onward(state)))
    assert (found["delivered"], found["reason"], found["node"]) == (False, reason, "node-1")
    assert found["explanation"].endswith(why)
    assert not found["answer"]


@pytest.mark.parametrize(
    ("links", "tail"),
    [
        ([link(0.5), link(0.5)], " (unless a bad link loses it: 75%)"),
        ([link(1.0, 0.5)], " (unless a bad link loses it: 50%)"),
        ([link()], ""),
    ],
)
def test_a_link_that_loses_a_share_is_told_with_the_arrival(
    links: list[pb.LinkState], tail: str
) -> None:
    found = verdict(("node-1", onward(*links)), ("node-2", at_pod()))
    assert found == {
        "delivered": True, "reason": "", "explanation": f"it reaches default/one{tail}",
    }  # fmt: skip


def test_what_goes_to_loopback_never_leaves_its_pod() -> None:
    there = at_pod(device="lo", socket="listening")
    found = verdict(("node-1", there))
    assert found["explanation"] == "it never leaves default/one, where somebody listens"
    nobody = at_pod(device="lo", socket="closed", port=81)
    found = verdict(("node-1", nobody))
    assert (found["delivered"], found["answer"]) == (False, "connection refused")
    assert found["explanation"] == "nobody listens at port 81, and it never leaves default/one"
