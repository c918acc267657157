"""Planning that has to ask outside: it is done again with the answer, and comes to the same."""

import asyncio

import pytest
import registry_world as rw

from cluster.aio import tasks, virtual
from cluster.api import errors, objects
from cluster.api.operations import Operation, Verb
from cluster.apiserver import direct, outside
from cluster.apiserver.admission.chain import Chain
from cluster.apiserver.admission.plugin import Act, Plugin
from cluster.client.client import Client


class Labels(Plugin):
    """Asks a slow service for a label of every new config map."""

    resources = ("configmaps",)

    def __init__(self) -> None:
        self.asked = []
        self.keys = []

    def mutate(self, request) -> None:
        if request.act is Act.CREATE:
            self._labelled(request)

    def validate(self, request) -> None:
        if request.act is Act.CREATE:
            obj = request.object
            self.keys.append((obj["metadata"]["uid"], obj["metadata"]["creationTimestamp"]))
            request.call.answers.of(("check", objects.uid(obj)), self._checked)

    def _labelled(self, request) -> None:
        name = objects.name(request.object)
        answer = request.call.answers.of(("label", name), lambda: self._label(name))
        request.object["metadata"].setdefault("labels", {})["seen"] = answer

    async def _label(self, name: str) -> str:
        self.asked.append(name)
        await asyncio.sleep(5)
        if name == "bad":
            raise errors.forbidden("configmaps", name, "the service says no")
        return f"by-{name}"

    async def _checked(self) -> bool:
        await asyncio.sleep(1)
        return True


def run(test, chain):
    async def main():
        async with rw.world(admission=chain) as world:
            await test(world)

    virtual.run(main())


def test_answers_are_asked_for_once_and_the_object_is_the_same_in_every_planning():
    plugin = Labels()

    async def test(world):
        made = await world.create("configmaps", rw.config_map("a"))
        assert made["metadata"]["labels"] == {"seen": "by-a"}
        assert plugin.asked == ["a"]
        assert set(plugin.keys) == {
            (made["metadata"]["uid"], made["metadata"]["creationTimestamp"])
        }

    run(test, Chain((plugin,)))


def test_questions_of_a_batch_are_asked_at_once_and_a_refusal_is_of_one_alone():
    plugin = Labels()

    async def test(world):
        loop = asyncio.get_running_loop()
        started = loop.time()
        batch = [rw.create("configmaps", rw.config_map(name)) for name in ("a", "bad", "c")]
        batch.append(rw.create("secrets", {"metadata": {"name": "s"}}))
        batch.append(Operation(Verb.DELETE, "configmaps", "default", "c"))
        a, bad, c, secret, gone = await world.registry.write(batch, rw.USER)
        assert loop.time() - started == pytest.approx(6, abs=0.01)
        assert isinstance(bad, errors.Forbidden)
        assert (a.name, c.name, secret.name) == ("a", "c", "s")
        assert b"Success" in gone.json
        assert not await world.exists("configmaps", "c")

    run(test, Chain((plugin,)))


def test_an_operation_that_never_stops_asking_fails():
    class Endless(Plugin):
        count = 0

        def mutate(self, request) -> None:
            self.count += 1
            request.call.answers.of(("again", self.count), self._answer)

        async def _answer(self) -> bool:
            return True

    async def test(world):
        with pytest.raises(errors.InternalError, match="too many questions"):
            await world.create("configmaps", rw.config_map("a"))

    endless = Endless()
    endless.resources = ("configmaps",)
    run(test, Chain((endless,)))


def test_a_batch_that_may_not_wait_puts_off_what_asks_and_what_follows_on_its_object():
    plugin = Labels()

    async def test(world):
        batch = [
            rw.create("secrets", {"metadata": {"name": "s"}}),
            rw.create("configmaps", rw.config_map("a")),
            Operation(Verb.DELETE, "configmaps", "default", "a"),
        ]
        secret, put_off, behind = await world.registry.write(batch, rw.USER, prompt=True)
        assert secret.name == "s"
        assert put_off is behind is outside.DEFERRED
        assert not plugin.asked

    run(test, Chain((plugin,)))


def test_a_client_sends_what_was_put_off_again_alone():
    plugin = Labels()

    async def test(world):
        transport = direct.DirectTransport(world.registry, rw.USER)
        async with Client(transport, manager="tester") as client:
            loop = asyncio.get_running_loop()
            started = loop.time()
            took = {}

            async def made(resource, name):
                await client.create(resource, {"metadata": {"name": name, "namespace": "default"}})
                took[name] = loop.time() - started

            async with tasks.Group("writers") as group:
                for name in ("a", "b"):
                    group.spawn(made("configmaps", name), name)
                group.spawn(made("secrets", "quick"), "quick")
            assert took["quick"] < 1
            assert took["a"] == took["b"] == pytest.approx(6, abs=0.1)

    run(test, Chain((plugin,)))
