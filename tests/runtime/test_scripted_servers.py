"""Servers that annotations and image scripts tell what to do: ports, logs, answers, when."""

import asyncio

import pytest
from podworld import Node, on_a_node

from cluster.api import imagescripts
from cluster.runtime import script

HTTP = (
    '{"/healthz": "ok", "/orders*": {"status": 503, "body": "busy", "type": "text/html"},'
    ' "/none": {"status": 204}}'
)


def test_a_server_says_and_answers_what_it_is_told() -> None:
    async def story(node: Node) -> None:
        told = {
            "kubemu.dev/ports": "9000",
            "kubemu.dev/log": "starting\nready",
            "kubemu.dev/http": HTTP,
        }
        await node.pod("shop", annotations=told)
        cid = await node.run("shop", "shop/web")
        answer = await node.get("shop", 9000, "/healthz?verbose=1")
        assert answer.startswith("HTTP/1.1 200 OK\r\n")
        assert answer.endswith("\r\n\r\nok")
        answer = await node.get("shop", 9000, "/orders/7")
        assert answer.startswith("HTTP/1.1 503 Service Unavailable\r\n")
        assert "Content-Type: text/html\r\n" in answer
        answer = await node.get("shop", 9000, "/none")
        assert answer.startswith("HTTP/1.1 204 No Content\r\n")
        assert "Content-Length" not in answer
        assert (await node.get("shop", 9000, "/")).endswith("shop\nGET /\n")
        assert (await node.said(cid))[:3] == [
            "starting", "ready", '127.0.0.1 "GET /healthz?verbose=1 HTTP/1.1" 200 2',
        ]  # fmt: skip

    on_a_node(story)


def test_what_ends_says_what_it_is_told_before() -> None:
    async def story(node: Node) -> None:
        told = {"kubemu.dev/crash-after": "2s", "kubemu.dev/log": "panic: no carts"}
        await node.pod("shop", annotations=told)
        cid = await node.run("shop", "shop/cart")
        await asyncio.sleep(3)
        assert (await node.status(cid)).exit_code == 1
        assert await node.said(cid) == ["panic: no carts"]
        await node.pod("quiet", annotations={"kubemu.dev/crash-after": "2s"})
        assert await node.said(await node.run("quiet", "shop/cart")) == []

    on_a_node(story)


@pytest.mark.parametrize("image", ["shop/web", "nginx"])
def test_nothing_listens_before_a_server_is_ready(image: str) -> None:
    async def story(node: Node) -> None:
        await node.pod("shop", annotations={"kubemu.dev/ready-after": "20s"})
        cid = await node.run("shop", image, ports=(80,))
        assert (await node.status(cid)).annotations["kubemu.dev/ready-after"] == "20.000000s"
        await asyncio.sleep(19)
        assert "refused" in await node.get("shop", 80)
        await asyncio.sleep(1)
        assert "HTTP/1.1 200 OK" in await node.get("shop", 80)

    on_a_node(story)


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("ports", "http", "annotation kubemu.dev/ports: 'http' is no port"),
        ("ports", "0", "annotation kubemu.dev/ports: '0' is no port"),
        ("http", "[]", "annotation kubemu.dev/http: '[]' is no JSON object of answers by path"),
        ("http", '{"x": "y"}', "annotation kubemu.dev/http: 'x' is no path"),
        ("http", '{"/x": {"status": 99}}', "99 is no status of an answer (200 to 599)"),
        ("http", '{"/x": {"type": "a\\r\\nb"}}', "annotation kubemu.dev/http"),
        ("ready-after", "soon", "annotation kubemu.dev/ready-after"),
    ],
)
def test_what_cannot_be_is_named(key: str, value: str, why: str) -> None:
    with pytest.raises(ValueError, match="annotation") as caught:
        script.of("web", {f"kubemu.dev/{key}": value}, script.SERVER)
    assert why in str(caught.value)


def test_a_node_may_know_what_images_do() -> None:
    text = "images: [{image: shop/*, ports: [7], log: [from the file]}]"

    async def story(node: Node) -> None:
        cid = await node.run("a", "shop/web")
        assert await node.said(cid) == ["from the file"]
        assert "HTTP/1.1 200 OK" in await node.get("a", 7)
        await node.pod("b", annotations={"kubemu.dev/log": "from the pod"})
        assert await node.said(await node.run("b", "shop/web")) == ["from the pod"]

    on_a_node(story, scripts=imagescripts.parse(text))


@pytest.mark.parametrize(
    ("told", "scripted", "ends", "code"),
    [
        ({}, {"run-for": "5"}, 5.0, 0),
        ({}, {"crash-after": "5", "exit-code": "3"}, 5.0, 3),
        ({"run-for": "7"}, {"crash-after": "5"}, 7.0, 0),
        ({"crash-after.web": "7"}, {"run-for": "5"}, 7.0, 1),
        ({"crash-after.other": "7"}, {"run-for": "5"}, 5.0, 0),
        ({"exit-code": "4"}, {"crash-after": "5"}, 5.0, 4),
    ],
)
def test_a_pods_own_annotations_win(
    told: dict[str, str], scripted: dict[str, str], ends: float, code: int
) -> None:
    own = {f"kubemu.dev/{key}": value for key, value in told.items()}
    found = script.of("web", own, script.SERVER, scripted=scripted)
    assert (found.run_for, found.exit_code) == (ends, code)


def test_what_a_pod_says_of_its_containers_leaves_init_containers_to_their_images() -> None:
    own = {"kubemu.dev/run-for": "7"}
    found = script.of("init", own, script.SERVER, init=True, scripted={"run-for": "5"})
    assert found.run_for == 5.0


def test_what_a_cluster_says_of_an_image_wins_over_what_a_node_says() -> None:
    text = "images: [{image: shop/*, log: [from the file], ports: [7]}]"

    async def story(node: Node) -> None:
        said = {f"{imagescripts.PREFIX}log": "from the cluster"}
        cid = await node.run("a", "shop/web", annotations=said)
        assert await node.said(cid) == ["from the cluster"]
        assert "refused" in await node.get("a", 7)

    on_a_node(story, scripts=imagescripts.parse(text))


def test_a_container_whose_use_changes_says_so() -> None:
    async def story(node: Node) -> None:
        for name, memory, varies in (("a", "1Mi", False), ("b", "0s=1Mi,1m=2Mi", True)):
            said = {f"{imagescripts.PREFIX}memory": memory}
            cid = await node.run(name, "shop/web", annotations=said)
            assert ("kubemu.dev/varies" in (await node.status(cid)).annotations) is varies

    on_a_node(story)
