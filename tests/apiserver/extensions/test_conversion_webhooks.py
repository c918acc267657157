"""Custom objects converted by a webhook, in reads, writes and watches; and webhooks that fail."""

import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from crd_world import DEFINITIONS, USER, VERSION, WIDGETS, World, definition, widget, world

from cluster.aio import virtual
from cluster.api import errors
from cluster.apiserver.extensions.converting import Converting
from cluster.apiserver.outbound.protocol import Answer, Outgoing, Unreachable

OLD = "v1beta1"


class Webhook:
    """Moves spec.color to spec.colour and back; `spoil` changes its answer."""

    def __init__(self, spoil: Callable[[Any], Any] = lambda review: review) -> None:
        self.spoil = spoil
        self.requests: list[Outgoing] = []

    async def call(self, request: Outgoing, seconds: float) -> Answer:
        self.requests.append(request)
        asked = msgspec.json.decode(request.body)["request"]
        made = [self._converted(obj, asked["desiredAPIVersion"]) for obj in asked["objects"]]
        response = {
            "uid": asked["uid"], "result": {"status": "Success"}, "convertedObjects": made,
        }  # fmt: skip
        return Answer(200, {}, msgspec.json.encode(self.spoil({"response": response})))

    def _converted(self, obj: Any, version: str) -> Any:
        spec = dict(obj["spec"])
        old, new = ("color", "colour") if version.endswith(OLD) else ("colour", "color")
        if old in spec:
            spec[new] = spec.pop(old)
        return obj | {"apiVersion": version, "spec": spec}


def two_versions() -> Any:
    old = msgspec.json.decode(msgspec.json.encode(VERSION)) | {"name": OLD, "storage": False}
    spec = old["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec["required"] = ["colour"]
    spec["properties"]["colour"] = spec["properties"].pop("color")
    old["selectableFields"] = []
    webhook = {
        "clientConfig": {"service": {"namespace": "default", "name": "convert", "path": "/c"}},
        "conversionReviewVersions": ["v2", "v1"],
    }
    return definition(VERSION, old, conversion={"strategy": "Webhook", "webhook": webhook})


async def started(w: World, webhook: Webhook) -> None:
    w.registry.views.webhooks = Converting(w.registry, webhook, random.Random(1)).converted
    await w.create(DEFINITIONS, two_versions())
    await w.established()


def test_every_way_to_an_object_goes_by_the_webhook() -> None:
    async def scenario() -> None:
        async with world() as w:
            webhook = Webhook()
            await started(w, webhook)
            await w.create(WIDGETS, widget())
            assert webhook.requests == []
            seen = await w.get(WIDGETS, "a", version=OLD)
            assert seen["spec"]["colour"] == "red"
            assert webhook.requests[0].shown == "https://convert.default.svc:443/c"
            page = await w.registry.list(WIDGETS, "default", version=OLD)
            assert page.items[0].document()["spec"]["colour"] == "red"
            body = widget("b") | {"apiVersion": f"example.com/{OLD}", "spec": {"colour": "blue"}}
            made = await w.create(WIDGETS, body, version=OLD)
            assert made["spec"]["colour"] == "blue"
            assert (await w.get(WIDGETS, "b"))["spec"]["color"] == "blue"
            patched = await w.merge(WIDGETS, "b", {"spec": {"colour": "red"}}, version=OLD)
            assert patched["spec"]["colour"] == "red"
            assert (await w.get(WIDGETS, "b"))["spec"]["color"] == "red"
            watch = await w.registry.watch(WIDGETS, "default", initial=True, version=OLD)
            async with watch:
                batch = await anext(watch)
                objects = [msgspec.json.decode(event.json) for event in batch.events if event.json]
                assert {obj["spec"]["colour"] for obj in objects} == {"red"}

    virtual.run(scenario())


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda review: {}, "no response provided"),
        (lambda review: [], "no response provided"),
        (lambda review: {"response": review["response"] | {"uid": "x"}}, "expected response.uid="),
        (lambda review: {"response": review["response"] | {"result": {"status": "Failure",
                                                                     "message": "no idea"}}},
         "no idea"),
        (lambda review: {"response": review["response"] | {"convertedObjects": []}},
         "returned 0 objects, expected 1"),
        (lambda review: {"response": review["response"] | {"convertedObjects": [1]}},
         "invalid groupVersion"),
        (lambda review: {"response": review["response"] | {"convertedObjects": [
            {"apiVersion": f"example.com/{OLD}", "kind": "Widget", "metadata": {"name": "z"}}]}},
         "name must not change"),
    ],
)  # fmt: skip
def test_an_answer_that_is_wrong_is_told(spoil: Callable[[Any], Any], why: str) -> None:
    async def scenario() -> None:
        async with world() as w:
            await started(w, Webhook(spoil))
            await w.create(WIDGETS, widget())
            head = "conversion webhook for example.com/v1, Kind=Widget failed: "
            with pytest.raises(errors.InternalError, match=head) as failed:
                await w.get(WIDGETS, "a", version=OLD)
            assert why in failed.value.message

    virtual.run(scenario())


