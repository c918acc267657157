"""pods/log, from a client's socket to a kubelet's chunks."""

import asyncio

import aiohttp
import pytest
from stream_world import HEADERS, World, path
from test_commands_over_http import run

from cluster.api import errors


def test_a_log_is_plain_text() -> None:
    async def story(world: World) -> None:
        query = "tailLines=5&limitBytes=99&timestamps=true&previous=true&sinceSeconds=7"
        answer = await world.api.get(path("web", "log", query))
        assert (answer.status, answer.text) == (200, "one\ntwo\n")
        assert answer.headers["Content-Type"] == "text/plain"
        (asked,) = world.kubelet.asked
        assert (asked.container.pod, asked.container.container) == ("web", "c")
        assert (asked.tail_lines, asked.limit_bytes, asked.since_seconds) == (5, 99, 7)
        assert (asked.timestamps, asked.previous, asked.follow) == (True, True, False)

    run(story)


def test_an_option_that_is_not_given_is_not_asked_for() -> None:
    async def story(world: World) -> None:
        await world.api.get(path("web", "log"))
        (asked,) = world.kubelet.asked
        assert not asked.HasField("tail_lines")
        assert not asked.HasField("limit_bytes")
        assert not asked.HasField("since_seconds")

    run(story)


def test_a_followed_log_comes_as_it_is_written() -> None:
    async def story(world: World) -> None:
        url = world.api.url + path("web", "log", "follow=true")
        async with world.api.session.get(url, headers=HEADERS) as answer:
            assert await answer.content.readline() == b"one\n"
            assert await answer.content.readline() == b"two\n"
            await world.kubelet.more.put(b"three\n")
            assert await answer.content.readline() == b"three\n"
            await world.kubelet.more.put(None)
            assert await answer.content.read() == b""

    run(story)


def test_the_answer_to_a_follower_begins_before_the_log_does() -> None:
    async def story(world: World) -> None:
        world.kubelet.log = []
        url = world.api.url + path("web", "log", "follow=true")
        async with world.api.session.get(url, headers=HEADERS) as answer:
            assert answer.status == 200

    run(story)


def test_a_follower_that_goes_ends_the_following() -> None:
    async def story(world: World) -> None:
        url = world.api.url + path("web", "log", "follow=true")
        async with world.api.session.get(url, headers=HEADERS) as answer:
            await answer.content.readline()
            assert world.kubelet.running == 1
            answer.close()
            await world.kubelet.idle.wait()

    run(story)


def test_a_log_that_breaks_off_is_seen_to() -> None:
    async def story(world: World) -> None:
        url = world.api.url + path("web", "log", "follow=true")
        async with world.api.session.get(url, headers=HEADERS) as answer:
            await answer.content.readline()
            await world.kubelet.more.put(errors.ServiceUnavailable("the kubelet stopped"))
            with pytest.raises(aiohttp.ClientError):
                await answer.content.read()

    run(story)


def test_what_the_kubelet_refuses_is_the_answer() -> None:
    async def story(world: World) -> None:
        why = 'container "c" in pod "web" is waiting to start: ContainerCreating'
        world.kubelet.refusal = errors.BadRequest(why)
        answer = await world.api.get(path("web", "log"))
        assert (answer.status, answer.json["reason"], answer.json["message"]) == (
            400, "BadRequest", why,
        )  # fmt: skip

    run(story)


def test_the_log_of_a_pod_without_a_node_is_empty() -> None:
    async def story(world: World) -> None:
        answer = await world.api.get(path("idle", "log"))
        assert (answer.status, answer.text, world.kubelet.asked) == (200, "", [])

    run(story)


def test_a_kubelet_out_of_reach() -> None:
    async def story(world: World) -> None:
        await world.node("n2", "10.0.0.2")
        await world.pod("far", nodeName="n2")
        world.connector.broken = "dial tcp 10.0.0.2:10250: i/o timeout"
        answer = await world.api.get(path("far", "log"))
        assert answer.status == 500
        url = "https://10.0.0.2:10250/containerLogs/default/far/c"
        assert answer.json["message"] == f'Get "{url}": {world.connector.broken}'

    run(story)


def test_many_followers_at_once() -> None:
    async def story(world: World) -> None:
        url = world.api.url + path("web", "log", "follow=true")

        async def follow() -> bytes:
            async with world.api.session.get(url, headers=HEADERS) as answer:
                return await answer.content.read()

        async with asyncio.TaskGroup() as group:
            reading = [group.create_task(follow()) for _ in range(50)]
            while world.kubelet.running < 50:
                await asyncio.sleep(0)
            for _ in range(50):
                await world.kubelet.more.put(None)
        assert [each.result() for each in reading] == [b"one\ntwo\n"] * 50

    run(story)
