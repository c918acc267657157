"""socat in a container of its own: who is reached through it, and what it says of who is not."""

import asyncio

import pytest
from podworld import Node, on_a_node

IMAGE = "docker.io/alpine/socat:1.8.0.3"


def test_an_ambassador_relays_what_is_said_to_its_port() -> None:
    async def story(node: Node) -> None:
        await node.run("db", "busybox", "sh", "-c", "while true; do echo hi | nc -l -p 5432; done")
        target = f"tcp-connect:{node.address('db')}:5432"
        cid = await node.run("app", IMAGE, name="proxy", args=("tcp-listen:5432,fork", target))
        main = await node.run("app", "busybox", "sleep", "9999")
        for _ in range(2):
            assert await node.sh(main, "echo ask | nc localhost 5432; echo $?") == "hi\n0\n"
        assert (await node.stop(cid)).exit_code == 143

    on_a_node(story)


def test_without_fork_it_serves_one_and_ends() -> None:
    async def story(node: Node) -> None:
        cid = await node.run("app", IMAGE, name="proxy", args=("TCP-LISTEN:80", "STDIO"))
        main = await node.run("app", "busybox", "sleep", "9999")
        await node.sh(main, "echo once | nc localhost 80")
        assert (await node.ended(cid)).exit_code == 0
        assert await node.said(cid) == ["once"]

    on_a_node(story)


@pytest.mark.parametrize(
    ("target", "error"),
    [
        ("TCP:no.example.com:5432",
         'getaddrinfo("no.example.com", "NULL", {1,0,1,6}, {}): Name or service not known'),
        ("TCP:127.0.0.1:9", "connect(5, AF=2 127.0.0.1:9, 16): Connection refused"),
        ("EXEC:ls", 'unknown device/address "exec" (kubemu emulates TCP and STDIO)'),
        ("TCP:here", 'TCP: wrong number of parameters in "TCP:here"'),
    ],
)  # fmt: skip
def test_what_cannot_be_opened_is_told(target: str, error: str) -> None:
    async def story(node: Node) -> None:
        cid = await node.run("app", IMAGE, args=("-", target))
        assert (await node.ended(cid)).exit_code == 1
        (line,) = await node.said(cid)
        assert line.endswith(f"] E {error}")

    on_a_node(story)


def test_who_comes_through_to_nobody_is_sent_away_and_it_goes_on() -> None:
    async def story(node: Node) -> None:
        cid = await node.run("app", IMAGE, name="p", args=("TCP-LISTEN:80,fork", "TCP:localhost:9"))
        main = await node.run("app", "busybox", "sleep", "9999")
        async with asyncio.timeout(5):
            await node.sh(main, "echo a | nc localhost 80; echo b | nc localhost 80")
        assert len(await node.said(cid)) == 2

    on_a_node(story)
