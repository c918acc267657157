"""Who may open a stream into a pod: by GET (WebSocket) as by POST (SPDY)."""

import asyncio
import contextlib
from typing import Any

import aiohttp
import pytest
from stream_world import World, path, streaming

from cluster.api import identity

JANE = identity.User("jane", ("system:authenticated",))
SUBRESOURCES = ("exec", "attach", "portforward")
QUERY = "command=ls&stdout=1&ports=80"
PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io", "portforward.k8s.io")


async def grant(world: World, *verbs: str) -> None:
    rbac = "rbac.authorization.k8s.io"
    resources = [f"pods/{name}" for name in SUBRESOURCES]
    rule = {"apiGroups": [""], "resources": resources, "verbs": list(verbs)}
    await world.add(f"roles.{rbac}", {"metadata": {"name": "streamer"}, "rules": [rule]})
    binding = {
        "metadata": {"name": "streamer"},
        "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "streamer"},
        "subjects": [{"apiGroup": rbac, "kind": "User", "name": "jane"}],
    }
    await world.add(f"rolebindings.{rbac}", binding)


async def status(world: World, subresource: str) -> int:
    """What jane gets who asks for a WebSocket: 101 where it is upgraded."""
    url = world.api.url + path("web", subresource, QUERY)
    headers = {"Authorization": "Bearer jane"}
    with contextlib.suppress(aiohttp.ServerDisconnectedError):
        try:
            async with world.api.session.ws_connect(url, headers=headers, protocols=PROTOCOLS):
                return 101
        except aiohttp.WSServerHandshakeError as error:
            return error.status
    raise AssertionError("the server has hung up")


@pytest.mark.parametrize("subresource", SUBRESOURCES)
@pytest.mark.parametrize(
    ("version", "verbs", "expected"),
    [
        ("1.37", ("get",), 403),
        ("1.35", ("get",), 403),
        ("1.34", ("get",), 101),
        ("1.37", ("get", "create"), 101),
        ("1.37", ("create",), 403),
    ],
)
def test_a_websocket_asks_for_get_and_since_1_35_for_create(
    version: str, verbs: tuple[str, ...], expected: int, subresource: str
) -> None:
    async def story() -> None:
        settings: dict[str, Any] = {"authorization": ("RBAC",), "version": version}
        async with asyncio.timeout(20), streaming(others={"jane": JANE}, **settings) as world:
            await grant(world, *verbs)
            assert await status(world, subresource) == expected

    asyncio.run(story())


def test_the_refusal_says_which_right_is_missing() -> None:
    async def story() -> None:
        others = {"jane": JANE}
        async with (
            asyncio.timeout(20),
            streaming(others=others, authorization=("RBAC",)) as world,
        ):
            await grant(world, "get")
            answer = await world.api.get(path("web", "exec", QUERY), Authorization="Bearer jane")
            assert answer.status == 403
            assert answer.json["message"] == (
                'pods "web" is forbidden: User "jane" cannot create resource "pods/exec" in API '
                'group "" in the namespace "default"'
            )

    asyncio.run(story())