def test_what_a_webhook_adds_that_the_version_does_not_know_is_dropped() -> None:
    def spoil(answer: Any) -> Any:
        for obj in answer["response"]["convertedObjects"]:
            obj["more"] = {"a": 1}
        return answer

    async def scenario() -> None:
        webhook = Webhook()
        webhook.spoil = spoil
        async with world() as w:
            await started(w, webhook)
            await w.create(WIDGETS, widget())
            seen = await w.registry.get(WIDGETS, "default", "a", version=OLD)
            assert seen.document()["spec"]["colour"] == "red"
            assert "more" not in seen.document()

    virtual.run(scenario())


def test_a_webhook_that_cannot_be_reached_leaves_the_stored_version_alone() -> None:
    class Gone(Webhook):
        async def call(self, request: Outgoing, seconds: float) -> Answer:
            raise Unreachable(f'Post "{request.shown}": context deadline exceeded')

    async def scenario() -> None:
        async with world() as w:
            await started(w, Gone())
            await w.create(WIDGETS, widget())
            assert (await w.get(WIDGETS, "a"))["spec"]["color"] == "red"
            with pytest.raises(errors.InternalError, match="context deadline exceeded"):
                await w.get(WIDGETS, "a", version=OLD)
            body = widget("b") | {"apiVersion": f"example.com/{OLD}", "spec": {"colour": "blue"}}
            with pytest.raises(errors.InternalError, match="context deadline exceeded"):
                await w.create(WIDGETS, body, version=OLD)

    virtual.run(scenario())


def test_a_failing_webhook_costs_the_owners_of_fields_and_not_the_write() -> None:
    """Who has written in another version owns fields there: they cannot be followed any more."""

    def fail(answer: Any) -> Any:
        return {"response": answer["response"] | {"result": {"status": "Failed"}}}

    async def scenario() -> None:
        async with world() as w:
            webhook = Webhook()
            await started(w, webhook)
            body = widget() | {"apiVersion": f"example.com/{OLD}", "spec": {"colour": "blue"}}
            made = await w.create(WIDGETS, body, version=OLD, field_manager="old")
            assert [one["manager"] for one in made["metadata"]["managedFields"]] == ["old"]
            webhook.spoil = fail
            patched = await w.merge(WIDGETS, "a", {"spec": {"color": "red"}})
            assert patched["spec"]["color"] == "red"
            assert "managedFields" not in patched["metadata"]
            with pytest.raises(errors.InternalError, match="conversion webhook"):
                await w.merge(WIDGETS, "a", {"spec": {"colour": "blue"}}, version=OLD)
            webhook.spoil = lambda review: review
            again = await w.merge(WIDGETS, "a", {"spec": {"colour": "blue"}}, version=OLD)
            assert again["spec"]["colour"] == "blue"

    virtual.run(scenario())


def test_a_get_asks_the_webhook_anew_which_may_have_been_mended_meanwhile() -> None:
    def shout(answer: Any) -> Any:
        for obj in answer["response"]["convertedObjects"]:
            obj["spec"]["colour"] = "blue"
        return answer

    async def scenario() -> None:
        async with world() as w:
            webhook = Webhook(shout)
            await started(w, webhook)
            await w.create(WIDGETS, widget())
            assert (await w.get(WIDGETS, "a", version=OLD))["spec"]["colour"] == "blue"
            webhook.spoil = lambda review: review
            assert (await w.get(WIDGETS, "a", version=OLD))["spec"]["colour"] == "red"
            page = await w.registry.list(WIDGETS, "default", version=OLD)
            assert page.items[0].document()["spec"]["colour"] == "red"

    virtual.run(scenario())


def test_what_cannot_be_converted_is_not_deleted_in_that_version() -> None:
    class Broken(Webhook):
        async def call(self, request: Outgoing, seconds: float) -> Answer:
            if self.broken:
                raise Unreachable("dial tcp: no route")
            return await super().call(request, seconds)

        broken = False

    async def scenario() -> None:
        async with world() as w:
            webhook = Broken()
            await started(w, webhook)
            await w.create(WIDGETS, widget("one"))
            await w.create(WIDGETS, widget("two"))
            webhook.broken = True
            with pytest.raises(errors.InternalError, match="conversion webhook for"):
                await w.delete(WIDGETS, "one", version=OLD)
            with pytest.raises(errors.InternalError, match="conversion webhook for"):
                await w.registry.delete_collection(WIDGETS, "default", USER, version=OLD)
            left = await w.registry.list(WIDGETS, "default")
            assert [entry.name for entry in left.items] == ["one", "two"]

            # In the version that is stored nobody needs the webhook.
            await w.delete(WIDGETS, "two")
            webhook.broken = False
            await w.delete(WIDGETS, "one", version=OLD)
            assert not (await w.registry.list(WIDGETS, "default")).items

    virtual.run(scenario())
