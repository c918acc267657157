"""What a node is told of its links, where its runtime answers, hangs, or is not there."""

import asyncio
import socket

import pytest

from cluster.chaos import marks, reaching
from cluster.chaos.acts import Act, LinkState
from cluster.chaos.reaching import Doors
from cluster.chaos.world import Unable

HEAL = Act("links", "node-1", links=(LinkState("node-2", cut=False),))
CUT = Act("links", "node-1", links=(LinkState("node-2", cut=True),))


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """Nobody here answers."""
    monkeypatch.setattr(reaching, "SECONDS", 0.3)


def told(act, address):
    async def story():
        doors = Doors(runtimes={"node-1": address})
        try:
            await doors.set_links(act)
        finally:
            await doors.close()

    asyncio.run(story())


@pytest.mark.parametrize("kind", ["unix", "tcp"])
@pytest.mark.parametrize("act", [HEAL, CUT])
def test_a_runtime_that_says_nothing_was_not_told(act, kind, tmp_path):
    """It lives on, with the links that it has."""
    family = socket.AF_UNIX if kind == "unix" else socket.AF_INET
    with socket.socket(family) as silent:
        silent.bind(str(tmp_path / "r.sock") if kind == "unix" else ("127.0.0.1", 0))
        silent.listen()
        name = silent.getsockname()
        address = f"unix:{name}" if kind == "unix" else f"{name[0]}:{name[1]}"
        with pytest.raises(Unable, match=r"^node-1: "):
            told(act, address)


@pytest.mark.parametrize("left", ["a socket", "nothing"])
def test_a_machine_that_is_down_has_no_links_to_be_healed(left, tmp_path):
    path = tmp_path / "r.sock"
    if left == "a socket":
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(path))
    told(HEAL, f"unix:{path}")
    with pytest.raises(Unable):
        told(CUT, f"unix:{path}")


def test_nor_has_one_whose_port_is_closed():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        told(HEAL, "127.0.0.1:{1}".format(*closed.getsockname()))


@pytest.mark.parametrize("known", [{}, {"apiserver": "127.0.0.1:{port}"}], ids=["none", "closed"])
def test_who_is_not_there_does_not_know_to_how_many_requests_it_did_something(known):
    async def story(port):
        doors = Doors(api_servers={name: where.format(port=port) for name, where in known.items()})
        try:
            return await doors.struck(Act("faults", "apiserver", "f"))
        finally:
            await doors.close()

    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert asyncio.run(story(closed.getsockname()[1])) is None


@pytest.mark.parametrize(
    ("struck", "requests"),
    [([], None), ([None], None), ([0], 0), ([3, 4], 7), ([3, None], None), ([0, 0], 0)],
)
def test_requests_are_of_all_servers_or_nobody_knows(struck, requests):
    assert marks.Span(1, "api", "", (), 0.0, struck=struck).requests == requests
