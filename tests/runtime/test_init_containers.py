"""Init containers: what their command lines say is done, also where it talks to others."""

import asyncio
import functools

import pytest
from podworld import Node, on_a_node

from cluster.pb.cri.v1 import api_pb2 as cri
from cluster.runtime import script

WAIT = "echo start; until nslookup mydb.d.svc.cluster.local; do echo waiting; sleep 2; done"


async def _init(node: Node, image: str, *command: str, name: str = "main") -> str:
    run = functools.partial(node.run, "a", image, *command, name=name)
    return await run(annotations={script.INIT: "true"})


@pytest.mark.parametrize("image", ["busybox:1.28", "shop/tools"])
def test_an_init_container_waits_for_a_name_until_somebody_has_it(image: str) -> None:
    async def story(node: Node) -> None:
        await node.pod("b")
        served = await node.run("b", "busybox", "nc", "-lk", "-p", "5432")
        assert (await node.status(served)).state == cri.CONTAINER_RUNNING
        waits = "echo start; until nc -z db 5432; do echo waiting; sleep 2; done; echo end"
        cid = await _init(node, image, "sh", "-c", waits)
        await asyncio.sleep(10)
        assert (await node.status(cid)).state == cri.CONTAINER_RUNNING
        said = await node.said(cid)
        assert said[0] == "start"
        assert said.count("waiting") > 2
        await node.exec(cid, "sh", "-c", f"echo {node.address('b')} db >/etc/hosts")
        assert (await node.ended(cid)).exit_code == 0
        assert (await node.said(cid))[-1] == "end"

    on_a_node(story)


def test_an_init_container_waits_where_nobody_answers_for_names() -> None:
    async def story(node: Node) -> None:
        cid = await _init(node, "busybox:1.28", "sh", "-c", WAIT)
        await asyncio.sleep(60)
        assert (await node.status(cid)).state == cri.CONTAINER_RUNNING
        said = await node.said(cid)
        assert said[0] == "start"
        assert "waiting" in said

    on_a_node(story)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["wget", "-T", "2", "-O", "/x", "http://10.244.1.77/"], 1),
        (["sh", "-c", "echo no; exit 3"], 3),
    ],
)
def test_an_init_container_that_fails_does_so(command: list[str], code: int) -> None:
    async def story(node: Node) -> None:
        cid = await _init(node, "busybox", *command)
        assert (await node.ended(cid)).exit_code == code
        assert await node.said(cid)

    on_a_node(story)


def test_a_page_that_an_init_container_fetches_is_there() -> None:
    async def story(node: Node) -> None:
        await node.run("b", "nginx", name="web")
        page = f"http://{node.address('b')}/"
        cid = await _init(
            node, "busybox", "sh", "-c", f"wget -O /tmp/index.html {page} && wc -l /t*/i*"
        )
        assert (await node.ended(cid)).exit_code == 0
        assert (await node.said(cid))[-1].endswith("/tmp/index.html")

    on_a_node(story)


@pytest.mark.parametrize("command", [["./migrate"], ["sh", "-c", "dig +short db && ./migrate"], []])
def test_an_init_container_of_programs_that_nobody_knows_ends_well_at_once(
    command: list[str],
) -> None:
    async def story(node: Node) -> None:
        cid = await _init(node, "shop/tools", *command)
        assert (await node.ended(cid)).exit_code == 0

    on_a_node(story)
